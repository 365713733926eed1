"""Cases that are kept: the last one of each name, everything before it in the event log."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.experiments.business_case import (
    FORGOTTEN,
    SAVED,
    parse_case,
    remove_case,
    save_case,
    saved_cases,
    with_texts,
)
from core.store import Store, events, verify_log

CASE = parse_case("name: mine\nlearners: 1,000\nrevenue: 10\nlift: 5 %\n")


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    yield opened
    opened.close()


def names(store):
    with store.read() as connection:
        return {name: saved.case for name, saved in saved_cases(connection).items()}


def test_saving_is_over_what_was_there_and_says_when_nothing_changed(store):
    assert save_case(store, CASE, "a")
    assert not save_case(store, CASE, "b")
    changed = with_texts(CASE, {**CASE.texts, "lift": "6 %"})
    assert save_case(store, changed, "b")
    assert names(store) == {"mine": changed}
    with store.read() as connection:
        log = events(connection, kinds=(SAVED,))
    assert [event.actor for event in log] == ["a", "b"]
    assert "lift: 5 %" in log[0].data["text"]  # the earlier one can be had again


def test_removing(store):
    save_case(store, CASE, "a")
    save_case(store, with_texts(CASE, CASE.texts, "another"), "a")
    assert remove_case(store, "mine", "b")
    assert not remove_case(store, "mine", "b")
    assert list(names(store)) == ["another"]
    save_case(store, CASE, "c")
    assert list(names(store)) == ["another", "mine"]
    with store.read() as connection:
        assert [event.kind for event in events(connection, kinds=(SAVED, FORGOTTEN))] == [
            SAVED,
            SAVED,
            FORGOTTEN,
            SAVED,
        ]
    assert verify_log(store).ok


def test_one_that_cannot_be_read_is_left_out(store):
    save_case(store, CASE, "a")
    with store.transaction() as tx:
        tx.append(SAVED, "newer version", "", data={"name": "odd", "text": "name: odd\nfields: of the future\n"})
        tx.append(SAVED, "nobody", "", data={})
    assert list(names(store)) == ["mine"]

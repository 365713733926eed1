from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.store import LogFileError, Store, events, export_log, import_log, verify_log
from core.store.eventlog import canonical, hash_of
from tests.store.making import write_events

Lines = list[str]


@pytest.fixture
def exported(store):
    write_events(store, 12)
    with store.transaction() as tx:
        tx.append("odd", 'a "b" \\ é \u2028', "1e22 and 0.1+0.2", data={"z": [0.1 + 0.2, 1e22, -0.0, 1, None, True]})
    out = io.StringIO()
    with store.read() as connection:
        assert export_log(connection, out) == 13
    return out.getvalue()


@pytest.fixture
def empty(tmp_path):
    home = tmp_path / "other"
    opened = Store.open(f"sqlite:///{home / 'other.db'}", home)
    yield opened
    opened.close()


def read_in(store: Store, text: str) -> int:
    path = store.home / "log.jsonl"
    path.write_text(text, encoding="utf-8")
    return import_log(store, path)


def test_out_and_in_again_is_the_same_chain(store, empty, exported):
    header = json.loads(exported.splitlines()[0])
    assert header | {"head": ""} == {"format": "cohort-canary event log", "version": 1, "count": 13, "head": ""}
    assert read_in(empty, exported) == 13
    with store.read() as one, empty.read() as two:
        assert events(one) == events(two)
        again = io.StringIO()
        export_log(two, again)
    assert again.getvalue() == exported
    result = verify_log(empty)
    assert (result.ok, result.count, result.anchored, result.warning) == (True, 13, 13, "")
    write_events(empty, 1)
    assert verify_log(empty).ok


def test_an_empty_log_too(store, empty):
    out = io.StringIO()
    with store.read() as connection:
        export_log(connection, out)
    assert read_in(empty, out.getvalue()) == 0
    assert verify_log(empty).ok


def changed(line: int, **fields: object) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[line - 1] = canonical(json.loads(lines[line - 1]) | fields)

    return change


def replaced(line: int, text: str) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[line - 1] = text

    return change


def removed(line: int) -> Callable[[Lines], None]:
    return lambda lines: lines.__delitem__(line - 1)


def swapped(lines: Lines) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def forged(lines: Lines) -> None:
    event = json.loads(lines[5]) | {"reason": "all was well"}
    event["hash"] = hash_of(*(event[name] for name in list(HASHED)[:7]), canonical(event["data"]), event["previous"])
    lines[5] = canonical(event)


HASHED = ("seq", "at", "wall", "deployment", "kind", "actor", "reason")


@pytest.mark.parametrize(
    ("corrupt", "line", "reason"),
    [
        (changed(6, reason="all was well"), 6, "event 5 was altered"),
        (changed(6, at=1.0), 6, "event 5 was altered"),
        (forged, 7, "isn't chained"),
        (removed(6), 6, "expected event 5, found event 6"),
        (swapped, 5, "expected event 4, found event 5"),
        (removed(14), 13, "promises 13 events; the file holds 12"),
        (changed(1, head="0" * 64), 14, "hash isn't that of event 13"),
        (changed(1, format="something"), 1, "not an exported event log"),
        (changed(1, version=2), 1, "format version 2"),
        (removed(1), 1, "not an exported event log"),
        (replaced(6, "{"), 6, "not JSON"),
        (replaced(6, "[1]"), 6, "expected a JSON object, found list"),
        (replaced(6, '{"at": NaN}'), 6, "NaN is not JSON"),
        (replaced(6, "{}"), 6, "fields missing"),
        (changed(6, more=1), 6, "not known: more"),
        (changed(6, seq=True), 6, "seq is True"),
        (changed(6, seq="5"), 6, "seq is '5'"),
        (changed(6, at=None), 6, "at is None"),
        (changed(6, data=[]), 6, "data is []"),
        (changed(6, reason="\ud800"), 6, "reason is"),
        (replaced(6, ""), 6, "not JSON"),
    ],
)
@pytest.mark.sqlite
def test_a_corrupted_file_names_line_and_reason_and_imports_nothing(empty, exported, corrupt, line, reason):
    lines = exported.splitlines()
    corrupt(lines)
    with pytest.raises(LogFileError) as caught:
        read_in(empty, "\n".join(lines) + "\n")
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert f"log.jsonl, line {line}: " in str(caught.value)
    assert verify_log(empty).count == 0


def test_an_empty_file_is_no_export(empty):
    with pytest.raises(LogFileError, match="line 1"):
        read_in(empty, "")


def test_bytes_that_are_no_text_are_told(empty, exported):
    path = empty.home / "log.jsonl"
    path.write_bytes(exported.encode().replace(b"number 3", b"number \xff"))
    with pytest.raises(LogFileError, match="line 4"):
        import_log(empty, path)


def test_a_log_that_is_not_empty_is_left_alone(store, exported):
    with pytest.raises(LogFileError, match="has 13 events already"):
        read_in(store, exported)
    assert verify_log(store).count == 13


def test_an_older_export_does_not_pass_for_all(store, empty, exported, tmp_path: Path):
    """The database is lost, the anchor is not: what the export lacks is told."""
    write_events(store, 2)
    (empty.home / "anchor.json").write_bytes((store.home / "anchor.json").read_bytes())
    read_in(empty, exported)
    result = verify_log(empty)
    assert not result.ok
    assert (result.seq, "events 14 to 15 are missing" in result.problem) == (14, True)

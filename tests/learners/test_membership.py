"""Which cohort a learner is in: as the newest run's file says, remembered, and asked anew after a new run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.learners import runs
from core.learners.cache import LocalCache
from core.learners.membership import LearnerRows, Membership
from core.store import Store, StoreUnavailable
from tests.learners.test_runs import keep, population


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def rows(store: Store) -> LearnerRows:
    return LearnerRows(store, LocalCache(1000, 60.0))


def test_it_is_what_the_file_says_the_first_time_and_from_memory(store: Store, rows: LearnerRows) -> None:
    run = keep(store, population())
    table = pq.read_table(runs.files_of(store.home, run.id).assignments).to_pylist()
    for _ in range(2):
        for told in table:
            row = rows.row(run.id, told["learner_id"])
            assert row is not None
            assert {"learner_id": told["learner_id"], **row} == told
    assert rows.stats().hit_rate == 0.5
    runs.files_of(store.home, run.id).assignments.unlink()
    found = rows.membership("u007")
    cohort = table[7]["cohort"]
    name = run.model.cohorts[cohort].name
    assert found == Membership(run.id, run.at, "", True, cohort, table[7]["archetype"], name)


def test_before_the_first_run_and_for_somebody_unknown(store: Store, rows: LearnerRows) -> None:
    assert rows.membership("u001") is None
    run = keep(store, population())
    for _ in range(2):
        for learner in ("nobody", "", "a\0b", "\ud800", "x" * 500):
            assert rows.membership(learner) == Membership(run.id, run.at, "", False)
    assert rows.stats().misses == 5


def test_a_new_run_counts_at_once_and_a_forgotten_one_no_longer(store: Store, rows: LearnerRows) -> None:
    first = keep(store, population())
    assert rows.membership("u001").run == first.id
    second = keep(store, population(40))
    assert rows.membership("u001").run == second.id
    assert not rows.membership("u050").known
    runs.forget_run(store, second.id)
    assert rows.membership("u001").run == first.id
    assert rows.membership("u050").known


def test_without_a_database_the_last_run_that_is_known_answers_and_says_so(
    store: Store, rows: LearnerRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Store) -> None:
        raise StoreUnavailable("it is gone")

    run = keep(store, population())
    other = LearnerRows(store, LocalCache(10, 60.0))
    assert rows.membership("u001").stale == ""
    monkeypatch.setattr(Store, "read", fail)
    for learner in ("u001", "u002"):
        found = rows.membership(learner)
        assert (found.run, found.known, found.stale) == (run.id, True, "it is gone")
    with pytest.raises(StoreUnavailable):
        other.membership("u001")


def test_a_file_that_is_gone_or_broken_is_told(store: Store, rows: LearnerRows) -> None:
    run = keep(store, population())
    path = runs.files_of(store.home, run.id).assignments
    path.write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(OSError, match="can't be read"):
        rows.membership("u001")
    path.unlink()
    with pytest.raises(OSError, match="is gone"):
        rows.membership("u001")


def test_what_others_wrote_under_our_key_is_no_answer(store: Store) -> None:
    class Odd(LocalCache):
        def get(self, _: str) -> bytes | None:
            return answers.pop() if answers else None

    run = keep(store, population())
    answers = [b"\xff", b"nonsense", b"[]", b'{"cohort": 1}', b"7"]
    rows = LearnerRows(store, Odd(10, 60.0))
    for _ in range(5):
        assert rows.membership("u001").run == run.id
        assert rows.membership("u001").known

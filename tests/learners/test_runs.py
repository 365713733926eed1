from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.learners import Event, Events, find_cohorts, from_events, runs, traits_at
from core.learners.cohorts import features_of
from core.learners.traits import TRAITS
from core.store import Store

DAY = 86_400_000_000
START = 1_760_000_000_000_000


def population(learners: int = 60) -> Events:
    """Return learners who differ in how much they do and in how many domains."""
    rng = np.random.default_rng(3)
    made = {}
    for i in range(learners):
        days = np.sort(rng.random(4 + 3 * (i % 7))) * 60
        made[f"u{i:03d}"] = [
            Event(START + int(day * DAY), f"d{j % (1 + i % 3)}", f"s{j % (2 + i % 5)}", "training", None, None)
            for j, day in enumerate(days)
        ]
    return from_events(made)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    yield opened
    opened.close()


def found(events: Events) -> tuple[runs.Found, np.ndarray]:
    model, table = find_cohorts(events, k=3)
    told = runs.Found("events.csv", events.learners.size, len(events), model)
    return replace(told, rejected={"rows": 1, "reasons": {"no time": 1}}, seconds={"total": 1.5}), table


def keep(store: Store, events: Events, *, with_events: bool = False) -> runs.CohortRun:
    """Remember a run over events, with its files."""
    told, table = found(events)
    id_ = runs.new_id()
    files = runs.files_of(store.home, id_)
    files.assignments.parent.mkdir(exist_ok=True)
    runs.write_assignments(files.assignments, events, table, told.model)
    if with_events:
        runs.write_events(files.events, events)
    return runs.remember(store, told, id_)


def test_what_is_remembered_is_what_was_found(store: Store) -> None:
    events = population()
    told, table = found(events)
    kept = keep(store, events)
    with store.read() as connection:
        assert [run.id for run in runs.all_runs(connection)] == [kept.id]
        again = runs.load_run(connection, kept.id)
    assert again is not None
    assert again.model.to_json() == told.model.to_json()
    assert again.found.rejected == told.rejected
    assert again.found.seconds == told.seconds
    read = pq.read_table(runs.files_of(store.home, kept.id).assignments)
    assert read.num_rows == events.learners.size
    assert set(TRAITS.names or ()) | {"learner_id", "cohort", "archetype"} <= set(read.schema.names)
    assert read["cohort"].to_pylist() == told.model.assign(table).tolist()
    row = traits_at(table, 5, events.domains)
    for name in ("velocity", "trend", "top_domain", "affinity", "responsiveness", "events"):
        assert read[name][5].as_py() == getattr(row, name)


def test_one_learners_events_are_read_back_in_order(store: Store) -> None:
    events = population()
    with_events = keep(store, events, with_events=True)
    without = keep(store, events)
    kept = runs.events_of(store.home, with_events.id, "u017")
    assert kept is not None
    assert kept["ts"].cast("int64").to_pylist() == [event.ts for event in events.of_learner(17)]
    assert runs.events_of(store.home, with_events.id, "nobody").num_rows == 0  # type: ignore[union-attr]
    assert runs.events_of(store.home, without.id, "u017") is None


def test_forgetting_a_run_leaves_nothing(store: Store) -> None:
    kept = keep(store, population(), with_events=True)
    runs.forget_run(store, kept.id)
    with store.read() as connection:
        assert runs.load_run(connection, kept.id) is None
    assert list((store.home / runs.FOLDER).iterdir()) == []


def test_files_of_runs_that_were_stopped_are_swept(store: Store) -> None:
    kept = keep(store, population())
    folder = store.home / runs.FOLDER
    orphan, fresh = folder / ".20200101-000000-aaaa.parquet.new", folder / "20990101-000000-bbbb.rejected.csv"
    orphan.touch()
    fresh.touch()
    os.utime(orphan, (0, 0))
    os.utime(runs.files_of(store.home, kept.id).assignments, (0, 0))
    assert runs.sweep(store) == 1
    assert not orphan.exists()
    assert fresh.exists()
    assert runs.files_of(store.home, kept.id).assignments.exists()


def test_the_features_of_a_row_are_the_features_of_the_table(store: Store) -> None:
    events = population()
    _, table = found(events)
    rows = pq.read_table(runs.files_of(store.home, keep(store, events).id).assignments).to_pylist()
    for index in (0, 13, 59):
        np.testing.assert_array_equal(runs.features_of_row(rows[index]), features_of(table)[index : index + 1])

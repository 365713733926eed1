from __future__ import annotations

from pathlib import Path

from core.demo import dataset
from core.learners import runs
from core.store import Store


def test_the_demos_learners_are_kept_once_as_a_run(home: Path) -> None:
    data = dataset.prepare(400, None)
    store = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    dataset.remember(data, store)
    dataset.remember(data, store)
    with store.read() as connection:
        (run,) = runs.all_runs(connection)
    store.close()
    assert (run.found.learners, run.found.simulated) == (400, "simulated learners")
    assert run.model.to_json() == data.model.to_json()
    assert runs.events_of(home, run.id, "demo-000003").num_rows == len(data.events.of_learner(3))  # type: ignore[union-attr]

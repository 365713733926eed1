"""A run over made-up learners (the run says so), put into a home by the public functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from core.demo.population import SIMULATED, make_population
from core.learners import find_cohorts, runs
from core.learners.runs import CohortRun, Found
from core.settings import Settings
from core.store import Store


def make_run(home: Path, learners: int = 1_500, *, money: bool = True, events: bool = True, seed: int = 7) -> CohortRun:
    """Find the cohorts of made-up learners and remember them; a third of them have revenue and cost."""
    settings = Settings(home=home)
    made, _ = make_population(learners, seed)
    model, table = find_cohorts(made, k=5)
    store = Store.open(settings.url, settings.home)
    id_ = runs.new_id()
    files = runs.files_of(store.home, id_)
    files.assignments.parent.mkdir(parents=True, exist_ok=True)
    runs.write_assignments(files.assignments, made, table, model)
    if events:
        runs.write_events(files.events, made)
    if money:
        rng = np.random.default_rng(seed)
        paying = made.learners[::3].tolist()
        revenue, cost = rng.gamma(2, 10, len(paying)), rng.gamma(2, 6, len(paying))
        runs.write_money(files.money, pa.table({"learner_id": paying, "revenue": revenue, "cost": cost}))
    found = Found(
        f"{learners:,} made-up learners", learners, len(made), model, SIMULATED, {"k": 5},
        {"rows": 3, "reasons": {"no time": 3}}, {"reading": 1.0, "total": 1.0},
    )  # fmt: skip
    run = runs.remember(store, found, id_)
    store.close()
    return run

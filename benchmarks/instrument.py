"""A/A checks: random halves of 500,000 simulated learners, on five metrics, with the estimators that judge them."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import Row
from core.demo.experiment import METRICS, NOTHING, make_experiment
from core.experiments import Labels, Observations, declare
from core.experiments.instrument import check_instrument

NAME = "instrument"
LEARNERS, SPLITS, RUNS = 500_000, 1_000, 5
AIM_S = 15.0
_NUMBERS = ("revenue", "cost", "completed", "churned", "velocity")


def run(folder: Path, learners: int = LEARNERS, splits: int = SPLITS) -> list[Row]:  # noqa: ARG001 -- nothing is written
    """Measure the whole check, from columns in memory to its verdict; the first, which compiles, is left out."""
    table = make_experiment(learners, planted=NOTHING)
    numbers = np.stack([table[name].to_numpy().astype(np.float64) for name in _NUMBERS])
    region = table["region"].combine_chunks()
    labels = {"region": Labels(region.indices.to_numpy().astype(np.int32), tuple(region.dictionary.to_pylist()))}
    everybody = Labels(np.zeros(learners, np.int32), ("",))
    observations = Observations(everybody, _NUMBERS, numbers, labels)
    metrics = declare(METRICS).metrics
    rows = []
    for what, segments in (("", ()), (", and by region", ("region",))):
        times = []
        for seed in range(RUNS + 1):
            began = time.perf_counter()
            check_instrument(observations, metrics, splits=splits, segments=segments, seed=seed)
            times.append(time.perf_counter() - began)
        middle, longest = statistics.median(times[1:]), max(times[1:])
        rows.append(
            Row(
                NAME,
                f"A/A check: {splits:,} splits × {len(metrics)} metrics × {learners:,} learners{what}",
                f"{middle:.2f} s (longest of {RUNS}: {longest:.2f} s)",
                {"seconds": middle, "longest_seconds": longest},
                f"< {AIM_S:g} s",
                longest < AIM_S,
            )
        )
    return rows

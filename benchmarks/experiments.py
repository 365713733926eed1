"""An experiment analysed from memory, beside tea-tasting on the same learners."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.figures import Row, Spread, ms, times
from core.experiments import Design, Labels, Mean, Observations, aggregate, analyse

NAME = "experiments"
LEARNERS = 500_000
METRICS = 4
SEGMENTS = 8
LEVELS = 6
AIM_MS = 150.0


def run(_: Path, learners: int = LEARNERS, repeats: int = 20) -> list[Row]:
    """Measure four metrics with covariates: over all learners and by eight segments; then what tea-tasting can do."""
    observations, design = _made(learners)
    metrics, segments = design.metrics, design.segments
    whole = _timed(lambda: analyse(aggregate(observations, metrics, segments), design), repeats)
    overall = _timed(lambda: analyse(aggregate(observations, metrics), _without_segments(design)), repeats)
    theirs = _timed(_tea(observations), max(3, repeats // 4))
    what = f"{learners:,} learners x {METRICS} metrics with covariates"
    ratio = theirs.p50 / overall.p50
    return [
        Row(
            NAME,
            f"Experiment from memory, {what} + {SEGMENTS} segments",
            f"median {ms(whole.p50)}, longest of {whole.count} {ms(whole.max)}",
            whole.named(),
            f"< {AIM_MS:g} ms",
            whole.p50 < AIM_MS,
        ),
        Row(
            NAME,
            f"The same without segments, beside tea-tasting over Arrow: {what}",
            f"{ms(overall.p50)} against {ms(theirs.p50)} ({times(ratio)})",
            overall.named() | theirs.named("tea_tasting_") | {"ratio": ratio},
        ),
    ]


def _made(learners: int) -> tuple[Observations, Design]:
    rng = np.random.default_rng(0)
    numbers = {}
    for i in range(METRICS):
        numbers[f"before{i}"] = rng.gamma(2, 10, learners)
        numbers[f"after{i}"] = numbers[f"before{i}"] + rng.normal(0, 5, learners)
    names = tuple(f"level {i}" for i in range(LEVELS))
    labels = {f"segment{i}": Labels(rng.integers(0, LEVELS, learners).astype(np.int32), names) for i in range(SEGMENTS)}
    variant = Labels(rng.integers(0, 2, learners).astype(np.int32), ("new", "old"))
    observations = Observations(variant, tuple(numbers), np.stack(list(numbers.values())), labels)
    metrics = tuple(Mean(name=f"m{i}", column=f"after{i}", covariate=f"before{i}") for i in range(METRICS))
    return observations, Design(control="old", metrics=metrics, segments=tuple(labels))


def _without_segments(design: Design) -> Design:
    return Design(control=design.control, metrics=design.metrics)


def _tea(observations: Observations) -> Callable[[], object]:
    import tea_tasting as tt

    columns = {name: observations.column(name) for name in observations.columns}
    table = pa.table(columns | {"variant": observations.variant.codes == observations.variant.names.index("new")})
    experiment = tt.Experiment({f"m{i}": tt.Mean(f"after{i}", f"before{i}") for i in range(METRICS)})
    return lambda: experiment.analyze(table)


def _timed(work: Callable[[], object], repeats: int) -> Spread:
    work()  # what compiles, compiles now
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return Spread.of(seconds)

"""How often the intervals of the estimators hold what is planted, over many simulated experiments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from core.demo.experiment import CONTROL, PLANTED, TREATMENT, Planted, make_experiment
from core.experiments import Effect, Labels, Mean, Metric, Observations, Rate, Ratio, aggregate
from core.experiments.instrument import exact_interval

LEVEL = 0.95
_AT_ONCE = 200_000  # learners, so that memory stays bounded
_NUMBERS = ("revenue", "cost", "completed", "churned", "velocity", "revenue_before", "activity_before")
_ROI, _REVENUE = Ratio(name="ROI", over="revenue", under="cost"), Mean(name="revenue", column="revenue")
_PLAIN: tuple[Metric, ...] = (
    _ROI,
    _REVENUE,
    Rate(name="completion", column="completed"),
    Rate(name="churn", column="churned"),
    Mean(name="velocity", column="velocity"),
)
_ADJUSTED = tuple(
    replace(metric, name=f"{metric.name}, CUPED", covariate=column)
    for metric, column in ((_ROI, "revenue_before"), (_REVENUE, "revenue_before"), (_PLAIN[2], "activity_before"))
)
_RELATIVE = frozenset({"ROI", "revenue"})


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often an interval held the truth.

    Attributes:
        metric: its name. method: of the interval. relative: it is that of the relative difference.
        truth: what is planted. held: intervals that hold it, of `replications`.
        low, high: exact interval of the share that holds it [Clopper & Pearson 1934]; the intervals of all rows hold
            together with 95 % (Bonferroni), for of eight rows at 95 % each one misses in every third table.
        bias: mean error of the estimate, and its standard error.
    """

    metric: str
    method: str
    relative: bool
    truth: float
    replications: int
    held: int
    low: float
    high: float
    bias: tuple[float, float]

    @property
    def share(self) -> float:
        """Part of the intervals that hold the truth."""
        return self.held / self.replications


def coverage(
    replications: int = 1000,
    learners: int = 4000,
    seed: int = 1,
    planted: Planted = PLANTED,
) -> tuple[Coverage, ...]:
    """Run simulated experiments through the estimators of `canary experiment`; return a row a metric.

    Args:
        learners: in each experiment, about half of them with the treatment.
    """
    metrics = (*_PLAIN, *_ADJUSTED)
    at_once = max(1, _AT_ONCE // learners)
    parts: dict[str, list[Effect]] = {metric.name: [] for metric in metrics}
    for number, first in enumerate(range(0, replications, at_once)):
        count = min(at_once, replications - first)
        table = make_experiment(count * learners, seed * 1_000_003 + number, planted)
        found = aggregate(_observations(table, count, learners), metrics, by=("replication",))
        cells = list(found.of("replication"))
        control, treatment = found.arms.index(CONTROL), found.arms.index(TREATMENT)
        for metric in metrics:
            arms = found.metrics[metric.name]
            parts[metric.name].append(metric.effect(arms[cells, control], arms[cells, treatment], 1 - LEVEL))
    level = 1 - (1 - LEVEL) / len(metrics)
    return tuple(_row(metric, parts[metric.name], planted, level) for metric in metrics)


def _observations(table: pa.Table, count: int, learners: int) -> Observations:
    arm = table["variant"].combine_chunks()
    numbers = np.stack([table[name].to_numpy().astype(np.float64) for name in _NUMBERS])
    replication = Labels(np.repeat(np.arange(count, dtype=np.int32), learners), tuple(map(str, range(count))))
    variant = Labels(arm.indices.to_numpy().astype(np.int32), tuple(arm.dictionary.to_pylist()))
    return Observations(variant, _NUMBERS, numbers, {"replication": replication})


def _row(metric: Metric, effects: list[Effect], planted: Planted, level: float) -> Coverage:
    name = metric.name.removesuffix(", CUPED")
    relative, truth = name in _RELATIVE, planted.effects[name]
    ends = ("relative", "relative_low", "relative_high") if relative else ("difference", "low", "high")
    value, low, high = (np.concatenate([getattr(effect, end) for effect in effects]) for end in ends)
    held = int(np.sum((low <= truth) & (truth <= high)))
    errors = value - truth
    bias = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(value.size))
    return Coverage(
        metric.name,
        effects[0].method,
        relative,
        truth,
        value.size,
        held,
        *exact_interval(held, value.size, level),
        bias,
    )

"""Is the instrument good enough to measure with? Both arms get the same, and whatever it finds is its own error.

Four questions: does it find something where there is nothing, and no more often than it says; does it lean to one side
in some segment; would it see an effect that is there; and, where learners were really split, did it find anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from scipy import special

from core.experiments.aggregates import Aggregates, Floats
from core.experiments.analysis import DesignError, Findings
from core.experiments.estimates import POWER, Effect, ratio_of_totals
from core.experiments.instrument.resplit import Resplit, resplit
from core.experiments.metrics import ROWS, Metric, settled
from core.experiments.multiplicity import holm
from core.experiments.observations import Observations

SPLITS = 1000
DRIFT = 0.001
"""Largest drift of a segment, as a share of its mean."""
TARGET = 0.02
"""The effect that has to be seen, as a share of the mean."""
LEVEL = 0.95
"""Of tests that p-values are spread evenly and that arms don't differ."""
SURE = 0.99
"""Of the intervals of false positives and power: a sound instrument is to be called unfit hardly ever."""
_AT_ONCE = 2_000_000  # figures: levels of segments x splits, some 0.5 KB each
_TOO_FEW = 50  # units of a cell in either arm: of fewer, nothing is said about drift


class State(StrEnum):
    """What came of a question."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "not enough data"


@dataclass(frozen=True, slots=True)
class Drift:
    """The mean difference between the arms over all splits, in one cell, as a share of the cell's mean.

    Attributes:
        units: learners there. mean: of the difference. error: its standard error.
        state: PASS where two one-sided tests at 5 % say that it lies within the limit [Schuirmann 1987]; FAIL where its
            interval, simultaneous over all cells, lies beyond it.
    """

    metric: str
    dimension: str
    level: str
    units: int
    mean: float
    error: float
    state: State


@dataclass(frozen=True, slots=True, eq=False)
class MetricCheck:
    """What re-splits say of one metric.

    Attributes:
        units: learners, or clusters. value: the metric over all of them. method: of the test.
        p_values: one a split, shape (splits,).
        false_positives: splits with p < alpha; rate: their share; low, high: its exact interval, which holds for all
            metrics together with `SURE`.
        calibrated: whether that interval holds alpha.
        uniform_p: of Kolmogorov and Smirnov's test that p is spread evenly, as it must be where nothing differs;
            adjusted (Holm) over the metrics. uniform: p > 0.05.
        smallest: the smallest relative effect seen with a power of 80 %, from how much the splits scatter; NaN where
            the metric is not above zero. stated: the same as the test itself states it, median over the splits.
        power: share of the splits in which a planted `TARGET` is found; power_low, power_high: its exact interval.
        sees: PASS where the whole interval of `power` is at least 80 %, FAIL where none of it is.
    """

    metric: Metric
    units: int
    value: float
    method: str
    p_values: Floats
    false_positives: int
    rate: float
    low: float
    high: float
    calibrated: State
    uniform_p: float
    uniform: State
    smallest: float
    stated: float
    power: float
    power_low: float
    power_high: float
    sees: State


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """What an A/A check says.

    Attributes:
        splits, alpha, target, limit: what was asked: re-splits, level of the tests, effect to be seen, largest drift.
        units: learners, or clusters. checks: a metric each. drifts: of every metric in every cell, the overall first.
        notes: what is to be known of the data.
        observed: of arms that learners were really split into, both with the same version; None without.
    """

    splits: int
    alpha: float
    target: float
    limit: float
    units: int
    checks: tuple[MetricCheck, ...]
    drifts: tuple[Drift, ...]
    notes: tuple[str, ...] = field(default=())
    observed: Findings | None = None

    @property
    def drift(self) -> State:
        """Whether any segment drifts: FAIL where one does, OPEN where one can't be told."""
        return worst(drift.state for drift in self.drifts)

    @property
    def found(self) -> State | None:
        """Whether the arms of a real split differ (FAIL): in size or, after Holm, in a metric; None without any."""
        if self.observed is None:
            return None
        if self.observed.withheld or not self.observed.split.ok:
            return State.FAIL
        return State.FAIL if any(c.p_adjusted <= 1 - LEVEL for c in self.observed.comparisons) else State.PASS

    @property
    def state(self) -> State:
        """Whether the instrument is fit for use."""
        states = [state for check in self.checks for state in (check.calibrated, check.uniform, check.sees)]
        return worst([*states, self.drift, *([] if self.found is None else [self.found])])


def worst(states: Iterable[State]) -> State:
    """Return FAIL where there is one, else OPEN where there is one, else PASS."""
    found = set(states)
    return next((state for state in (State.FAIL, State.OPEN) if state in found), State.PASS)


def check_instrument(
    observations: Observations,
    metrics: Sequence[Metric],
    *,
    splits: int = SPLITS,
    segments: Sequence[str] = (),
    unit: str | None = None,
    cluster: str | None = None,
    alpha: float = 0.05,
    target: float = TARGET,
    limit: float = DRIFT,
    seed: int = 0,
) -> Instrument:
    """Split learners at random many times, and see what the estimators make of nothing.

    Args:
        metrics: as declared. segments: labels by which to look for drift.
        unit: the label of what is assigned, such as a learner's id; default: rows.
        cluster: the label of what is assigned as a whole and is the estimators' unit.
        target: relative effect that has to be seen. limit: largest relative drift.

    Raises:
        DesignError: the segments have so many levels that the splits don't fit into memory.
    """
    levels = {name: len(observations.labels[name].names) for name in segments}
    if (1 + sum(levels.values())) * splits > _AT_ONCE:
        most = max(levels, key=levels.__getitem__, default="")
        raise DesignError(
            f"{sum(levels.values()):,} levels of segments times {splits:,} splits are too many at once (at most "
            f"{_AT_ONCE:,}); {most!r} has {levels.get(most, 0):,} levels: leave it out, or take fewer splits"
        )
    metrics = settled(metrics, observations)
    if cluster is not None:
        metrics = tuple(metric.in_clusters() for metric in metrics)
    found = resplit(observations, metrics, splits=splits, by=segments, unit=unit, cluster=cluster, seed=seed)
    level = 1 - (1 - SURE) / len(metrics)
    checks = [_check(metric, found, alpha, target, level) for metric in metrics]
    adjusted = holm([check.uniform_p for check in checks])
    checks = [_adjusted(check, float(p)) for check, p in zip(checks, adjusted, strict=True)]
    notes = _notes(observations, metrics, unit, cluster)
    return Instrument(
        splits, alpha, target, limit, int(found.units[0]), tuple(checks), _drifts(metrics, found, limit), notes
    )


def as_used(observations: Observations, learner: str | None, cluster: str | None) -> tuple[str | None, str]:
    """Return by which label `answer` would count units, if any, and a note where that is learners with several rows."""
    if cluster is not None or learner is None:
        return cluster, ""
    rows, learners = len(observations), len(np.unique(observations.labels[learner].codes))
    if rows == learners:
        return None, ""
    return learner, f"{rows:,} rows are of {learners:,} learners: the rows of one count together"


def _check(metric: Metric, found: Resplit, alpha: float, target: float, level: float) -> MetricCheck:
    first, second = (arm[0] for arm in found.arms[metric.name])
    effect = metric.effect(first, second, alpha)
    p = np.asarray(effect.p_value)
    tested = p[~np.isnan(p)]
    positives = int((tested < alpha).sum())
    low, high = exact_interval(positives, tested.size, level)
    value = _value(metric, first, second, alpha)
    planted = np.asarray(metric.effect(first, _raised(second, metric.numerator, 1 + target), alpha).p_value)
    seen = int((planted < alpha).sum())
    power_low, power_high = exact_interval(seen, tested.size, level)
    reach = (special.ndtri(1 - alpha / 2) + special.ndtri(POWER)) / abs(value) if value else np.nan
    tellable = tested.size > 0
    return MetricCheck(
        metric=metric,
        units=int((first.n + second.n)[0]),
        value=value,
        method=effect.method,
        p_values=tested,
        false_positives=positives,
        rate=positives / tested.size if tellable else np.nan,
        low=low,
        high=high,
        calibrated=State.OPEN if not tellable else State.PASS if low <= alpha <= high else State.FAIL,
        uniform_p=uniformity(tested) if tellable else 1.0,
        uniform=State.OPEN,
        smallest=float(np.std(effect.difference, ddof=1) * reach) if tellable else np.nan,
        stated=float(np.median(effect.mde) / abs(value)) if tellable and value else np.nan,
        power=seen / tested.size if tellable else np.nan,
        power_low=power_low,
        power_high=power_high,
        sees=_sees(power_low, power_high) if tellable and value else State.OPEN,
    )


def _sees(low: float, high: float) -> State:
    if low >= POWER:
        return State.PASS
    return State.FAIL if high < POWER else State.OPEN


def _adjusted(check: MetricCheck, p: float) -> MetricCheck:
    state = State.OPEN if not check.p_values.size else State.PASS if p > 1 - LEVEL else State.FAIL
    return replace(check, uniform_p=p, uniform=state)


def _value(metric: Metric, first: Aggregates, second: Aggregates, alpha: float) -> float:
    """Return the metric over all learners, who are the two arms of any split."""
    both = first[0] + second[0]
    effect: Effect = metric.effect(both, both, alpha)
    return float(effect.control)


def _raised(arm: Aggregates, column: str, factor: float) -> Aggregates:
    """Return an arm all of whose values of a column are multiplied."""
    at = arm.columns.index(column)
    by = np.ones(len(arm.columns))
    by[at] = factor
    return Aggregates(arm.columns, arm.n, arm.mean * by, arm.product * np.outer(by, by))


def _drifts(metrics: Sequence[Metric], found: Resplit, limit: float) -> tuple[Drift, ...]:
    rows = []
    for metric in metrics:
        first, second = found.arms[metric.name]
        for cell, (dimension, level) in enumerate(found.cells):
            arms = first[cell], second[cell]
            units = int((arms[0].n + arms[1].n)[0])
            value = _value(metric, *arms, 1 - LEVEL) if units else np.nan
            difference = _difference(metric, *arms) / abs(value) if value else np.full(found.splits, np.nan)
            told = difference[np.isfinite(difference)]
            few = units < 2 * _TOO_FEW or told.size < 2
            mean = np.nan if few else float(told.mean())
            error = np.nan if few else float(told.std(ddof=1) / np.sqrt(told.size))
            rows.append((metric.name, dimension, level, units, mean, error))
    z = float(special.ndtri(1 - (1 - LEVEL) / 2 / max(1, len(rows))))
    return tuple(Drift(*row, _drift_state(row[4], row[5], limit, z)) for row in rows)


def _difference(metric: Metric, first: Aggregates, second: Aggregates) -> Floats:
    """Return treatment - control of each split, without the intervals, which take longer."""
    covariate = (metric.covariate, ROWS if metric.clustered else None) if metric.covariate else None
    one, other = ratio_of_totals(metric.numerator, metric.denominator, covariate, (first, second))
    return np.asarray(other.value - one.value)


def _drift_state(mean: float, error: float, limit: float, z: float) -> State:
    if np.isnan(mean):
        return State.OPEN
    if abs(mean) + special.ndtri(LEVEL) * error <= limit:
        return State.PASS
    return State.FAIL if abs(mean) - z * error > limit else State.OPEN


def _notes(
    observations: Observations, metrics: Sequence[Metric], unit: str | None, cluster: str | None
) -> tuple[str, ...]:
    told = []
    if unit is not None and cluster is None:
        learners = len(np.unique(observations.labels[unit].codes))
        if learners < len(observations):
            told.append(
                f"{len(observations):,} rows are of {learners:,} learners, and the estimators take each row for one: "
                f"without --cluster {unit}, effects look surer than they are"
            )
    for metric in metrics:
        missing = int(np.isnan(metric.values(observations)).any(axis=1).sum())
        if missing:
            told.append(f"{metric.name}: {missing:,} of {len(observations):,} rows miss a value, and are left out")
    return tuple(told)


def exact_interval(count: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a share [Clopper & Pearson, Biometrika 26, 1934]."""
    if of == 0:
        return np.nan, np.nan
    tail = (1 - level) / 2
    low = float(special.betaincinv(count, of - count + 1, tail)) if count > 0 else 0.0
    high = float(special.betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def uniformity(p_values: Floats) -> float:
    """Return the p-value of Kolmogorov and Smirnov's test that values are spread evenly over 0 to 1.

    By the asymptotic law with Stephens' correction for their number [Stephens, JRSS B 32, 1970], good to two digits
    from five values up.
    """
    ordered = np.sort(p_values)
    n = ordered.size
    steps = np.arange(1, n + 1)
    distance = float(np.max(np.maximum(steps / n - ordered, ordered - (steps - 1) / n)))
    return float(special.kolmogorov(distance * (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n))))

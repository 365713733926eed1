"""One experiment, analysed: the split, each metric in each pair of arms, segments, days, and what makes it doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.experiments import checks
from core.experiments.aggregates import Floats
from core.experiments.cells import day_number
from core.experiments.estimates import Effect
from core.experiments.grouping import Table
from core.experiments.heterogeneity import SPREAD, Heterogeneity, SpreadState, heterogeneity, spread_state
from core.experiments.intervals import fieller
from core.experiments.margins import MarginResult, check_margin
from core.experiments.metrics import Metric
from core.experiments.multiplicity import benjamini_hochberg, holm
from core.experiments.novelty import Trend, trend
from core.experiments.sequential import critical
from core.experiments.split import Split, check_split
from core.experiments.words import probability


@dataclass(frozen=True, slots=True)
class Design:
    """What was declared before the data were looked at.

    Attributes:
        control: the old version. metrics: in order of importance.
        segments: labels by which effects are shown. day: the label of days; None without.
        cluster: the label whose levels were randomised as a whole; None: learners were.
        shares: planned for each arm; equal by default.
        alpha: of all intervals and tests. fewest: units in each arm below which a segment is not shown.
        despite_split: show effects though the split isn't what was planned.
        randomised: False where learners were not given their version by chance: then no split is planned, and a
            difference is no effect.
    """

    control: str
    metrics: tuple[Metric, ...]
    segments: tuple[str, ...] = ()
    day: str | None = None
    cluster: str | None = None
    shares: Mapping[str, float] | None = None
    alpha: float = 0.05
    fewest: int = checks.TINY
    spread: float = SPREAD
    despite_split: bool = False
    randomised: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """By which to aggregate."""
        return (*self.segments, *((self.day,) if self.day else ()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in one treatment against the control.

    Attributes:
        effect: its numbers, of one cell.
        p_adjusted: Holm's, over all metrics and pairs. p_fdr: Benjamini and Hochberg's.
        margin: None without a declared one. trend: by day; None without days.
    """

    metric: Metric
    treatment: str
    effect: Effect
    p_adjusted: float
    p_fdr: float
    margin: MarginResult | None = None
    trend: Trend | None = None

    @property
    def better(self) -> bool | None:
        """Whether the treatment is better (True), worse (False), or neither is shown (None), after Holm."""
        if not self.p_adjusted < self.effect.alpha:
            return None
        return bool((self.effect.difference > 0) != self.metric.lower_is_better)


@dataclass(frozen=True, slots=True)
class Segment:
    """One metric in one level of a segment.

    Attributes:
        n_control, n_treatment: units there.
        effect: None where there are too few to show.
        p_adjusted, p_fdr: over all metrics, pairs and levels shown.
        shrunken, shrunken_low, shrunken_high: the difference drawn towards the other levels' as far as noise asks.
        deviation, low, high: from the overall effect, as a share of the baseline's mean, simultaneous intervals.
    """

    metric: Metric
    treatment: str
    dimension: str
    level: str
    n_control: int
    n_treatment: int
    effect: Effect | None = None
    p_adjusted: float = np.nan
    p_fdr: float = np.nan
    shrunken: float = np.nan
    shrunken_low: float = np.nan
    shrunken_high: float = np.nan
    deviation: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True)
class Spread:
    """Whether a metric's effect is the same in all levels of a segment.

    Attributes:
        levels: that were compared. found: None where fewer than two were.
        p_adjusted: of the interaction, Holm's over metrics, pairs and dimensions. relative_p_adjusted: in per cent.
    """

    metric: Metric
    treatment: str
    dimension: str
    levels: int
    found: Heterogeneity | None
    p_adjusted: float
    relative_p_adjusted: float
    state: SpreadState


@dataclass(frozen=True, slots=True)
class Findings:
    """What an experiment says.

    Attributes:
        table: the aggregates all of it was computed from.
        withheld: the split isn't what was planned: no effect is given.
        warnings: sentences.
    """

    design: Design
    table: Table
    split: Split
    withheld: bool
    comparisons: tuple[Comparison, ...] = ()
    segments: tuple[Segment, ...] = ()
    spreads: tuple[Spread, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def treatments(self) -> tuple[str, ...]:
        """All arms but the control."""
        return tuple(arm for arm in self.table.arms if arm != self.design.control)

    def comparison(self, metric: str, treatment: str) -> Comparison:
        """Return one comparison; raises KeyError if there is none."""
        for found in self.comparisons:
            if (found.metric.name, found.treatment) == (metric, treatment):
                return found
        raise KeyError(f"{metric} of {treatment}")


class DesignError(ValueError):
    """A design that doesn't fit the data; the text says what was expected."""


def analyse(table: Table, design: Design) -> Findings:
    """Say what aggregates mean under a design.

    Raises:
        DesignError: the control isn't one of the arms, it is the only one, or shares are not of these arms.
    """
    arms = table.arms
    if design.control not in arms:
        raise DesignError(f"no learner has the version {design.control!r}; the versions are {', '.join(arms)}")
    if len(arms) < 2:
        raise DesignError(f"all learners have the version {design.control!r}; expected two versions or more")
    try:
        split = check_split(arms, table.units[0].tolist(), design.shares)
    except ValueError as error:
        raise DesignError(str(error)) from None
    withheld = design.randomised and not split.ok and not design.despite_split
    told = _of_split(split, design)
    if withheld:
        return Findings(design, table, split, True, warnings=tuple(told))
    effects = _effects(table, design)
    comparisons = _comparisons(table, design, effects)
    segments, spreads = _segments(table, design, effects)
    at = arms.index(design.control)
    for found in comparisons:
        own = checks.warnings(table, found.metric, at, arms.index(found.treatment), found.effect)
        told += [text if len(arms) == 2 else f"{found.treatment}: {text}" for text in own]
    return Findings(design, table, split, False, comparisons, segments, spreads, tuple(dict.fromkeys(told)))


Pair = tuple[str, str]


def _effects(table: Table, design: Design) -> dict[Pair, Effect]:
    """Return the effects by metric and treatment, of shape (cells,): all at once, which is quicker than one by one."""
    at = table.arms.index(design.control)
    return {
        (metric.name, arm): metric.effect(
            table.metrics[metric.name][:, at], table.metrics[metric.name][:, i], design.alpha
        )
        for i, arm in enumerate(table.arms)
        if i != at
        for metric in design.metrics
    }


def _comparisons(table: Table, design: Design, effects: Mapping[Pair, Effect]) -> tuple[Comparison, ...]:
    p_values = [float(effect.p_value[0]) for effect in effects.values()]
    metrics = {metric.name: metric for metric in design.metrics}
    out = []
    for (pair, effect), p, q in zip(effects.items(), holm(p_values), benjamini_hochberg(p_values), strict=True):
        metric, own = metrics[pair[0]], effect[0]
        margin = check_margin(own, metric.margin) if metric.margin is not None else None
        by_day = None
        if design.day is not None:
            cells = [i for i in table.of(design.day) if _is_shown(effect, i, design.fewest)]
            by_day = trend(effect[cells], np.array([day_number(table.cells[i][1]) for i in cells]))
        out.append(Comparison(metric, pair[1], own, float(p), float(q), margin, by_day))
    return tuple(out)


def _is_shown(effect: Effect, cell: int, fewest: int) -> bool:
    return bool(min(effect.n_control[cell], effect.n_treatment[cell]) >= fewest)


def _segments(
    table: Table, design: Design, effects: Mapping[Pair, Effect]
) -> tuple[tuple[Segment, ...], tuple[Spread, ...]]:
    metrics = {metric.name: metric for metric in design.metrics}
    rows: list[Segment] = []
    spreads: list[tuple[Pair, str, int, Heterogeneity | None]] = []
    for pair, effect in effects.items():
        for dimension in design.segments:
            cells = table.of(dimension)
            shown = [i for i in cells if _is_shown(effect, i, design.fewest)]
            found = heterogeneity(effect[shown], design.spread)
            spreads.append((pair, dimension, len(shown), found))
            for i in cells:
                n = (int(effect.n_control[i]), int(effect.n_treatment[i]))
                base = (metrics[pair[0]], pair[1], dimension, table.cells[i][1], *n)
                if i not in shown:
                    rows.append(Segment(*base))
                elif found is None:
                    rows.append(Segment(*base, effect=effect[i]))
                else:
                    k = shown.index(i)
                    drawn = [float(v[k]) for v in (found.shrunken, found.shrunken_low, found.shrunken_high)]
                    away = [float(v[k]) for v in (found.deviation, found.low, found.high)]
                    rows.append(Segment(*base, effect[i], np.nan, np.nan, *drawn, *away))
    return _adjusted(rows), _spreads(spreads, metrics, design.alpha)


def _adjusted(rows: Sequence[Segment]) -> tuple[Segment, ...]:
    p_values = [float(row.effect.p_value) if row.effect is not None else np.nan for row in rows]
    return tuple(
        replace(row, p_adjusted=float(p), p_fdr=float(q))
        for row, p, q in zip(rows, holm(p_values), benjamini_hochberg(p_values), strict=True)
    )


def _spreads(
    found: Sequence[tuple[Pair, str, int, Heterogeneity | None]], metrics: Mapping[str, Metric], alpha: float
) -> tuple[Spread, ...]:
    p_values: Floats = holm([h.p_value if h is not None else np.nan for *_, h in found])
    relative = holm([h.relative_p_value if h is not None else np.nan for *_, h in found])
    return tuple(
        Spread(
            metrics[pair[0]],
            pair[1],
            dimension,
            levels,
            h,
            float(p),
            float(r),
            spread_state(h, float(p), alpha) if h is not None else SpreadState.UNKNOWN,
        )
        for (pair, dimension, levels, h), p, r in zip(found, p_values, relative, strict=True)
    )


def _of_split(split: Split, design: Design) -> list[str]:
    told = []
    unit = "clusters" if design.cluster else "learners"
    if not design.randomised:
        told.append(
            "not randomised: learners of the versions may differ otherwise, so differences are no effects of it"
        )
    elif not split.ok:
        counts = ", ".join(f"{arm} {n:,} (planned {split.expected[arm]:,.0f})" for arm, n in split.observed.items())
        why = "Effects are shown because that was asked for; don't decide by them"
        if not design.despite_split:
            why = "Its cause would be taken for an effect, so none is shown: look in assignment, logging, or filters"
        told.append(f"the traffic was not split as planned: {counts}; {probability(split.p_value)}. {why}")
    for arm, n in split.observed.items():
        if n < checks.TINY:
            told.append(f"{arm} has {n:,} {unit} only; below {checks.TINY} of them its figures say little")
    return told


@dataclass(frozen=True, slots=True, eq=False)
class Daily:
    """The effect over all learners who came in up to each day.

    Attributes:
        days: names, in order. effect: shape (days,).
        low, high: the difference's confidence sequence, which holds at all days together. relative_low,
            relative_high: the same of the relative effect.
    """

    days: tuple[str, ...]
    effect: Effect
    low: Floats
    high: Floats
    relative_low: Floats
    relative_high: Floats


def daily(table: Table, design: Design, metric: Metric, treatment: str, planned: float | None = None) -> Daily:
    """Return the effect day by day.

    Args:
        planned: learners that the experiment was planned for, where the sequence is tightest; default: those there are.

    Raises:
        DesignError: the design has no days.
    """
    if design.day is None:
        raise DesignError("there is no column of days")
    at = [table.arms.index(arm) for arm in (design.control, treatment)]
    cells = [i for i in table.of(design.day) if np.isfinite(day_number(table.cells[i][1]))]
    cells.sort(key=lambda i: day_number(table.cells[i][1]))
    days = tuple(table.cells[i][1] for i in cells)
    found = table.metrics[metric.name][cells].cumulative()
    effect = metric.effect(found[:, at[0]], found[:, at[1]], design.alpha)
    n = effect.n_control + effect.n_treatment
    wide = critical(np.maximum(n, 1) / (planned or max(float(n[-1]), 1.0)), design.alpha, sides=2)
    half = wide * np.sqrt(effect.variance)
    arms = (effect.treatment, effect.treatment_variance, effect.control, effect.control_variance)
    ratio = fieller(*arms, wide)
    return Daily(days, effect, effect.difference - half, effect.difference + half, ratio[0] - 1, ratio[1] - 1)

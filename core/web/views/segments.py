"""Findings by segment -> what the Segments page says and draws. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.experiments import (
    Effect,
    Findings,
    Segment,
    Spread,
    SpreadState,
    in_per_cent,
    number,
    percent,
    probability,
    relative_words,
)
from core.web.views.experiment import BETTER, NONE, OPEN, WORSE
from core.web.views.marks import Mark, Tone

FEW = Mark(Tone.CALM, "visibility_off", "too few to show")
_SPREADS = {
    SpreadState.WITHIN: Mark(Tone.GOOD, "check_circle", "within"),
    SpreadState.HETEROGENEOUS: Mark(Tone.BAD, "call_split", "heterogeneous"),
    SpreadState.UNKNOWN: Mark(Tone.WATCH, "help", "not enough data"),
}


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a segment in the forest plot; numbers in per cent of the control, or in the metric's unit.

    Attributes:
        value: NaN where there are too few learners to show it. shrunken: drawn towards the other levels.
    """

    dimension: str
    level: str
    mark: Mark
    learners: int
    value: float
    low: float
    high: float
    shrunken: float


@dataclass(frozen=True, slots=True)
class Forest:
    """The effects on one metric by level, beside the overall one. `relative`: in per cent of the control."""

    metric: str
    overall: Level
    levels: tuple[Level, ...]
    relative: bool


@dataclass(frozen=True, slots=True)
class Heat:
    """Relative effects, levels x metrics, in per cent; None where there is nothing to show.

    Attributes:
        toward: the same with the sign that makes better positive.
    """

    levels: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    value: tuple[tuple[float | None, ...], ...]
    toward: tuple[tuple[float | None, ...], ...]
    said: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SpreadCard:
    """Whether the effect is the same in all levels of a segment, in words."""

    mark: Mark
    dimension: str
    said: str
    detail: str


def of_metric(findings: Findings, metric: str, treatment: str) -> list[Segment]:
    """Return one metric's segments in one treatment."""
    return [s for s in findings.segments if (s.metric.name, s.treatment) == (metric, treatment)]


def mark_of(found: Segment, alpha: float) -> Mark:
    """Return how a level looks: after Holm."""
    if found.effect is None:
        return FEW
    if math.isnan(found.p_adjusted):
        return NONE
    if not found.p_adjusted < alpha:
        return OPEN
    return BETTER if (found.effect.difference > 0) != found.metric.lower_is_better else WORSE


def forest(findings: Findings, metric: str, treatment: str) -> Forest:
    """Return the effects by level."""
    overall = findings.comparison(metric, treatment)
    own = of_metric(findings, metric, treatment)
    relative = math.isfinite(float(overall.effect.relative_low))

    def level(found: Segment) -> Level:
        mark, n = mark_of(found, findings.design.alpha), found.n_control + found.n_treatment
        effect = found.effect
        if effect is None:
            return Level(found.dimension, found.level, mark, n, math.nan, math.nan, math.nan, math.nan)
        if not relative:
            return Level(found.dimension, found.level, mark, n, *_numbers(effect, relative), found.shrunken)
        own = 100 * found.shrunken / float(effect.control) if effect.control > 0 else math.nan
        return Level(found.dimension, found.level, mark, n, *_numbers(effect, relative), own)

    effect = overall.effect
    better = {True: BETTER, False: WORSE, None: OPEN}[overall.better]
    n = int(effect.n_control + effect.n_treatment)
    whole = Level("", "all learners", better, n, *_numbers(effect, relative), math.nan)
    return Forest(metric, whole, tuple(map(level, own)), relative)


HEAT_NOTE = (
    "Effect relative to the old version; green is better, red is worse, whichever way the metric counts. Cells are not "
    "tests: the plot above says which differ from nothing, after Holm. Click one to see its learners alone."
)


def forest_note(findings: Findings, metric: str, treatment: str) -> str:
    """Say how to read the forest plot, and what isn't in it."""
    few = sum(s.effect is None for s in of_metric(findings, metric, treatment))
    said = "Dashed: over all learners. Triangles differ from no effect after Holm over everything shown here. "
    said += "Click a point to see its learners alone."
    if few:
        levels, are = ("level has", "is") if few == 1 else ("levels have", "are")
        said += f" {few} {levels} fewer than {findings.design.fewest:,} learners in a version and {are} not shown."
    return said


def _numbers(effect: Effect, relative: bool) -> tuple[float, float, float]:
    if relative:
        return 100 * float(effect.relative), 100 * float(effect.relative_low), 100 * float(effect.relative_high)
    return float(effect.difference), float(effect.low), float(effect.high)


def heat(findings: Findings, treatment: str) -> Heat:
    """Return relative effects of all metrics by level."""
    metrics = [metric.name for metric in findings.design.metrics]
    own = {(s.dimension, s.level, s.metric.name): s for s in findings.segments if s.treatment == treatment}
    levels = tuple(dict.fromkeys((dimension, level) for dimension, level, _ in own))
    value, toward, said = [], [], []
    for dimension, level in levels:
        cells = [own[dimension, level, metric] for metric in metrics]
        numbers = [
            None if s.effect is None or not math.isfinite(s.effect.relative) else 100 * float(s.effect.relative)
            for s in cells
        ]
        value.append(tuple(numbers))
        toward.append(
            tuple(
                None if v is None else (-v if s.metric.lower_is_better else v)
                for v, s in zip(numbers, cells, strict=True)
            )
        )
        said.append(tuple(_said(s, findings.design.alpha) for s in cells))
    return Heat(levels, tuple(metrics), tuple(value), tuple(toward), tuple(said))


def _said(found: Segment, alpha: float) -> str:
    n = f"{found.n_control + found.n_treatment:,} learners"
    if found.effect is None:
        return f"{n}: too few to show"
    return f"{relative_words(found.effect)}, {n}, {mark_of(found, alpha).word}"


def spreads(findings: Findings, metric: str, treatment: str) -> list[SpreadCard]:
    """Return a card a segment: within the spread, heterogeneous, or not enough data."""
    own = [s for s in findings.spreads if (s.metric.name, s.treatment) == (metric, treatment)]
    return [_card(spread, findings) for spread in own]


def _card(spread: Spread, findings: Findings) -> SpreadCard:
    mark, found = _SPREADS[spread.state], spread.found
    if found is None:
        return SpreadCard(mark, spread.dimension, "Fewer than two levels have enough learners to be compared.", "")
    size = percent(found.spread)
    said = {
        SpreadState.WITHIN: f"Every level's effect lies within {size} of the baseline from the overall one.",
        SpreadState.HETEROGENEOUS: f"Levels differ in their effect: {probability(spread.p_adjusted)} after Holm"
        f"{in_per_cent(spread)}.",
        SpreadState.UNKNOWN: f"Neither shown to be within {size}, nor shown to differ "
        f"({probability(spread.p_adjusted)} after Holm).",
    }[spread.state]
    base = float(findings.comparison(spread.metric.name, spread.treatment).effect.control)
    tau = f"{percent(found.tau / base)} of the baseline" if base > 0 else number(found.tau)
    detail = f"{spread.levels} levels · Q {found.q:.1f} on {found.df} · I² {percent(found.i_squared)} · τ {tau}"
    return SpreadCard(mark, spread.dimension, said, detail)


TABLE = (
    "segment", "level", "metric", "version", "learners_control", "learners_treatment", "control", "treatment",
    "difference", "difference_low", "difference_high", "relative", "relative_low", "relative_high", "p_value",
    "p_holm", "p_bh", "shrunken", "deviation", "deviation_low", "deviation_high",
)  # fmt: skip
"""Columns of the download."""


def table(found: Sequence[Segment]) -> list[tuple[object, ...]]:
    """Return segments as rows of `TABLE`; None where there are too few learners to show a figure."""
    out: list[tuple[object, ...]] = []
    for s in found:
        head = (s.dimension, s.level, s.metric.name, s.treatment, s.n_control, s.n_treatment)
        if s.effect is None:
            out.append((*head, *([None] * (len(TABLE) - len(head)))))
            continue
        e = s.effect
        numbers = (
            e.control, e.treatment, e.difference, e.low, e.high, e.relative, e.relative_low, e.relative_high, e.p_value,
            s.p_adjusted, s.p_fdr, s.shrunken, s.deviation, s.low, s.high,
        )  # fmt: skip
        out.append((*head, *(float(v) if math.isfinite(v) else None for v in numbers)))
    return out

"""An instrument check -> what its page says and draws. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.delivery.words import percent, probability
from core.experiments.instrument import LEVEL, Instrument, MetricCheck, State, verdict
from core.web.views.marks import Headline, Mark, Tone

MARKS = {
    State.PASS: Mark(Tone.GOOD, "check_circle", "pass"),
    State.FAIL: Mark(Tone.BAD, "cancel", "fail"),
    State.OPEN: Mark(Tone.WATCH, "help", "not enough data"),
}
BINS = 20
SPLITS = (200, 1000, 5000, 20_000)
EFFECTS = (0.005, 0.01, 0.02, 0.05)
SHOWN = 24
"""Cells drawn in the chart of drifts, those that drift most."""
_Z = float(special.ndtri(LEVEL))


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric's line: each answer with its state and its numbers."""

    name: str
    method: str
    positives: tuple[Mark, str, str]
    uniform: tuple[Mark, str, str]
    sees: tuple[Mark, str, str]


@dataclass(frozen=True, slots=True)
class Drifts:
    """Drifts to draw, the largest first, as shares: the mean and its 90 % interval, which decides.

    Attributes:
        left_out: how many smaller ones aren't drawn.
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    mean: tuple[float, ...]
    half: tuple[float, ...]
    left_out: int


def headline(found: Instrument) -> Headline:
    """Say whether the instrument is fit for use, or why not."""
    said = verdict(found)
    title, _, reason = said.partition(": ")
    mark = Mark(MARKS[found.state].tone, MARKS[found.state].icon, "A/A check")
    how = f"{found.units:,} learners, split into random halves {found.splits:,} times."
    return Headline(mark, title, f"{reason[:1].upper()}{reason[1:]} {how}")


def rows(found: Instrument) -> tuple[MetricRow, ...]:
    """Return a line a metric."""
    return tuple(_row(check, found) for check in found.checks)


def _row(check: MetricCheck, found: Instrument) -> MetricRow:
    if not check.p_values.size:
        nothing = (MARKS[State.OPEN], "–", "nothing varies in it")
        return MetricRow(check.metric.name, check.method, nothing, nothing, nothing)
    return MetricRow(
        check.metric.name,
        check.method,
        (
            MARKS[check.calibrated],
            percent(check.rate),
            f"{percent(check.low)} to {percent(check.high)}; should be {percent(found.alpha)}",
        ),
        (MARKS[check.uniform], probability(check.uniform_p), "that p is spread evenly, after Holm"),
        (
            MARKS[check.sees],
            "–" if math.isnan(check.smallest) else percent(check.smallest),
            f"a planted {percent(found.target)} is found in {percent(check.power)} of the splits",
        ),
    )


def spread(check: MetricCheck) -> NDArray[np.float64]:
    """Return the share of the splits whose p lies in each of `BINS` bins."""
    counts, _ = np.histogram(check.p_values, bins=BINS, range=(0.0, 1.0))
    return np.asarray(counts / max(1, check.p_values.size))


def band(check: MetricCheck) -> tuple[float, float]:
    """Return between which shares a bin lies 95 times in 100 where p is spread evenly."""
    n = max(1, check.p_values.size)
    reach = float(special.ndtri(0.975)) * math.sqrt((1 / BINS) * (1 - 1 / BINS) / n)
    return max(0.0, 1 / BINS - reach), 1 / BINS + reach


def drifts(found: Instrument, metric: str) -> Drifts:
    """Return a metric's drifts."""
    own = [drift for drift in found.drifts if drift.metric == metric and not math.isnan(drift.mean)]
    own.sort(key=lambda drift: -abs(drift.mean))
    drawn = own[:SHOWN]
    return Drifts(
        tuple(f"{d.dimension}: {d.level}" if d.dimension else "all learners" for d in drawn),
        tuple(MARKS[d.state] for d in drawn),
        tuple(d.mean for d in drawn),
        tuple(_Z * d.error for d in drawn),
        len(own) - len(drawn),
    )


def observed(found: Instrument) -> tuple[tuple[Mark, str, str], ...]:
    """Return what was found between arms that had the same: state, metric, numbers."""
    if found.observed is None:
        return ()
    split = found.observed.split
    told = [(MARKS[State.PASS if split.ok else State.FAIL], "Sizes of the arms", probability(split.p_value))]
    for one in found.observed.comparisons:
        effect = one.effect
        differs = one.p_adjusted <= 1 - LEVEL
        sizes = [percent(float(v), signed=True) for v in (effect.relative, effect.relative_low, effect.relative_high)]
        said = f"{sizes[0]} ({sizes[1]} to {sizes[2]}), {probability(one.p_adjusted)} after Holm"
        told.append((MARKS[State.FAIL if differs else State.PASS], one.metric.name, said))
    return tuple(told)


def smallest(found: Instrument) -> Sequence[tuple[str, float]]:
    """Return each metric's smallest effect seen, the smallest first."""
    known = [(check.metric.name, check.smallest) for check in found.checks if not math.isnan(check.smallest)]
    return sorted(known, key=lambda pair: pair[1])

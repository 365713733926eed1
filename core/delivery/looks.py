"""Two versions' samples -> looks: stretches of time of which both versions' samples are whole. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.delivery.series import TOLERANCE_S, Floats, Ints, Series

Counter = Callable[[Series], tuple[Ints, Ints] | None]
"""Gives bad events and trials of a series, span by span; None where they aren't told."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Counts of both versions, look by look; every array has shape (looks,).

    Attributes:
        until: plan time at which each look ends.
        bad, trials: of the candidate. base_bad, base_trials: of the baseline.
    """

    until: Floats
    bad: Ints
    trials: Ints
    base_bad: Ints
    base_trials: Ints

    def __len__(self) -> int:
        return self.until.size

    @property
    def counts(self) -> tuple[Ints, Ints, Ints, Ints]:
        """What the sequential tests take."""
        return self.bad, self.trials, self.base_bad, self.base_trials

    def after(self, moment: float) -> Looks:
        """Return the looks that end after a moment."""
        kept = self.until > moment + TOLERANCE_S
        return Looks(self.until[kept], *(column[kept] for column in self.counts))


def edges(candidate: Series, baseline: Series) -> Floats:
    """Return the plan times, ascending, at which a span of either version ends and none of the other's is open.

    Where both send spans of the same length these are all their ends; where one sends longer ones, or old samples were
    compacted, those of the longer spans.
    """
    start = np.sort(np.concatenate([candidate.start, baseline.start]))
    end = np.sort(np.concatenate([candidate.end, baseline.end]))
    if not end.size:
        return end
    at = end[np.append(np.diff(end) > TOLERANCE_S, True)]
    begun = np.searchsorted(start, at - TOLERANCE_S)
    over = np.searchsorted(end, at + TOLERANCE_S)
    return np.asarray(at[begun == over], dtype=np.float64)


def looks_of(candidate: Series, baseline: Series, count: Counter) -> Looks | None:
    """Sum both versions' counts by look; None where one of them doesn't tell any."""
    mine, theirs = count(candidate), count(baseline)
    if mine is None or theirs is None:
        return None
    until = edges(candidate, baseline)

    def summed(series: Series, values: Ints) -> Ints:
        look = np.searchsorted(until, series.end - TOLERANCE_S)
        return np.bincount(look, values, until.size)[: until.size].astype(np.int64)

    return Looks(
        until,
        *(summed(candidate, values) for values in mine),
        *(summed(baseline, values) for values in theirs),
    )


def gauges_of(candidate: Series, baseline: Series, name: str) -> tuple[Floats, Floats] | None:
    """Return both versions' values of a gauge, span by span, NaN where not told; None where one never tells it."""
    if name not in candidate.gauges or name not in baseline.gauges:
        return None
    until = np.unique(np.round(np.concatenate([candidate.end, baseline.end]), 2))

    def laid(series: Series) -> Floats:
        values = np.full(until.size, np.nan)
        values[np.searchsorted(until, np.round(series.end, 2))] = series.gauges[name]
        return values

    return laid(candidate), laid(baseline)

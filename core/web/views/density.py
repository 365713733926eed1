"""All learners in a plane of two traits: counts in cells, where each cohort lies, who is in a box. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.web.views.traits import Column, Trait

CELLS = (240, 160)
"""Cells across and up."""
OUTLINE_CELLS = (72, 48)
_MARGIN = 6  # cells of room round an outline's grid, so that its lines close
_SMOOTH = 1.3  # cells
HELD = 0.8
"""Part of a cohort that its outline holds."""
SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Span:
    """A scale's ends, as places on it."""

    low: float
    high: float

    @property
    def size(self) -> float:
        """How long it is."""
        return self.high - self.low

    def cells(self, places: Column, number: int) -> NDArray[np.int64]:
        """Return which of `number` equal cells each place is in; the last one holds its upper end."""
        cell = ((places - self.low) * (number / self.size)).astype(np.int64)
        return np.clip(cell, 0, number - 1)

    def middles(self, number: int) -> NDArray[np.float64]:
        """Return the middles of `number` equal cells."""
        return np.linspace(self.low, self.high, 2 * number + 1, dtype=np.float64)[1::2]


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a cohort is thickest: the level of `density` (shape (up, across)) above which `HELD` of it lies."""

    number: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    density: NDArray[np.float32]
    level: float


@dataclass(frozen=True, slots=True)
class Density:
    """A plane with everybody in it.

    Attributes:
        counts: learners by cell, shape (up, across). drawn: how many have both traits.
        centres: mean place (x, y) of each cohort; NaN of an empty one.
    """

    x: Trait
    y: Trait
    x_span: Span
    y_span: Span
    counts: NDArray[np.int64]
    drawn: int
    centres: NDArray[np.float64]
    outlines: tuple[Outline, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A box in a plane, in places on both scales; its edges belong to it."""

    x0: float
    x1: float
    y0: float
    y1: float

    def holds(self, x: Column, y: Column) -> NDArray[np.bool_]:
        """Say who is in it; nobody whose place isn't known."""
        inside: NDArray[np.bool_] = (x >= self.x0) & (x <= self.x1) & (y >= self.y0) & (y <= self.y1)
        return inside


def span_of(trait: Trait, places: Column) -> Span:
    """Return the scale that shows every known place, and all of a fixed one."""
    known = places[np.isfinite(places)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if trait.ends is not None:
        low, high = min(low, trait.ends[0]), max(high, trait.ends[1])
    elif not trait.log:
        low = min(low, 0.0)
    return Span(low, high) if high > low else Span(low - 0.5, high + 0.5)


def density(x: Trait, y: Trait, x_values: Column, y_values: Column, cohort: NDArray[np.integer], k: int) -> Density:
    """Count every learner who has both traits in a grid, and find where each of k cohorts lies.

    Args:
        x_values, y_values: NaN where not known, shape (L,), like `cohort`, which is negative for none.
    """
    px, py = x.place(x_values), y.place(y_values)
    x_span, y_span = span_of(x, px), span_of(y, py)
    known = np.isfinite(px) & np.isfinite(py)
    if not known.all():
        px, py, cohort = px[known], py[known], cohort[known]
    across, up = CELLS
    cell = y_span.cells(py, up) * across + x_span.cells(px, across)
    counts = np.bincount(cell, minlength=across * up).reshape(up, across)
    member = cohort >= 0
    if not member.all():
        px, py, cohort = px[member], py[member], cohort[member]
    sizes = np.maximum(np.bincount(cohort, minlength=k), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centres = np.column_stack([np.bincount(cohort, weights=place, minlength=k) / sizes for place in (px, py)])
    return Density(
        x, y, x_span, y_span, counts, int(known.sum()), centres, _outlines(px, py, x_span, y_span, cohort, k)
    )


def _outlines(
    px: Column, py: Column, x_span: Span, y_span: Span, cohort: NDArray[np.integer], k: int
) -> tuple[Outline, ...]:
    across, up = OUTLINE_CELLS
    cell = (cohort.astype(np.int64) * up + y_span.cells(py, up)) * across + x_span.cells(px, across)
    counts = np.bincount(cell, minlength=k * up * across).reshape(k, up, across)
    x, y = _widened(x_span, across), _widened(y_span, up)
    found = []
    for number in range(k):
        if not counts[number].any():
            continue
        smooth = gaussian_filter(np.pad(counts[number].astype(np.float32), _MARGIN), _SMOOTH, mode="constant")
        falling = np.sort(smooth.ravel())[::-1]
        held = np.searchsorted(np.cumsum(falling), HELD * falling.sum())
        level = float(falling[min(int(held), falling.size - 1)])
        found.append(Outline(number, x, y, smooth, level))
    return tuple(found)


def _widened(span: Span, number: int) -> NDArray[np.float64]:
    step = span.size / number
    return Span(span.low - _MARGIN * step, span.high + _MARGIN * step).middles(number + 2 * _MARGIN)


def sample_of(inside: NDArray[np.bool_], limit: int = SAMPLE, seed: int = 0) -> NDArray[np.int64]:
    """Return rows, in order, of a random sample without replacement of those inside; all where there are so few."""
    rows = np.flatnonzero(inside)
    if rows.size <= limit:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))


def by_cohort(
    trait: Trait, values: Column, cohort: NDArray[np.integer], k: int, bins: int = 72
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of bins over a trait's scale and, of each of k cohorts, its part in each, shape (k, bins)."""
    places = trait.place(values)
    span = span_of(trait, places)
    known = np.isfinite(places) & (cohort >= 0)
    cell = cohort[known].astype(np.int64) * bins + span.cells(places[known], bins)
    counts = np.bincount(cell, minlength=k * bins).reshape(k, bins).astype(np.float64)
    return span.middles(bins), counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)

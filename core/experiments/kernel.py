"""The pass over the rows, compiled: each learner is added to every cell that it is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.experiments.aggregates import Floats

_BLOCK = 128
"""Rows whose features are computed at a time: few enough that they stay in the nearest cache."""

_Codes = NDArray[np.int64]


@compiled
def mean(values: Floats) -> float:
    """Return the mean of what isn't missing, zero of nothing."""
    total, n = 0.0, 0
    for value in values:
        if value == value:
            total += value
            n += 1
    return total / n if n else 0.0


@compiled
def add(
    numbers: Floats,
    picks: _Codes,
    caps: Floats,
    shifts: Floats,
    starts: _Codes,
    codes: NDArray[np.int32],
    arms: NDArray[np.int32],
    firsts: _Codes,
    first: int,
    last: int,
    sums: Floats,
    extremes: Floats,
) -> None:
    """Add rows [first, last) to each cell that they are in: 1, then for each metric 1, its columns, their products.

    Args:
        numbers: shape (columns, rows).
        picks, caps, shifts: for all metrics' columns, one metric after another: which of `numbers`, and what it is cut
            off at and less by. starts: where each metric's begin there, and the end.
        codes: levels, shape (dimensions, rows). arms: of each row. firsts: each dimension's first cell.
        sums: shape (cells x arms, features). extremes: shape (arms, metrics, kept), NaN where there is none yet.
    """
    width, arm_count = sums.shape[1], extremes.shape[0]
    rows = np.zeros((_BLOCK, width))
    values = np.zeros((picks.size, _BLOCK))
    whole = np.zeros(_BLOCK)
    rows[:, 0] = 1.0
    for begin in range(first, last, _BLOCK):
        size = min(_BLOCK, last - begin)
        at = 1
        for m in range(starts.size - 1):
            one, end = starts[m], starts[m + 1]
            whole[:] = 1.0
            for j in range(one, end):
                column, cap, shift = picks[j], caps[j], shifts[j]
                for r in range(size):
                    value = min(numbers[column, begin + r], cap) - shift
                    # Only a missing value is not itself.
                    whole[r] = whole[r] if value == value else 0.0
                    values[j, r] = value
            for j in range(one, end):
                for r in range(size):
                    values[j, r] = values[j, r] if whole[r] == 1.0 else 0.0
            for r in range(size):
                rows[r, at] = whole[r]
            at += 1
            for j in range(one, end):
                for r in range(size):
                    rows[r, at] = values[j, r]
                at += 1
            for j in range(one, end):
                for other in range(j, end):
                    for r in range(size):
                        rows[r, at] = values[j, r] * values[other, r]
                    at += 1
            for r in range(size):
                top = extremes[arms[begin + r], m]
                lowest = top[-1]
                if whole[r] == 1.0 and not abs(values[one, r]) <= abs(lowest - shifts[one]):
                    _keep(top, values[one, r], shifts[one])
        for g in range(codes.shape[0]):
            cell = firsts[g]
            for r in range(size):
                place = (cell + codes[g, begin + r]) * arm_count + arms[begin + r]
                for f in range(width):
                    sums[place, f] += rows[r, f]


@compiled
def _keep(top: Floats, value: float, shift: float) -> None:
    """Put a value among the farthest ones, which are sorted, farthest first."""
    slot = top.size - 1
    while slot > 0 and not abs(value) <= abs(top[slot - 1] - shift):
        top[slot] = top[slot - 1]
        slot -= 1
    top[slot] = value + shift

"""The pass over the rows, compiled: each learner is added to every cell that it is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.experiments.aggregates import Floats

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
    places: _Codes,
    arms: int,
    first: int,
    last: int,
    sums: Floats,
    extremes: Floats,
) -> None:
    """Add rows [first, last) to each cell that they are in: for each metric 1, the columns, and their products."""
    metrics = starts.size - 1
    width = sums.shape[1]
    row = np.zeros(width)
    values = np.zeros(picks.size)
    keep = extremes.shape[2]
    for i in range(first, last):
        at = 0
        for m in range(metrics):
            k = starts[m + 1] - starts[m]
            whole = True
            for j in range(starts[m], starts[m + 1]):
                value = numbers[picks[j], i]
                if value != value:
                    whole = False
                values[j] = min(value, caps[j]) - shifts[j]
            end = at + 1 + k + k * (k + 1) // 2
            if not whole:
                row[at:end] = 0.0
                at = end
                continue
            row[at] = 1.0
            at += 1
            for j in range(starts[m], starts[m + 1]):
                row[at] = values[j]
                at += 1
            for j in range(starts[m], starts[m + 1]):
                for other in range(j, starts[m + 1]):
                    row[at] = values[j] * values[other]
                    at += 1
            # The farthest values, sorted, farthest first; most rows are compared with the last and left.
            arm = places[0, i] % arms
            far = abs(values[starts[m]])
            shift = shifts[starts[m]]
            top = extremes[arm, m]
            lowest = top[keep - 1]
            if lowest != lowest or far > abs(lowest - shift):
                slot = keep - 1
                while slot > 0 and (top[slot - 1] != top[slot - 1] or far > abs(top[slot - 1] - shift)):
                    top[slot] = top[slot - 1]
                    slot -= 1
                top[slot] = values[starts[m]] + shift
        for g in range(places.shape[0]):
            cell = sums[places[g, i]]
            for f in range(width):
                cell[f] += row[f]

"""Events brought into the order of learner, then time: partitioned by learner, then sorted within each one's few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled

Offsets = NDArray[np.int64]


def order_of(who: NDArray[np.int32], ts: NDArray[np.int64], learners: int) -> tuple[NDArray[np.int64] | None, Offsets]:
    """Return the rows in the order of learner, then time, ties as they stood; and where each learner's begin.

    Args:
        who: learner of each row, 0 to `learners` - 1, shape (N,). ts: shape (N,).

    Returns:
        order: shape (N,), None where the rows are in order already. offsets: shape (learners + 1,).
    """
    offsets = np.concatenate(([0], np.cumsum(np.bincount(who, minlength=learners)))).astype(np.int64)
    if _in_order(who, ts):
        return None, offsets
    order = np.empty(who.size, dtype=np.int64)
    _partition(who, offsets[:-1].copy(), order)
    _sort_each(ts, offsets, order)
    return order, offsets


@compiled
def _in_order(who: NDArray[np.int32], ts: NDArray[np.int64]) -> bool:
    for row in range(1, who.size):
        if who[row] < who[row - 1] or (who[row] == who[row - 1] and ts[row] < ts[row - 1]):
            return False
    return True


@compiled
def _partition(who: NDArray[np.int32], place: Offsets, order: NDArray[np.int64]) -> None:
    for row in range(who.size):
        order[place[who[row]]] = row
        place[who[row]] += 1


@compiled
def _sort_each(ts: NDArray[np.int64], offsets: Offsets, order: NDArray[np.int64]) -> None:
    for learner in range(offsets.size - 1):
        first, end = offsets[learner], offsets[learner + 1]
        rows = order[first:end]
        times = ts[rows]
        if end - first > 64:
            sorted_ = True
            for i in range(1, times.size):
                if times[i] < times[i - 1]:
                    sorted_ = False
                    break
            if not sorted_:
                order[first:end] = rows[np.argsort(times, kind="mergesort")]
            continue
        for i in range(1, times.size):  # insertion: stable, and quick where most are in order
            time, row, j = times[i], rows[i], i
            while j > 0 and times[j - 1] > time:
                times[j], rows[j] = times[j - 1], rows[j - 1]
                j -= 1
            times[j], rows[j] = time, row

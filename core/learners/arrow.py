"""Arrow's columns as compiled code takes them, with the bits that say which values are there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.rows import Ids, Numbers, Offsets, Rows, put_row

Bits = NDArray[np.uint8]


class Nullable(NamedTuple):
    """A column that has nulls.

    Attributes:
        values: numbers, or a bit each. valid: a bit each, 0 for null; shape (0,): there are no nulls.
        first: place of the first value among both.
    """

    values: NDArray[Any]
    valid: Bits
    first: int


class Unordered(NamedTuple):
    """Events in any order, as columns of one shape; `ids` may have the shape (0,) instead: the source has none."""

    who: Numbers
    ts: NDArray[np.int64]
    domain: Numbers
    skill: Numbers
    type: Numbers
    score: Nullable
    acted: Nullable
    ids: Ids


def nullable(column: pa.Array) -> Nullable:
    """Return a column of float64 or bool; nothing is copied."""
    valid, values = column.buffers()
    return Nullable(
        np.frombuffer(values, np.uint8 if pa.types.is_boolean(column.type) else np.float64),
        np.frombuffer(valid, np.uint8) if column.null_count else np.empty(0, np.uint8),
        column.offset,
    )


@compiled
def deal(events: Unordered, mask: int, places: Offsets, rows: Rows, ids: Ids) -> None:
    """Write each event to the next place of its part: the bits `mask` of `who`; `places`, shape (parts,), move on."""
    score, acted = events.score, events.acted
    for i in range(events.who.size):
        part = events.who[i] & mask
        at = places[part]
        places[part] = at + 1
        # Read and counted whether it is there or not: nothing to guess wrong about for the processor.
        value = score.values[score.first + i]
        value = value if _bit(score.valid, score.first + i) else np.nan
        flag = _bit(acted.valid, acted.first + i) * (_bit(acted.values, acted.first + i) + 1) - 1
        put_row(rows[at], events.who[i], events.ts[i], events.domain[i], events.skill[i], events.type[i], value, flag)
        if ids.size:
            ids[at] = events.ids[i]


@compiled
def _bit(bits: Bits, at: int) -> int:
    """Return one of some bits; 1 where there are none at all."""
    if not bits.size:
        return 1
    return int(bits[at >> 3] >> (at & 7)) & 1

"""Arrow's columns as compiled code takes them, with the bits that say which values are there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.compiled import compiled

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


def nullable(column: pa.Array) -> Nullable:
    """Return a column of float64 or bool; nothing is copied."""
    valid, values = column.buffers()
    return Nullable(
        np.frombuffer(values, np.uint8 if pa.types.is_boolean(column.type) else np.float64),
        np.frombuffer(valid, np.uint8) if column.null_count else np.empty(0, np.uint8),
        column.offset,
    )


def text_of(words: pa.Array) -> tuple[Bits, NDArray[Any]]:
    """Return the bytes under a column of string or large_string, and where each word begins and the last ends."""
    dtype = np.int64 if pa.types.is_large_string(words.type) else np.int32
    _, offsets, data = words.buffers()
    if not len(words):
        return np.empty(0, np.uint8), np.zeros(1, dtype)
    ends = np.frombuffer(offsets, dtype)[words.offset : words.offset + len(words) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), ends


@compiled
def bit(bits: Bits, at: int) -> int:
    """Return one of some bits; 1 where there are none at all."""
    if not bits.size:
        return 1
    return int(bits[at >> 3] >> (at & 7)) & 1


@compiled
def all_within(column: Nullable, size: int, low: float, high: float) -> bool:
    """Say whether all values that are there, of the first `size`, lie between two; NaN does not."""
    outside = 0
    for i in range(size):
        value = column.values[column.first + i]
        outside += bit(column.valid, column.first + i) & (1 - ((value >= low) & (value <= high)))
    return outside == 0

"""64-bit fingerprints of texts (FNV-1a), by which repeated events of one learner at one time are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.importing.canonical import texts

Ids = NDArray[np.uint64]

_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)


@compiled
def _fnv(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Ids:
    out = np.empty(starts.size, np.uint64)
    for row in range(starts.size):
        mixed = _BASIS
        for at in range(starts[row], ends[row]):
            mixed = (mixed ^ np.uint64(data[at])) * _PRIME
        out[row] = mixed
    return out


def of_spans(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Ids:
    """Return fingerprints of parts of a text: bytes starts[i] up to ends[i]."""
    return _fnv(np.frombuffer(data, np.uint8), starts, ends)


def of_column(column: pa.Array) -> Ids:
    """Return fingerprints of a column's values as text; a missing value's is the empty text's."""
    encoded = texts(column)
    words = pa.concat_arrays([encoded.dictionary.cast(pa.large_string()), pa.array([""], pa.large_string())])
    _, offsets, data = words.buffers()
    ends = np.frombuffer(offsets, np.int64)[: len(words) + 1]
    prints = of_spans(b"" if data is None else data, ends[:-1].copy(), ends[1:].copy())
    return np.asarray(prints[pc.fill_null(encoded.indices, len(words) - 1).to_numpy()])


def of_rows(columns: Sequence[pa.Array]) -> Ids:
    """Return fingerprints of whole rows, from at least one column."""
    mixed = np.full(len(columns[0]), _BASIS)
    for column in columns:
        mixed = (mixed ^ of_column(column)) * _PRIME
    return mixed

"""Learners -> sums of one arm, for many random splits in one pass over the data, compiled.

Learners are taken eight at a time. Of each column the sums of all 256 subsets of the eight are made once, so that a
split costs one look-up for eight learners [the method of four Russians: Arlazarov, Dinic, Kronrod & Faradžev 1970]; and
64 splits come out of one hash of a learner. The table and the sums of a stretch of learners stay in the cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.experiments.aggregates import Floats

AT_ONCE = 8
"""Learners whose subsets are tabulated."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S7, _S14, _S27, _S28, _S30, _S31 = (np.uint64(s) for s in (7, 14, 27, 28, 30, 31))
_M7, _M14, _M28 = np.uint64(0x00AA00AA00AA00AA), np.uint64(0x0000CCCC0000CCCC), np.uint64(0x00000000F0F0F0F0)
_BYTE, _EIGHT = np.uint64(255), np.uint64(8)


@compiled
def mix(key: np.uint64) -> np.uint64:
    """Return 64 bits that look random [the finisher of splitmix64: Steele, Lea & Flood 2014]."""
    key = (key ^ (key >> _S30)) * _FIRST
    key = (key ^ (key >> _S27)) * _SECOND
    return key ^ (key >> _S31)


@compiled
def accumulate(
    columns: Floats,
    keys: NDArray[np.uint64],
    starts: NDArray[np.int64],
    cells: NDArray[np.int64],
    first: int,
    last: int,
    sums: Floats,
) -> None:
    """Add the learners of groups [first, last) to the sums of the splits that put them into the second arm.

    Args:
        columns: shape (learners, width). keys: a hash of each learner.
        starts: of each group, and the end; at most `AT_ONCE` learners a group. cells: of each group.
        sums: shape (cells, splits, width), splits a multiple of 64; added to.
    """
    width = columns.shape[1]
    words = sums.shape[1] // 64
    table = np.zeros((256, width))
    bits = np.zeros(AT_ONCE, dtype=np.uint64)
    for group in range(first, last):
        begin = starts[group]
        size = starts[group + 1] - begin
        cell = sums[cells[group]]
        for k in range(AT_ONCE):
            half = 1 << k
            if k < size:
                row = columns[begin + k]
                for i in range(half):
                    for f in range(width):
                        table[half + i, f] = table[i, f] + row[f]
            else:
                for i in range(half):
                    for f in range(width):
                        table[half + i, f] = table[i, f]
        for word in range(words):
            step = np.uint64(word + 1) * _GOLDEN
            for k in range(size):
                bits[k] = mix(keys[begin + k] + step)
            for k in range(size, AT_ONCE):
                bits[k] = np.uint64(0)
            for byte in range(8):
                shift = np.uint64(8 * byte)
                block = np.uint64(0)
                for k in range(AT_ONCE):
                    block |= ((bits[k] >> shift) & _BYTE) << np.uint64(8 * k)
                # Eight learners' bits of eight splits -> eight splits' bytes of eight learners [Warren, Hacker's
                # Delight, 7-3].
                t = (block ^ (block >> _S7)) & _M7
                block = block ^ t ^ (t << _S7)
                t = (block ^ (block >> _S14)) & _M14
                block = block ^ t ^ (t << _S14)
                t = (block ^ (block >> _S28)) & _M28
                block = block ^ t ^ (t << _S28)
                split = 64 * word + 8 * byte
                for i in range(8):
                    subset = table[np.int64(block & _BYTE)]
                    block = block >> _EIGHT
                    target = cell[split + i]
                    for f in range(width):
                        target[f] += subset[f]

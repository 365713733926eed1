"""Columns of text whose words are many: encoded, and looked through, in one compiled pass over their bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.compiled import compiled
from core.learners.names import Bytes, Numbers, Prints, fingerprint

_BLOCK = 256
"""Rows that are looked up side by side, so that they don't wait for memory one after the other."""


def encode(column: pa.StringArray) -> pa.DictionaryArray:
    """Return text as codes of its different words, in order of appearance."""
    if column.null_count:
        return pc.dictionary_encode(column)
    data, ends = _bytes_of(column)
    slots = 1 << max(4, (2 * len(column) - 1).bit_length())
    codes, firsts = np.empty(len(column), dtype=np.int32), np.empty(len(column), dtype=np.int32)
    words = _encode(data, ends, np.full(slots, -1, dtype=np.int32), np.empty(len(column), np.uint64), firsts, codes)
    return pa.DictionaryArray.from_arrays(pa.array(codes), column.take(pa.array(firsts[:words])))


def trimmed(words: pa.StringArray) -> bool:
    """Say whether it is plain that all words begin and end with something to see; not so of what is not ASCII there."""
    return not words.null_count and _trimmed(*_bytes_of(words))


def within(words: pa.StringArray, longest: int) -> bool:
    """Say whether it is plain that no word is longer than so many characters, or has a NUL."""
    return not words.null_count and _within(*_bytes_of(words), longest)


def _bytes_of(words: pa.StringArray) -> tuple[Bytes, Numbers]:
    """Return all text, and where each word begins and the last ends."""
    _, offsets, data = words.buffers()
    if not len(words):
        return np.empty(0, np.uint8), np.zeros(1, np.int32)
    ends = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), ends


@compiled
def _encode(data: Bytes, ends: Numbers, slots: Numbers, prints: Prints, firsts: Numbers, codes: Numbers) -> int:
    """Write each word's code, and of each code the first word; return how many codes there are."""
    mask = np.uint64(slots.size - 1)
    found = np.empty(_BLOCK, dtype=np.int32)
    marks = np.empty(_BLOCK, dtype=np.uint64)
    words = 0
    for first in range(0, codes.size, _BLOCK):
        size = min(_BLOCK, codes.size - first)
        for i in range(size):
            marks[i] = fingerprint(data, ends[first + i], ends[first + i + 1])
        for i in range(size):
            found[i] = slots[marks[i] & mask]
        for i in range(size):
            row = first + i
            slot, code = marks[i] & mask, found[i]
            if code < 0:  # it may have come since
                code = slots[slot]
            while code >= 0 and not (prints[code] == marks[i] and _same(data, ends, row, firsts[code])):
                slot = (slot + np.uint64(1)) & mask
                code = slots[slot]
            if code < 0:
                code = words
                slots[slot], prints[code], firsts[code] = code, marks[i], row
                words += 1
            codes[row] = code
    return words


@compiled
def _same(data: Bytes, ends: Numbers, one: int, other: int) -> bool:
    start, begin = ends[one], ends[other]
    if ends[one + 1] - start != ends[other + 1] - begin:
        return False
    for i in range(ends[one + 1] - start):  # noqa: SIM110
        if data[start + i] != data[begin + i]:
            return False
    return True


@compiled
def _trimmed(data: Bytes, ends: Numbers) -> bool:
    seen = True
    for word in range(ends.size - 1):
        begin, end = ends[word], ends[word + 1]
        if begin == end:
            return False
        head, tail = data[begin], data[end - 1]
        seen &= (head > 32) & (head < 127) & (tail > 32) & (tail < 127)
    return bool(seen)


@compiled
def _within(data: Bytes, ends: Numbers, longest: int) -> bool:
    most, least = np.int64(0), np.uint8(255)
    for word in range(ends.size - 1):
        most = max(most, np.int64(ends[word + 1] - ends[word]))
    for at in range(ends[0], ends[-1]):
        least = min(least, data[at])
    return bool(most <= longest and (least > 0))

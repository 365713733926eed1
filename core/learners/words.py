"""Columns of text whose words are many: encoded, and looked through, in one compiled pass over their bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.arrow import text_of
from core.learners.names import LOOKED_UP, Bytes, Numbers, Prints, fingerprint, same


def encode(column: pa.StringArray) -> pa.DictionaryArray:
    """Return text as codes of its different words, in order of appearance."""
    if column.null_count:
        return pc.dictionary_encode(column)
    data, ends = text_of(column)
    slots = 1 << max(4, (2 * len(column) - 1).bit_length())
    codes, firsts = np.empty(len(column), dtype=np.int32), np.empty(len(column), dtype=np.int32)
    words = _encode(data, ends, np.full(slots, -1, dtype=np.int32), np.empty(len(column), np.uint64), firsts, codes)
    return pa.DictionaryArray.from_arrays(pa.array(codes), column.take(pa.array(firsts[:words])))


def trimmed(words: pa.StringArray) -> bool:
    """Say whether it is plain that all words begin and end with something to see; not so of what is not ASCII there."""
    return not words.null_count and _trimmed(*text_of(words))


def within(words: pa.StringArray, longest: int) -> bool:
    """Say whether it is plain that no word is longer than so many characters, or has a NUL."""
    return not words.null_count and _within(*text_of(words), longest)


def unreadable(column: pa.Array) -> NDArray[np.bool_] | None:
    """Say which rows of a column have text that is not UTF-8; None where none has."""
    coded = pa.types.is_dictionary(column.type)
    words = column.dictionary if coded else column
    if not (pa.types.is_string(words.type) or pa.types.is_large_string(words.type)):
        return None
    data, ends = text_of(words)
    if data[ends[0] : ends[-1]].max(initial=0) < 128:
        return None
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        kind = pa.large_binary() if pa.types.is_large_string(words.type) else pa.binary()
        bad = np.array([not _is_utf8(word) for word in words.cast(kind).to_pylist()] + [False])  # the last is for nulls
        return bad[pc.fill_null(column.indices, len(words)).to_numpy()] if coded else bad[:-1]
    return None


def _is_utf8(word: bytes | None) -> bool:
    try:
        return word is None or word.decode() is not None
    except UnicodeDecodeError:
        return False


@compiled
def _encode(data: Bytes, ends: Numbers, slots: Numbers, prints: Prints, firsts: Numbers, codes: Numbers) -> int:
    """Write each word's code, and of each code the first word; return how many codes there are."""
    mask = np.uint64(slots.size - 1)
    found = np.empty(LOOKED_UP, dtype=np.int32)
    marks = np.empty(LOOKED_UP, dtype=np.uint64)
    words = 0
    for first in range(0, codes.size, LOOKED_UP):
        size = min(LOOKED_UP, codes.size - first)
        for i in range(size):
            marks[i] = fingerprint(data, ends[first + i], ends[first + i + 1])
        for i in range(size):
            found[i] = slots[marks[i] & mask]
        for i in range(size):
            row = first + i
            slot, code = marks[i] & mask, found[i]
            if code < 0:  # it may have come since
                code = slots[slot]
            while code >= 0 and not (prints[code] == marks[i] and _alike(data, ends, row, firsts[code])):
                slot = (slot + np.uint64(1)) & mask
                code = slots[slot]
            if code < 0:
                code = words
                slots[slot], prints[code], firsts[code] = code, marks[i], row
                words += 1
            codes[row] = code
    return words


@compiled
def _alike(data: Bytes, ends: Numbers, one: int, other: int) -> bool:
    return same(data, ends[one], ends[one + 1], data, ends[other], ends[other + 1])


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

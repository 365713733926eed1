"""Names to numbers, for columns of text with millions of different values: a hash table over one block of bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.compiled import compiled, in_blocks
from core.learners.arrow import text_of

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int32]
Long = NDArray[np.int64]
Prints = NDArray[np.uint64]
Slots = NDArray[np.void]

_SLOT = np.dtype([("print", np.uint64), ("name", np.int32), ("number", np.int32)])
"""A place of the hash table. `name`: in order of appearance; -1: the place is free."""

LOOKED_UP = 256
"""Words that are looked up side by side."""

_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)


class Names:
    """Numbers names as they come up. Equal bytes are equal names; a fingerprint only says where to look.

    A name's number is (its place among the names of its part) x parts + part. The part is the head of a 64-bit
    fingerprint of the name, so that it depends on the name alone, whatever else there is.

    Attributes:
        parts: a power of two.
        counts: int32, shape (parts,): names of each part so far.
    """

    def __init__(self, parts: int = 1) -> None:
        if not 1 <= parts <= 1 << 16 or parts & (parts - 1):
            raise ValueError(f"parts={parts}: expected a power of two, 65,536 at most")
        self.parts = parts
        self.counts = np.zeros(parts, dtype=np.int32)
        self._size = 0
        self._bytes = np.empty(1 << 12, dtype=np.uint8)
        self._ends = np.zeros(1 << 8, dtype=np.int64)  # the first is where the first name begins
        self._numbers = np.empty(1 << 8, dtype=np.int32)
        self._slots = _slots(1 << 9)

    def __len__(self) -> int:
        """Return the number of different names."""
        return self._size

    def add(self, words: pa.Array) -> Numbers:
        """Return the number of each of some words (no nulls), new ones numbered on."""
        words = words.cast(pa.large_string())
        if not len(words):
            return np.empty(0, dtype=np.int32)
        text, ends = text_of(words)
        self._make_room(len(words), int(ends[-1] - ends[0]))
        out = np.empty(len(words), dtype=np.int32)
        self._size = _number(
            text,
            ends,
            self._size,
            self._bytes,
            self._ends,
            self._numbers,
            self._slots,
            self.counts,
            out,
        )
        return out

    def _make_room(self, names: int, size: int) -> None:
        """Have room for so many new names of so many bytes together."""
        self._bytes = _grown(self._bytes, int(self._ends[self._size]) + size)
        self._ends = _grown(self._ends, self._size + names + 1)
        self._numbers = _grown(self._numbers, self._size + names)
        wanted = self._slots.size
        while wanted < 2 * (self._size + names):
            wanted *= 2
        if wanted > self._slots.size:
            fewer, self._slots = self._slots, _slots(wanted)
            _move(fewer, self._slots)

    def texts(self) -> pa.Array:
        """Return the names in the order of parts, and of numbers within each; shape (len(self),)."""
        whole = pa.LargeStringArray.from_buffers(
            self._size, pa.py_buffer(self._ends[: self._size + 1]), pa.py_buffer(self._bytes)
        )
        if self.parts == 1:
            return whole
        parts = self._numbers[: self._size] & (self.parts - 1)
        # Numbers of 16 bits are sorted by counting.
        return whole.take(pa.array(np.argsort(parts.astype(np.uint16), kind="stable")))


def sort_order(names: pa.Array) -> Long | None:
    """Return the order that sorts different names (large_string) by code points; None where they are in order."""
    if not len(names):
        return None
    text, ends = text_of(names)
    if _sorted(text, ends):
        return None
    # Most ids differ in the eight bytes after what all of them begin with, and numbers are sorted quickly.
    keys = _heads(text, ends)
    order = np.argsort(keys)
    if (np.diff(keys[order]) != 0).all():
        return order
    return np.asarray(pc.sort_indices(names).to_numpy(), dtype=np.int64)


def ranked(names: Names) -> tuple[Numbers, tuple[str, ...]]:
    """Return the rank of each name's number among the sorted names, and those. Of names in one part."""
    texts = names.texts()
    order = pc.sort_indices(texts).to_numpy()
    rank = np.empty(order.size, dtype=np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return rank, tuple(texts.take(pa.array(order)).to_pylist())


def _slots(size: int) -> Slots:
    slots = np.empty(size, dtype=_SLOT)
    slots["name"] = -1
    return slots


def _grown(array: NDArray[np.generic], needed: int) -> NDArray:  # type: ignore[type-arg]
    """Return an array at least `needed` long that begins like this one."""
    if array.size >= needed:
        return array
    longer = np.empty(max(needed, 2 * array.size), dtype=array.dtype)
    longer[: array.size] = array
    return longer


@compiled
def fingerprint(data: Bytes, begin: int, end: int) -> np.uint64:
    """Return FNV-1a of some bytes, mixed so that each bit depends on all (the end of splitmix64)."""
    mixed = _BASIS
    for at in range(begin, end):
        mixed = (mixed ^ np.uint64(data[at])) * _PRIME
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@compiled
def _number(
    data: Bytes,
    at: Long,
    size: int,
    known: Bytes,
    ends: Long,
    numbers: Numbers,
    slots: Slots,
    counts: Numbers,
    out: Numbers,
) -> int:
    """Number words, and keep new ones; return how many names there are now."""
    marks, places = np.empty(LOOKED_UP, dtype=np.uint64), np.empty(LOOKED_UP, dtype=np.uint64)
    for first in range(0, out.size, LOOKED_UP):
        words = min(LOOKED_UP, out.size - first)
        some = at[first : first + words + 1]
        for i in range(words):
            marks[i] = fingerprint(data, some[i], some[i + 1])
        _look(data, some, known, ends, slots, marks, places, out[first : first + words])
        for i in range(words):
            if out[first + i] >= 0:
                continue
            begin, end = some[i], some[i + 1]
            place = _find(data, begin, end, marks[i], known, ends, slots, places[i])
            if slots[place]["name"] < 0:
                _keep(data, begin, end, marks[i], size, known, ends, slots[place], counts)
                numbers[size] = slots[place]["number"]
                size += 1
            out[first + i] = slots[place]["number"]
    return size


@compiled
def _look(
    data: Bytes, at: Long, known: Bytes, ends: Long, slots: Slots, marks: Prints, places: Prints, out: Numbers
) -> None:
    """Write the number of each word that is the first with its fingerprint, -1 for others; and where that one stands.

    Waiting for memory is what takes time here. It gives many things at once to those who don't need one to ask for the
    next, hence a step for all words before the next step.
    """
    mask = np.uint64(slots.size - 1)
    heads, starts = np.empty(out.size, dtype=np.uint64), np.empty(out.size, dtype=np.int64)
    for i in range(out.size):
        heads[i] = slots[marks[i] & mask]["print"]
    for i in range(out.size):
        place = marks[i] & mask
        if heads[i] != marks[i] or slots[place]["name"] < 0:
            while slots[place]["name"] >= 0 and slots[place]["print"] != marks[i]:
                place = (place + np.uint64(1)) & mask
        places[i] = place
        starts[i] = ends[max(slots[place]["name"], 0)]
    for i in range(out.size):
        slot = slots[places[i]]
        name, begin, start = slot["name"], np.uint64(at[i]), np.uint64(starts[i])
        size = np.uint64(at[i + 1]) - begin
        alike = (name >= 0) & (np.uint64(ends[max(name, 0) + 1]) - start == size)
        if alike:  # as `same` says, written out: a call for each word takes twice as long
            for j in range(size):
                if known[start + j] != data[begin + j]:
                    alike = False
                    break
        out[i] = slot["number"] if alike else -1


@compiled
def _find(
    data: Bytes, begin: int, end: int, mark: np.uint64, known: Bytes, ends: Long, slots: Slots, place: np.uint64
) -> np.uint64:
    """Return the place of a word, or the free one for it, sought from some place on."""
    mask = np.uint64(slots.size - 1)
    while True:
        slot = slots[place]
        name = slot["name"]
        if name < 0 or (slot["print"] == mark and same(data, begin, end, known, ends[name], ends[name + 1])):
            return place
        place = (place + np.uint64(1)) & mask


@compiled
def same(data: Bytes, begin: int, end: int, known: Bytes, start: int, stop: int) -> bool:
    """Say whether bytes `begin` to `end` of one text are bytes `start` to `stop` of another."""
    if stop - start != end - begin:
        return False
    for i in range(end - begin):  # noqa: SIM110
        if known[start + i] != data[begin + i]:
            return False
    return True


@compiled
def _keep(
    data: Bytes,
    begin: int,
    end: int,
    mark: np.uint64,
    size: int,
    known: Bytes,
    ends: Long,
    slot: np.void,
    counts: Numbers,
) -> None:
    """Add a name to those known."""
    parts, bits = counts.size, 0
    while (1 << bits) < parts:
        bits += 1
    # The part is the top bits: the bottom ones choose the place.
    part = np.int64(mark >> np.uint64(64 - bits)) if bits else 0
    start = ends[size]
    for i in range(end - begin):
        known[start + i] = data[begin + i]
    ends[size + 1] = start + end - begin
    slot["print"], slot["name"], slot["number"] = mark, size, counts[part] * parts + part
    counts[part] += 1


@compiled
def _move(fewer: Slots, slots: Slots) -> None:
    mask = np.uint64(slots.size - 1)
    for i in range(fewer.size):
        if fewer[i]["name"] >= 0:
            place = fewer[i]["print"] & mask
            while slots[place]["name"] >= 0:
                place = (place + np.uint64(1)) & mask
            slots[place] = fewer[i]


@compiled
def _sorted(data: Bytes, ends: Long) -> bool:
    for name in range(1, ends.size - 1):
        first, second, stop = ends[name - 1], ends[name], ends[name + 1]
        shorter = min(second - first, stop - second)
        order = (second - first) - (stop - second)
        for i in range(shorter):
            if data[first + i] != data[second + i]:
                order = np.int64(data[first + i]) - np.int64(data[second + i])
                break
        if order > 0:
            return False
    return True


@compiled
def _heads(data: Bytes, ends: Long) -> Prints:
    """Return the eight bytes after the common beginning of names, as numbers: different ones have the names' order."""
    common = ends[1] - ends[0]
    for name in range(1, ends.size - 1):
        common = min(common, ends[name + 1] - ends[name])
        for i in range(common):
            if data[ends[name] + i] != data[ends[0] + i]:
                common = i
                break
    keys = np.zeros(ends.size - 1, dtype=np.uint64)
    for name in range(keys.size):
        key = np.uint64(0)
        begin, end = ends[name] + common, ends[name + 1]
        for i in range(8):
            # A name that ends comes first; where one of two goes on with a zero byte, their keys are equal.
            byte = np.uint64(data[begin + i]) if begin + i < end else np.uint64(0)
            key = key << np.uint64(8) | byte
        keys[name] = key
    return keys


def part_of(names: pa.Array | NDArray[np.str_], parts: int) -> Long:
    """Return the part of each name, 0 to `parts` - 1; the same as in a `Names` of so many parts."""
    out = np.zeros(len(names), dtype=np.int64)
    bits = parts.bit_length() - 1
    if not bits or not out.size:
        return out
    if isinstance(names, np.ndarray):
        points = np.ascontiguousarray(names).view(np.uint32).reshape(names.size, -1)
        in_blocks(lambda rows: _parts_of_points(points[rows], bits, out[rows]), out.size)
    else:
        text, ends = text_of(names.cast(pa.large_string()))
        in_blocks(lambda rows: _parts(text, ends[rows.start : rows.stop + 1], bits, out[rows]), out.size)
    return out


@compiled
def _parts(data: Bytes, ends: Long, bits: int, out: Long) -> None:
    for name in range(out.size):
        out[name] = fingerprint(data, ends[name], ends[name + 1]) >> np.uint64(64 - bits)


@compiled
def _parts_of_points(points: NDArray[np.uint32], bits: int, out: Long) -> None:
    """The same of names as code points, each filled up with zeros."""
    text = np.empty(4 * points.shape[1], dtype=np.uint8)
    for name in range(out.size):
        size = points.shape[1]
        while size and points[name, size - 1] == 0:
            size -= 1
        end = 0
        for i in range(size):
            end = _utf8(points[name, i], text, end)
        out[name] = fingerprint(text, 0, end) >> np.uint64(64 - bits)


@compiled
def _utf8(point: int, text: Bytes, end: int) -> int:
    """Append a code point; return the new end."""
    if point < 0x80:
        text[end] = point
        return end + 1
    if point < 0x800:
        text[end] = 0xC0 | point >> 6
    elif point < 0x10000:
        text[end] = 0xE0 | point >> 12
    else:
        text[end] = 0xF0 | point >> 18
        end += 1
        text[end] = 0x80 | (point >> 12 & 0x3F)
    if point >= 0x800:
        end += 1
        text[end] = 0x80 | (point >> 6 & 0x3F)
    text[end + 1] = 0x80 | (point & 0x3F)
    return end + 2

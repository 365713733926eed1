"""Rows at rest, in few bytes: written in blocks, each column as the distance from the least of its block.

A block's rows lie close together: of one part, and read at once. So 64 bits take an event of most logs (its learner,
time, domain, skill, type, and whether it was acted on), and 64 more the score of those that have one, where a row takes
256. That is frame-of-reference coding: Goldstein, Ramakrishnan, Shaft, "Compressing Relations and Indexes", ICDE 1998.
No value is rounded.

A block is a header of 64-bit words (how many rows; how many have a score; the least of each column; the bits of each),
the rows, a bit a row that says whether it has a score, and the scores. It can stand anywhere, in memory or in a file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.rows import Ids, Offsets, Rows

Words = NDArray[np.uint64]

_HEADER = 8
_ONE = np.uint64(1)
_WIDEST = 3
"""Words of a row at most: the time has one, and two of the other columns fit into another."""


class _Field(NamedTuple):
    """Where a column's values lie: in which word of a row, from which bit on, under which mask; and the least."""

    word: int
    shift: np.uint64
    mask: np.uint64
    least: np.uint64


class _Block(NamedTuple):
    """How a block is to be read. `width`: words of a row. Where its rows, its bits, and its scores begin."""

    rows: int
    width: int
    first: int
    valid: int
    scores: int
    end: int
    ts: _Field
    who: _Field
    domain: _Field
    skill: _Field
    kind: _Field


def most_words(rows: int, blocks: int) -> int:
    """Return how many words some rows take at most, in so many blocks."""
    return blocks * (_HEADER + 1) + rows * (_WIDEST + 1) + rows // 64


@compiled
def pack(rows: Rows, starts: Offsets, words: Words) -> Offsets:
    """Write rows starts[i] to starts[i + 1] as a block, for each i where there are any; return where each one begins.

    Args:
        starts: shape (B + 1,). words: room for them, see `most_words`.

    Returns: shape (B + 1,); the last is where all end.
    """
    places = np.zeros(starts.size, dtype=np.int64)
    for i in range(starts.size - 1):
        end = int(places[i])
        if starts[i] < starts[i + 1]:
            some = rows[starts[i] : starts[i + 1]]
            _write_header(some, words[end:])
            block = _block(words, end)
            _write_rows(some, words, block)
            _write_scores(some, words, block)
            end = block.end
        places[i + 1] = end
    return places


@compiled
def rows_in(words: Words) -> int:
    """Return how many rows all blocks have."""
    at = rows = 0
    while at < words.size:
        block = _block(words, at)
        rows += block.rows
        at = block.end
    return rows


@compiled
def count(words: Words, bits: int, starts: Offsets) -> None:
    """Add the rows of all blocks to starts[i + 1], for i the learner's number without its lowest bits."""
    at = 0
    while at < words.size:
        block = _block(words, at)
        for i in range(block.rows):
            starts[(_value(words, block.first + i * block.width, block.who) >> bits) + 1] += 1
        at = block.end


@compiled
def unpack(words: Words, ids: Ids, bits: int, places: Offsets, rows: Rows, dealt_ids: Ids) -> None:
    """Write the rows of all blocks, and their ids, each to the next place for its learner's number, see `count`.

    Args:
        ids: of all rows, shape (N,); shape (0,) where there are none. places: moves on.
    """
    at = number = 0
    floats = words.view(np.float64)
    while at < words.size:
        block = _block(words, at)
        score = block.scores
        for i in range(block.rows):
            start = block.first + i * block.width
            who = _value(words, start, block.who)
            place = places[who >> bits]
            places[who >> bits] = place + 1
            row = rows[place]
            row["ts"] = _value(words, start, block.ts)
            row["who"] = who
            row["domain"] = _value(words, start, block.domain)
            row["skill"] = _value(words, start, block.skill)
            row["kind"] = _value(words, start, block.kind)
            there = _int(words[block.valid + (i >> 6)] >> np.uint64(i & 63) & _ONE)
            # Read whether it is there or not: nothing to guess wrong about for the processor.
            value = floats[min(score, block.end - 1)]
            row["score"] = value if there else np.nan
            score += there
            if ids.size:
                dealt_ids[place] = ids[number + i]
        number += block.rows
        at = block.end


@compiled
def _write_header(rows: Rows, words: Words) -> None:
    first = rows[0]
    ts, who, domain, skill, kind = first["ts"], first["who"], first["domain"], first["skill"], first["kind"]
    last_ts, last_who, last_domain, last_skill, last_kind = ts, who, domain, skill, kind
    scores = 0
    for i in range(rows.size):
        row = rows[i]
        ts, last_ts = min(ts, row["ts"]), max(last_ts, row["ts"])
        who, last_who = min(who, row["who"]), max(last_who, row["who"])
        domain, last_domain = min(domain, row["domain"]), max(last_domain, row["domain"])
        skill, last_skill = min(skill, row["skill"]), max(last_skill, row["skill"])
        kind, last_kind = min(kind, row["kind"]), max(last_kind, row["kind"])
        scores += row["score"] == row["score"]
    words[0], words[1] = rows.size, scores
    words[2], words[3], words[4], words[5], words[6] = ts, who, domain, skill, kind
    words[7] = (
        _bits(last_ts - ts)
        | _bits(last_who - who) << 8
        | _bits(last_domain - domain) << 16
        | _bits(last_skill - skill) << 24
        | _bits(last_kind - kind) << 32
    )


@compiled
def _bits(distance: int) -> int:
    """Return how many bits a distance takes, 64 where it was too far for an int64."""
    rest, bits = np.uint64(distance), 0
    while rest:
        rest >>= _ONE
        bits += 1
    return bits


@compiled
def _block(words: Words, at: int) -> _Block:
    widths = words[at + 7]
    # Each column follows the one before in its word where there is room for it, else it begins the next one.
    ts, end = _field(words[at + 2], widths, 0, 0)
    who, end = _field(words[at + 3], widths, 1, end)
    domain, end = _field(words[at + 4], widths, 2, end)
    skill, end = _field(words[at + 5], widths, 3, end)
    kind, end = _field(words[at + 6], widths, 4, end)
    rows, scores, width = _int(words[at]), _int(words[at + 1]), (max(end, 1) + 63) >> 6
    first = at + _HEADER
    valid = first + rows * width
    begin = valid + ((rows + 63) >> 6)
    return _Block(rows, width, first, valid, begin, begin + scores, ts, who, domain, skill, kind)


@compiled
def _field(least: np.uint64, widths: np.uint64, number: int, end: int) -> tuple[_Field, int]:
    """Return where a column lies, when those before end at bit `end` of the row, and where this one ends."""
    bits = _int(widths >> np.uint64(8 * number) & np.uint64(255))
    if not bits:
        return _Field(0, np.uint64(0), np.uint64(0), least), end
    begin = end if (end & 63) + bits <= 64 else (end + 63) & ~63
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    return _Field(begin >> 6, np.uint64(begin & 63), mask, least), begin + bits


@compiled
def _int(word: np.uint64) -> int:
    return np.int64(word)  # type: ignore[return-value]  # compiled code has but one int


@compiled
def _value(words: Words, row: int, field: _Field) -> int:
    return _int((words[row + field.word] >> field.shift & field.mask) + field.least)


@compiled
def _write_rows(rows: Rows, words: Words, block: _Block) -> None:
    for word in range(block.width):
        for i in range(rows.size):
            row = rows[i]
            words[block.first + i * block.width + word] = (
                _share(row["ts"], block.ts, word)
                | _share(row["who"], block.who, word)
                | _share(row["domain"], block.domain, word)
                | _share(row["skill"], block.skill, word)
                | _share(row["kind"], block.kind, word)
            )


@compiled
def _share(value: int, field: _Field, word: int) -> np.uint64:
    """Return what a value adds to one of its row's words."""
    if field.word != word:
        return np.uint64(0)
    return np.uint64(np.int64(value)) - field.least << field.shift


@compiled
def _write_scores(rows: Rows, words: Words, block: _Block) -> None:
    floats = words.view(np.float64)
    at = block.scores
    for i in range(0, rows.size, 64):
        there = np.uint64(0)
        for j in range(min(64, rows.size - i)):
            score = rows[i + j]["score"]
            # Written whether it is there or not, the next one over it: nothing to guess wrong about for the processor.
            floats[at] = score
            at += score == score
            there |= np.uint64(score == score) << np.uint64(j)
        words[block.valid + (i >> 6)] = there

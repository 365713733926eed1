"""Events as rows in any order: dealt out to buckets of learners, each one ordered and scanned near the processor.

Reading a learner's events from all over memory is what takes time, not the arithmetic. So rows are moved twice, each
time in long strides: to the bucket of their learner, and, while the bucket lies in the processor's cache, to their
place in its columns. Nothing is sorted that a source has in order of time; each learner's few events are, where it
hasn't.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.columns import Columns
from core.learners.kernel import Look, Seen, scan_few

ROW = np.dtype(
    [
        ("ts", np.int64),
        ("score", np.float64),
        ("who", np.int32),
        ("domain", np.int32),
        ("skill", np.int32),
        ("kind", np.int32),
    ]
)
"""An event on its way, half a line of the cache. `kind`: 4 x number of its type + `acted` + 1."""

BUCKET = 1 << 15
"""Rows of a bucket, about: a mebibyte of them, which is what a core has beside it."""

Rows = NDArray[np.void]
Ids = NDArray[np.uint64]
Numbers = NDArray[np.int32]
Offsets = NDArray[np.int64]
Count = int | np.integer[Any]

NO_IDS: Ids = np.empty(0, dtype=np.uint64)

_FEW = 64  # events that are sorted by insertion
_ODD = np.uint64(0x9E3779B97F4A7C15)
_RUN = 16  # events of one learner at one time that are compared each with each


class Given(NamedTuple):
    """What rows are given as.

    Attributes:
        domains, skills, types: what each number of a name becomes.
        once: repeated events are dropped.
    """

    domains: Numbers
    skills: Numbers
    types: Numbers
    once: bool


class Found(NamedTuple):
    """What is left of learners; see `kernel.Scan` and `part.PartScan`."""

    sums: NDArray[np.void]
    gains: NDArray[np.int16]
    half_lives: NDArray[np.float64]
    last: NDArray[np.int64]


@compiled
def put_row(row: np.void, who: int, ts: int, domain: int, skill: int, type_: int, score: float, acted: int) -> None:
    """Write an event."""
    row["ts"] = ts
    row["score"] = score
    row["who"] = who
    row["domain"] = domain
    row["skill"] = skill
    row["kind"] = 4 * type_ + acted + 1


@compiled
def scan_rows(rows: Rows, ids: Ids, first: int, given: Given, look: Look, seen: Seen, found: Found) -> Rows:
    """Scan the rows of learners from number `first` on, as many as `found` has room for; return repeated ones.

    Args:
        ids: of events, shape (N,); shape (0,) where the source has none, and rows are compared by what they say.

    Returns: dtype ROW; `who` counts from `first`, and the names' numbers are those that they became.
    """
    learners = found.last.size
    bits = bucket_bits(rows.size, learners)
    starts = np.zeros(2, dtype=np.int64)
    starts[1] = rows.size
    if (1 << bits) < learners:
        rows, ids, starts = _dealt(rows, ids, first, bits, learners)
    return scan_buckets(rows, ids, starts, bits, first, given, look, seen, found)


@compiled
def bucket_bits(rows: int, learners: int) -> int:
    """Return how many bits of a learner's number are its number within a bucket; the others say which bucket."""
    bits = 0
    while (1 << bits) < learners and (rows <= 2 * BUCKET or (rows << (bits + 1)) <= BUCKET * learners):
        bits += 1
    return bits


@compiled
def scan_buckets(
    rows: Rows, ids: Ids, starts: Offsets, bits: int, first: int, given: Given, look: Look, seen: Seen, found: Found
) -> Rows:
    """Do what `scan_rows` does, with rows that lie bucket by bucket: those of bucket i from starts[i] on."""
    learners = found.last.size
    repeated, known = np.empty(0, dtype=ROW), np.int64(0)
    columns, spare = room(0), np.empty(0, dtype=np.uint64)
    offsets = np.empty(min(1 << bits, learners) + 1, dtype=np.int64)
    for bucket in range(starts.size - 1):
        begin, end = starts[bucket], starts[bucket + 1]
        here = bucket << bits
        to = min(here + (1 << bits), learners)
        if columns.ts.size < end - begin:
            columns, spare = room(end - begin), np.empty((end - begin) * min(1, ids.size), dtype=np.uint64)
        few = offsets[: to - here + 1]
        part = ids[begin:end] if ids.size else ids
        dropped = put_in_order(rows[begin:end], part, first + here, given, few, columns, spare)
        if dropped.size:
            if known + dropped.size > repeated.size:
                repeated = np.concatenate((repeated[:known], np.empty(known + dropped.size, dtype=ROW)))
            for i in range(dropped.size):
                dropped[i]["who"] += here
                repeated[known] = dropped[i]
                known += 1
        scan_few(few, columns, look, seen, found.sums[here:to], found.gains[here:to], found.half_lives[here:to])
        for learner in range(to - here):
            if few[learner] < few[learner + 1]:
                found.last[here + learner] = columns.ts[few[learner + 1] - 1]
    return repeated[:known]


@compiled
def _dealt(rows: Rows, ids: Ids, first: int, bits: int, learners: int) -> tuple[Rows, Ids, Offsets]:
    """Return rows and ids bucket by bucket, each 2^bits learners, and where each bucket begins."""
    starts = np.zeros(((learners - 1) >> bits) + 2, dtype=np.int64)
    for i in range(rows.size):
        starts[((rows[i]["who"] - first) >> bits) + 1] += 1
    for bucket in range(starts.size - 1):
        starts[bucket + 1] += starts[bucket]
    following = starts[:-1].copy()
    dealt, dealt_ids = np.empty(rows.size, dtype=ROW), np.empty(ids.size, dtype=np.uint64)
    for i in range(rows.size):
        bucket = (rows[i]["who"] - first) >> bits
        at = following[bucket]
        following[bucket] = at + 1
        dealt[at] = rows[i]
        if ids.size:
            dealt_ids[at] = ids[i]
    return dealt, dealt_ids, starts


@compiled
def room(size: Count) -> Columns:
    """Return columns for so many events."""
    return Columns(
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.uint32),
        np.empty(size, dtype=np.uint32),
        np.empty(size, dtype=np.int32),
        np.empty(size),
        np.empty(size, dtype=np.int8),
    )


@compiled
def put_in_order(
    rows: Rows, ids: Ids, first: int, given: Given, offsets: Offsets, columns: Columns, spare: Ids
) -> Rows:
    """Write rows to columns in order of learner, then time, and where each learner's begin; return repeated ones.

    `who` of those counts from `first`.

    Args:
        first: number of the first learner. offsets: shape (L + 1,). columns, spare: room for rows, and ids.
    """
    offsets[:] = 0
    for i in range(rows.size):
        offsets[rows[i]["who"] - first + 1] += 1
    for learner in range(offsets.size - 1):
        offsets[learner + 1] += offsets[learner]
    _arrange(rows, ids, first, given, offsets, columns, spare)
    same = False
    for learner in range(offsets.size - 1):
        backwards = alike = 0
        for i in range(offsets[learner] + 1, offsets[learner + 1]):
            backwards += columns.ts[i] < columns.ts[i - 1]
            alike += columns.ts[i] == columns.ts[i - 1]
        if backwards:
            _sort(offsets[learner], offsets[learner + 1], columns, spare)
            alike = 1  # there may be some
        same |= alike > 0
    if not given.once or not same:
        return np.empty(0, dtype=ROW)
    return _drop_repeated(offsets, columns, spare)


@compiled
def _arrange(rows: Rows, ids: Ids, first: int, given: Given, offsets: Offsets, columns: Columns, spare: Ids) -> None:
    """Write each row to the next place of its learner. `offsets` moves on meanwhile, and back at the end."""
    for i in range(rows.size):
        row = rows[i]
        learner = np.uint64(row["who"] - first)
        at = np.uint64(offsets[learner])
        offsets[learner] += np.int64(1)
        columns.ts[at] = row["ts"]
        columns.score[at] = row["score"]
        columns.domain[at] = given.domains[row["domain"]]
        columns.skill[at] = given.skills[row["skill"]]
        columns.type[at] = given.types[row["kind"] >> 2]
        columns.acted[at] = (row["kind"] & 3) - 1
        if ids.size:
            spare[at] = ids[i]
    for i in range(offsets.size - 1, 0, -1):
        offsets[i] = offsets[i - 1]
    offsets[0] = 0


@compiled
def _sort(first: int, end: int, columns: Columns, ids: Ids) -> None:
    """Put one learner's events in order of time; those of one time stay as they stand."""
    times = columns.ts[first:end].copy()
    if times.size > _FEW:
        order = np.argsort(times, kind="mergesort")
    else:
        order = np.arange(times.size)
        for i in range(1, times.size):  # insertion: quick where most are in order
            time, j = times[i], i
            while j > 0 and times[j - 1] > time:
                times[j], order[j] = times[j - 1], order[j - 1]
                j -= 1
            times[j], order[j] = time, i
    columns.ts[first:end] = columns.ts[first:end][order]
    columns.domain[first:end] = columns.domain[first:end][order]
    columns.skill[first:end] = columns.skill[first:end][order]
    columns.type[first:end] = columns.type[first:end][order]
    columns.score[first:end] = columns.score[first:end][order]
    columns.acted[first:end] = columns.acted[first:end][order]
    if ids.size:
        ids[first:end] = ids[first:end][order]


@compiled
def _drop_repeated(offsets: Offsets, columns: Columns, ids: Ids) -> Rows:
    """Keep each event once, the first; move the others up, and return what is dropped."""
    dropped, known = np.empty(16, dtype=ROW), 0
    no_table = np.empty(0, dtype=np.int64)
    kept = begin = 0
    for learner in range(offsets.size - 1):
        end = offsets[learner + 1]
        while begin < end:
            run = begin + 1
            while run < end and columns.ts[run] == columns.ts[begin]:
                run += 1
            first = kept
            table = np.full(_table_size(run - begin), -1, dtype=np.int64) if run - begin > _RUN else no_table
            for i in range(begin, run):
                if _was_there(i, first, kept, columns, ids, table):
                    if known == dropped.size:
                        dropped = np.concatenate((dropped, np.empty(known, dtype=ROW)))
                    ts, domain, skill = columns.ts[i], columns.domain[i], columns.skill[i]
                    put_row(
                        dropped[known], learner, ts, domain, skill, columns.type[i], columns.score[i], columns.acted[i]
                    )
                    known += 1
                    continue
                _move(columns, ids, i, kept)
                kept += 1
            begin = run
        offsets[learner + 1] = kept
    return dropped[:known]


@compiled
def _table_size(rows: int) -> int:
    """Return how large a hash table for so many rows is, a power of two."""
    size = 1
    while size < 2 * rows:
        size *= 2
    return size


@compiled
def _was_there(row: int, first: int, kept: int, columns: Columns, ids: Ids, table: Offsets) -> bool:
    """Say whether a row is like one of those kept of its time, which are numbered from `first`; remember it if not."""
    if not table.size:
        for other in range(first, kept):  # noqa: SIM110
            if _alike(columns, ids, row, other):
                return True
        return False
    slot = _hash(columns, ids, row) & (table.size - 1)
    while table[slot] >= 0:
        if _alike(columns, ids, row, table[slot]):
            return True
        slot = (slot + 1) & (table.size - 1)
    table[slot] = kept
    return False


@compiled
def _alike(columns: Columns, ids: Ids, one: int, other: int) -> bool:
    if ids.size:
        return bool(ids[one] == ids[other])
    a, b = columns.score[one], columns.score[other]
    return bool(
        columns.domain[one] == columns.domain[other]
        and columns.skill[one] == columns.skill[other]
        and columns.type[one] == columns.type[other]
        and columns.acted[one] == columns.acted[other]
        and (a == b or (a != a and b != b))
    )


@compiled
def _hash(columns: Columns, ids: Ids, row: int) -> np.int64:
    if ids.size:
        mixed = ids[row]
    else:
        score = columns.score[row]
        mixed = np.uint64(0 if score != score else 1 + np.int64(score * (1 << 40)))
        mixed = mixed * _ODD + np.uint64(columns.domain[row])
        mixed = mixed * _ODD + np.uint64(columns.skill[row])
        mixed = mixed * _ODD + np.uint64(4 * columns.type[row] + columns.acted[row] + 1)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * _ODD
    return np.int64(mixed >> np.uint64(16))


@compiled
def _move(columns: Columns, ids: Ids, one: int, to: int) -> None:
    columns.ts[to] = columns.ts[one]
    columns.domain[to] = columns.domain[one]
    columns.skill[to] = columns.skill[one]
    columns.type[to] = columns.type[one]
    columns.score[to] = columns.score[one]
    columns.acted[to] = columns.acted[one]
    if ids.size:
        ids[to] = ids[one]

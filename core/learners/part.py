"""One part of a population, by itself: its rows put in order, repeats dropped, scanned. A pure function of the part.

That is the work that threads, or the workers of a cluster, share out; it can begin anew where one of them dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.learners.events import feedback_code
from core.learners.kernel import Scan, empty_scan, look_of, seen_nothing
from core.learners.packing import Words, count, rows_in, unpack
from core.learners.recall import Recall
from core.learners.recall_fit import Matrix, sampled_repetitions
from core.learners.rows import (
    NO_IDS,
    ROW,
    Found,
    Given,
    Ids,
    Numbers,
    Offsets,
    Rows,
    bucket_bits,
    put_in_order,
    room,
    scan_buckets,
)

Lying = tuple[Words | Path, ...]
"""What was written one after the other, in memory or to files."""

_ALL = 62
"""Bits that no learner's number has, so that there is one bucket."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of one kind. `rank`: place of each number's name among the sorted `words`."""

    rank: Numbers
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of some learners, all that they have.

    Attributes:
        rows: packed, see `packing`. ids: of events; None where the source has none.
        learners: how many; `who` numbers them from 0.
    """

    rows: Lying
    ids: Lying | None
    learners: int
    domains: Vocabulary
    skills: Vocabulary
    types: Vocabulary

    def given(self) -> Given:
        """Return how its rows are to be read."""
        return Given(self.domains.rank, self.skills.rank, self.types.rank, True)


@dataclass(frozen=True, slots=True)
class PartScan:
    """What a part leaves.

    Attributes:
        scan: of its learners. last: time of each one's last event, microseconds since 1970.
        events: how many, each once. repeated: those that repeated another, see `rows.scan_rows`; None where none did.
    """

    scan: Scan
    last: NDArray[np.int64]
    events: int
    repeated: Rows | None


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at. `as_of`: its end, microseconds since 1970. `weeks`: its length."""

    as_of: int
    weeks: int


def scan_part(part: Part, window: Window, recall: Recall | None) -> PartScan:
    """Scan a part, on one thread."""
    words = _read(part.rows)
    bits = bucket_bits(sum(rows_in(some) for some in words), part.learners)
    rows, ids, starts = _unpacked(words, _ids(part), bits, part.learners)
    scan = empty_scan(part.learners, window.as_of, window.weeks, recall)
    last = np.empty(part.learners, dtype=np.int64)
    look = look_of(scan, len(part.domains.words), len(part.skills.words), feedback_code(part.types.words))
    found = Found(scan.sums, scan.gains, scan.half_lives, last)
    repeated = scan_buckets(rows, ids, starts, bits, 0, part.given(), look, seen_nothing(look), found)
    return PartScan(scan, last, rows.size - repeated.size, repeated if repeated.size else None)


def repetitions_of_part(part: Part, window: Window, chosen: NDArray[np.bool_]) -> Matrix:
    """Return the repetitions of some learners of a part, see `recall_fit.sampled_repetitions`."""
    rows, ids, _ = _unpacked(_read(part.rows), _ids(part), _ALL, part.learners)
    wanted = chosen[rows["who"]]
    rows, ids = rows[wanted], ids[wanted] if ids.size else ids
    offsets, columns = np.empty(part.learners + 1, dtype=np.int64), room(rows.size)
    put_in_order(rows, ids, 0, part.given(), offsets, columns, np.empty(ids.size, dtype=np.uint64))
    return sampled_repetitions(columns, offsets, len(part.skills.words), window.as_of, window.weeks, chosen)


def _unpacked(words: list[Words], ids: Ids, bits: int, learners: int) -> tuple[Rows, Ids, Offsets]:
    """Return rows and ids in buckets of 2^bits learners each, and where each bucket begins."""
    starts = np.zeros((max(0, learners - 1) >> bits) + 2, dtype=np.int64)
    for some in words:
        count(some, bits, starts)
    starts = np.cumsum(starts)
    rows, dealt = np.empty(starts[-1], dtype=ROW), np.empty(ids.size, dtype=np.uint64)
    places, first = starts[:-1].copy(), 0
    for some in words:
        unpack(some, ids[first:], bits, places, rows, dealt)
        first += rows_in(some)
    return rows, dealt, starts


def _ids(part: Part) -> Ids:
    return NO_IDS if part.ids is None else np.concatenate((NO_IDS, *_read(part.ids)))


def _read(lying: Lying) -> list[Words]:
    # Files are seen where the system keeps them, not copied; as if they could be written to, as arrays in memory can.
    return [
        np.asarray(np.memmap(some, np.uint64, "c")) if isinstance(some, Path) else some
        for some in lying
        if not isinstance(some, Path) or some.stat().st_size
    ]

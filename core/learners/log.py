"""Events in memory that nobody has sorted, as a log has them: partitioned by learner and scanned, without a sort.

Each thread deals its share of the rows out to groups of learners; then each takes group after group and scans it, see
`rows`. The answers are those of the same events sorted, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled, cores
from core.learners import traits as t
from core.learners.events import Events, EventsError, feedback_code
from core.learners.kernel import Look, Scan, empty_scan, look_of, seen_nothing
from core.learners.recall import Recall
from core.learners.recall_fit import fit_recall, in_sample, sampled_repetitions
from core.learners.rows import (
    BUCKET,
    NO_IDS,
    ROW,
    Found,
    Given,
    Numbers,
    Offsets,
    Rows,
    put_in_order,
    put_row,
    room,
    scan_rows,
)

_GROUPS = 1024  # more of them, and writing to so many places takes longer than another round within the groups
_SHARE = 1 << 18  # rows that a thread looks through at a time
_SHARES = 8  # of the groups, for each thread: the last one done makes the others wait


class _Events(NamedTuple):
    who: Numbers
    ts: NDArray[np.int64]
    domain: Numbers
    skill: Numbers
    type: Numbers
    score: NDArray[np.float64]
    acted: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Log:
    """Events of many learners as columns in any order; those of one learner at one time count in the order they have.

    Attributes:
        learners: ids, sorted, shape (L,).
        who: int32, shape (N,), like all that follow: whose event it is, an index of `learners`.
        ts, domain, skill, type, score, acted: as in `Events`.
        domains, skills, types: the vocabularies, sorted.
    """

    learners: NDArray[np.str_]
    who: Numbers
    ts: NDArray[np.int64]
    domain: Numbers
    skill: Numbers
    type: Numbers
    score: NDArray[np.float64]
    acted: NDArray[np.int8]
    domains: tuple[str, ...]
    skills: tuple[str, ...]
    types: tuple[str, ...]

    @classmethod
    def of(cls, events: Events, order: NDArray[np.int64]) -> Log:
        """Return sorted events in another order, shape (N,)."""
        return cls(
            events.learners,
            np.repeat(np.arange(events.learners.size, dtype=np.int32), np.diff(events.offsets))[order],
            events.ts[order],
            events.domain[order],
            events.skill[order],
            events.type[order],
            events.score[order],
            events.acted[order],
            events.domains,
            events.skills,
            events.types,
        )

    @property
    def as_of(self) -> int:
        """Time of the last event, microseconds since 1970; raises EventsError when there is none."""
        if not self.ts.size:
            raise EventsError("no events: nothing to analyse")
        return int(self.ts.max())

    def events(self) -> _Events:
        """Return the columns."""
        return _Events(self.who, self.ts, self.domain, self.skill, self.type, self.score, self.acted)

    def given(self) -> Given:
        """Return how rows made of it are to be read."""
        domains, skills, types = (
            np.arange(len(words), dtype=np.int32) for words in (self.domains, self.skills, self.types)
        )
        return Given(domains, skills, types, once=False)


def recall_of_log(log: Log, as_of: int | None = None, weeks: int = t.WEEKS) -> Recall | None:
    """Fit the model of a population; None where it repeats too little."""
    chosen = in_sample(log.learners)
    events = log.events()
    shares = range(0, log.who.size, _SHARE)
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(lambda first: _of(events, chosen, first, min(first + _SHARE, log.who.size)), shares))
    rows = np.concatenate([np.empty(0, dtype=ROW), *found])
    offsets, columns = np.empty(log.learners.size + 1, dtype=np.int64), room(rows.size)
    put_in_order(rows, NO_IDS, 0, log.given(), offsets, columns, NO_IDS)
    end = log.as_of if as_of is None else as_of
    return fit_recall(sampled_repetitions(columns, offsets, len(log.skills), end, weeks, chosen))


def scan_log(
    log: Log,
    as_of: int | None = None,
    weeks: int = t.WEEKS,
    threads: int | None = None,
    recall: Recall | None = None,
) -> Scan:
    """Do what `kernel.scan` does with sorted events."""
    learners, threads = log.learners.size, threads or cores()
    scan = empty_scan(learners, log.as_of if as_of is None else as_of, weeks, recall)
    bits = 0  # of a learner's number within a group
    while (1 << bits) < learners and (
        (log.ts.size << (bits + 1)) <= BUCKET * learners or (learners >> bits) >= _GROUPS
    ):
        bits += 1
    with ThreadPoolExecutor(threads) as pool:

        def spread(work: Callable[[int], object], over: Iterable[int]) -> None:
            list(pool.map(work, over))

        rows, starts = _dealt(log, bits, threads, spread)
        last = np.empty(learners, dtype=np.int64)
        look, groups = look_of(scan, len(log.domains), len(log.skills), feedback_code(log.types)), starts.size - 1
        found, given = Found(scan.sums, scan.gains, scan.half_lives, last), log.given()
        share = max(1, -(-groups // (threads * _SHARES)))
        spread(
            lambda first: _scan_groups(rows, starts, first, min(first + share, groups), bits, given, look, found),
            range(0, groups, share),
        )
    return scan


def _dealt(
    log: Log, bits: int, threads: int, spread: Callable[[Callable[[int], object], Iterable[int]], None]
) -> tuple[Rows, Offsets]:
    """Return the rows group by group, and where each begins."""
    groups = (max(1, log.learners.size) - 1 >> bits) + 1
    counts = np.zeros((threads, groups), dtype=np.int64)
    cuts = [log.ts.size * i // threads for i in range(threads + 1)]
    spread(lambda i: _count(log.who[cuts[i] : cuts[i + 1]], bits, counts[i]), range(threads))
    # Of each group the first thread's rows, then the second's: as they stood.
    ends = np.cumsum(counts.T.ravel())
    places = np.ascontiguousarray((ends - counts.T.ravel()).reshape(groups, threads).T)
    starts = np.concatenate((places[0], ends[-1:]))
    rows, events = np.empty(log.ts.size, dtype=ROW), log.events()
    spread(lambda i: _deal(events, cuts[i], cuts[i + 1], bits, places[i], rows), range(threads))
    return rows, starts


@compiled
def _count(who: Numbers, bits: int, counts: Offsets) -> None:
    for i in range(who.size):
        counts[who[i] >> bits] += 1


@compiled
def _deal(events: _Events, first: int, end: int, bits: int, places: Offsets, rows: Rows) -> None:
    """Write each event to the next place of its group."""
    for i in range(first, end):
        group = events.who[i] >> bits
        at = places[group]
        places[group] = at + 1
        _put(events, i, rows[at])


@compiled
def _of(events: _Events, chosen: NDArray[np.bool_], first: int, end: int) -> Rows:
    """Return the rows of some learners."""
    number = 0
    for i in range(first, end):
        number += chosen[events.who[i]]
    rows = np.empty(number, dtype=ROW)
    number = 0
    for i in range(first, end):
        if chosen[events.who[i]]:
            _put(events, i, rows[number])
            number += 1
    return rows


@compiled
def _put(events: _Events, i: int, row: np.void) -> None:
    domain, skill, type_ = events.domain[i], events.skill[i], events.type[i]
    put_row(row, events.who[i], events.ts[i], domain, skill, type_, events.score[i], events.acted[i])


@compiled
def _scan_groups(
    rows: Rows, starts: Offsets, first: int, end: int, bits: int, given: Given, look: Look, found: Found
) -> None:
    seen = seen_nothing(look)
    for group in range(first, end):
        here = group << bits
        to = min(here + (1 << bits), found.last.size)
        part = Found(found.sums[here:to], found.gains[here:to], found.half_lives[here:to], found.last[here:to])
        scan_rows(rows[starts[group] : starts[group + 1]], NO_IDS, here, given, look, seen, part)

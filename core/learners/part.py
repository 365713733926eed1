"""One part of a population, by itself: its rows put in order, repeats dropped, scanned. A pure function of the part.

That is the work that threads, or the workers of a cluster, share out; it can begin anew where one of them dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners import kernel
from core.learners.events import Events
from core.learners.importing.collect import repeated_rows
from core.learners.ordering import order_of
from core.learners.recall import Recall
from core.learners.recall_fit import Matrix, sampled_repetitions

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

Rows = NDArray[np.void]
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of one kind. `rank`: place of each number's name among the sorted `words`."""

    rank: Numbers
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of some learners, all that they have.

    Attributes:
        rows: dtype ROW; or the file that holds them. ids: of events, uint64, likewise; None where the source has none.
        learners: how many; numbered from 0 by what `who` holds above its lowest `bits` bits.
    """

    rows: Rows | Path
    ids: NDArray[np.uint64] | Path | None
    learners: int
    bits: int
    domains: Vocabulary
    skills: Vocabulary
    types: Vocabulary

    def events(self) -> tuple[Events, Events | None]:
        """Return the part's events, each once; and those that repeated another, None where none did.

        Its learners have numbers in place of ids.
        """
        rows = _read(self.rows, ROW)
        who, ts = np.empty(rows.size, dtype=np.int32), np.empty(rows.size, dtype=np.int64)
        _keys(rows, self.bits, who, ts)
        order, offsets = order_of(who, ts, self.learners)
        if order is None:
            order = np.arange(rows.size)
        events = Events(
            learners=np.empty(self.learners, dtype="U1"),
            offsets=offsets,
            ts=np.empty(rows.size, dtype=np.int64),
            domain=np.empty(rows.size, dtype=np.int32),
            skill=np.empty(rows.size, dtype=np.int32),
            type=np.empty(rows.size, dtype=np.int32),
            score=np.empty(rows.size, dtype=np.float64),
            acted=np.empty(rows.size, dtype=np.int8),
            domains=self.domains.words,
            skills=self.skills.words,
            types=self.types.words,
        )
        _arrange(
            rows,
            order,
            self.domains.rank,
            self.skills.rank,
            self.types.rank,
            events.ts,
            events.domain,
            events.skill,
            events.type,
            events.score,
            events.acted,
        )
        keys: list[NDArray[np.generic]] = [events.domain, events.skill, events.type, events.score, events.acted]
        if self.ids is not None:
            keys = [_read(self.ids, np.dtype(np.uint64))[order]]
        repeated = repeated_rows(who[order], events.ts, keys)
        if not repeated.any():
            return events, None
        return events.select(~repeated), events.select(repeated)


@dataclass(frozen=True, slots=True)
class PartScan:
    """What a part leaves.

    Attributes:
        scan: of its learners. last: time of each one's last event, microseconds since 1970.
        events: how many, each once. repeated: those that repeated another; None where none did.
    """

    scan: kernel.Scan
    last: NDArray[np.int64]
    events: int
    repeated: Events | None


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at. `as_of`: its end, microseconds since 1970. `weeks`: its length."""

    as_of: int
    weeks: int


def scan_part(part: Part, window: Window, recall: Recall | None) -> PartScan:
    """Scan a part, on one thread."""
    events, repeated = part.events()
    found = kernel.scan(events, window.as_of, window.weeks, threads=1, recall=recall)
    return PartScan(found, events.ts[events.offsets[1:] - 1], len(events), repeated)


def repetitions_of_part(part: Part, window: Window, chosen: NDArray[np.bool_]) -> Matrix:
    """Return the repetitions of some learners of a part, see `recall.sampled_repetitions`."""
    return sampled_repetitions(part.events()[0], window.as_of, window.weeks, chosen)


def _read(rows: NDArray[np.generic] | Path, dtype: np.dtype[np.generic]) -> NDArray:  # type: ignore[type-arg]
    return np.fromfile(rows, dtype=np.uint8).view(dtype) if isinstance(rows, Path) else rows


@compiled
def _keys(rows: Rows, bits: int, who: Numbers, ts: NDArray[np.int64]) -> None:
    for i in range(rows.size):
        who[i] = rows[i]["who"] >> bits
        ts[i] = rows[i]["ts"]


@compiled
def _arrange(
    rows: Rows,
    order: NDArray[np.int64],
    domain_rank: Numbers,
    skill_rank: Numbers,
    type_rank: Numbers,
    ts: NDArray[np.int64],
    domain: Numbers,
    skill: Numbers,
    type_: Numbers,
    score: NDArray[np.float64],
    acted: NDArray[np.int8],
) -> None:
    for i in range(order.size):
        row = rows[order[i]]
        ts[i] = row["ts"]
        score[i] = row["score"]
        domain[i] = domain_rank[row["domain"]]
        skill[i] = skill_rank[row["skill"]]
        type_[i] = type_rank[row["kind"] >> 2]
        acted[i] = (row["kind"] & 3) - 1

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
from core.learners.recall import Recall
from core.learners.recall_fit import Matrix, sampled_repetitions
from core.learners.rows import NO_IDS, ROW, Found, Given, Ids, Numbers, Rows, put_in_order, room, scan_rows


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

    def given(self) -> Given:
        """Return how its rows are to be read."""
        return Given(self.bits, self.domains.rank, self.skills.rank, self.types.rank, True)


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
    rows, ids = _read(part.rows, ROW), _ids(part)
    scan = empty_scan(part.learners, window.as_of, window.weeks, recall)
    last = np.empty(part.learners, dtype=np.int64)
    look = look_of(scan, len(part.domains.words), len(part.skills.words), feedback_code(part.types.words))
    found = Found(scan.sums, scan.gains, scan.half_lives, last)
    repeated = scan_rows(rows, ids, 0, part.given(), look, seen_nothing(look), found)
    return PartScan(scan, last, rows.size - repeated.size, repeated if repeated.size else None)


def repetitions_of_part(part: Part, window: Window, chosen: NDArray[np.bool_]) -> Matrix:
    """Return the repetitions of some learners of a part, see `recall_fit.sampled_repetitions`."""
    rows, ids = _read(part.rows, ROW), _ids(part)
    wanted = chosen[rows["who"] >> part.bits]
    rows, ids = rows[wanted], ids[wanted] if ids.size else ids
    offsets, columns = np.empty(part.learners + 1, dtype=np.int64), room(rows.size)
    put_in_order(rows, ids, 0, part.given(), offsets, columns, np.empty(ids.size, dtype=np.uint64))
    return sampled_repetitions(columns, offsets, len(part.skills.words), window.as_of, window.weeks, chosen)


def _ids(part: Part) -> Ids:
    return NO_IDS if part.ids is None else _read(part.ids, np.dtype(np.uint64))


def _read(rows: NDArray[np.generic] | Path, dtype: np.dtype[np.generic]) -> NDArray:  # type: ignore[type-arg]
    if not isinstance(rows, Path):
        return rows
    if not rows.stat().st_size:
        return np.empty(0, dtype=dtype)
    # Seen where the system keeps it, not copied; as if it could be written to, as arrays in memory can.
    return np.asarray(np.memmap(rows, dtype, "c"))

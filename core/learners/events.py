"""Learner events in the canonical schema, as columns sorted by learner and time. How they are read: `importing`.

Canonical columns: `learner_id`, `ts` (UTC), `domain`, `skill`, and optionally `type`, `score` (0 to 1), `acted`. Rows
that can't be used are left out and counted by reason, never repaired.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.learners.ordering import order_of

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
FEEDBACK = "feedback"

Index = NDArray[np.int32]
Names = Sequence[str] | NDArray[np.object_] | NDArray[np.str_]
Coded = tuple[NDArray[np.integer[Any]], Names]
"""Codes, and the names that they stand for."""


class EventsError(ValueError):
    """Event data that can't be read at all; the message names the file, what is wrong with it and what was expected."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one learner, as the plain analyzer reads it.

    Attributes:
        ts: microseconds since 1970, UTC.
        score: 0 to 1, or None. acted: whether feedback was followed, or None where that isn't known.
    """

    ts: int
    domain: str
    skill: str
    type: str = "training"
    score: float | None = None
    acted: bool | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Events of many learners as columns, sorted by learner, then time; ties keep the order of the source.

    Attributes:
        learners: ids, sorted, shape (L,).
        offsets: int64, shape (L + 1,): learner i's events are rows offsets[i] to offsets[i + 1].
        ts: int64 microseconds since 1970, shape (N,), like all that follow.
        domain, skill, type: int32 codes into the vocabularies.
        score: float64, NaN where there is none. acted: int8, 1 yes, 0 no, -1 not known.
        domains, skills, types: the vocabularies, sorted, so that the order of codes is the order of names.
        rejected: rows left out, by reason.
    """

    learners: NDArray[np.str_]
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    domain: Index
    skill: Index
    type: Index
    score: NDArray[np.float64]
    acted: NDArray[np.int8]
    domains: tuple[str, ...]
    skills: tuple[str, ...]
    types: tuple[str, ...]
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of events."""
        return int(self.ts.size)

    @property
    def as_of(self) -> int:
        """Time of the last event, microseconds since 1970; raises EventsError when there is none."""
        if not len(self):
            raise EventsError("no events: nothing to analyse (every row was rejected or the file is empty)")
        return int(self.ts[self.offsets[1:] - 1].max())  # of each learner the last one: a fraction of all

    @property
    def feedback_code(self) -> int:
        """Code of the type "feedback"; -1 where no event has it."""
        return feedback_code(self.types)

    def find(self, learner: str) -> int | None:
        """Return the index of a learner's id, or None."""
        at = int(np.searchsorted(self.learners, learner))
        return at if at < self.learners.size and self.learners[at] == learner else None

    def of_learner(self, index: int) -> list[Event]:
        """Return one learner's events as plain objects, in order of time."""
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        columns = (self.ts, self.domain, self.skill, self.type, self.score, self.acted)
        return [
            Event(
                ts=ts,
                domain=self.domains[domain],
                skill=self.skills[skill],
                type=self.types[type_],
                score=None if math.isnan(score) else score,
                acted=None if acted < 0 else bool(acted),
            )
            # All at once: one by one, taking numbers out of arrays would be most of the work.
            for ts, domain, skill, type_, score, acted in zip(*(c[rows].tolist() for c in columns), strict=True)
        ]

    def select(self, kept: NDArray[np.bool_]) -> Events:
        """Return some of the events, shape (N,); learners of whom nothing is left stay."""
        before = np.concatenate(([0], np.cumsum(kept)))
        return replace(
            self,
            offsets=before[self.offsets],
            ts=self.ts[kept],
            domain=self.domain[kept],
            skill=self.skill[kept],
            type=self.type[kept],
            score=self.score[kept],
            acted=self.acted[kept],
        )

    def rows(self) -> Iterator[tuple[str, list[Event]]]:
        """Yield each learner's id and events."""
        for index, learner in enumerate(self.learners):
            yield str(learner), self.of_learner(index)

    def table(self) -> pa.Table:
        """Return the events as an Arrow table in the canonical schema."""
        counts = np.diff(self.offsets)
        return pa.table(
            {
                "learner_id": np.repeat(self.learners, counts),
                "ts": pa.array(self.ts, pa.timestamp("us", tz="UTC")),
                "domain": pa.DictionaryArray.from_arrays(self.domain, list(self.domains)),
                "skill": pa.DictionaryArray.from_arrays(self.skill, list(self.skills)),
                "type": pa.DictionaryArray.from_arrays(self.type, list(self.types)),
                "score": pa.array(self.score, mask=np.isnan(self.score)),
                "acted": pa.array(self.acted == 1, mask=self.acted < 0),
            }
        )


def feedback_code(types: Sequence[str]) -> int:
    """Return the code of the type "feedback" in a vocabulary; -1 where it isn't there."""
    return types.index(FEEDBACK) if FEEDBACK in types else -1


def _codes(values: Names) -> Coded:
    """Return codes and the names they stand for."""
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _in_sort_order(coded: Coded) -> tuple[Index, NDArray[np.object_] | NDArray[np.str_]]:
    """Return codes into the sorted names, and those."""
    codes, names = coded
    words = names if isinstance(names, np.ndarray) else np.array(names, dtype=object)
    order = np.argsort(words, kind="stable")
    rank = np.empty(order.size, dtype=np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return rank[codes] if order.size else np.empty(0, np.int32), words[order]


def from_columns(
    learner: Names,
    ts: NDArray[np.int64],
    domain: Names,
    skill: Names,
    type_: Names,
    score: NDArray[np.float64],
    acted: NDArray[np.int8],
    rejected: Mapping[str, int] | None = None,
) -> Events:
    """Sort valid columns of shape (N,) into `Events`; for the meaning of each see there."""
    coded = [_codes(names) for names in (learner, domain, skill, type_)]
    return from_codes(coded[0], ts, coded[1], coded[2], coded[3], score, acted, rejected)


def from_codes(
    learner: Coded,
    ts: NDArray[np.int64],
    domain: Coded,
    skill: Coded,
    type_: Coded,
    score: NDArray[np.float64],
    acted: NDArray[np.int8],
    rejected: Mapping[str, int] | None = None,
) -> Events:
    """Sort valid columns of shape (N,) into `Events`; names come as codes (N,) and the different names they stand for.

    All learners named have an event; the names may be in any order.
    """
    who, learners = _in_sort_order(learner)
    (domains, domain_names), (skills, skill_names), (types, type_names) = map(_in_sort_order, (domain, skill, type_))
    ts = np.asarray(ts, dtype=np.int64)
    order, offsets = order_of(who, ts, learners.size)
    if order is None:
        order = np.arange(who.size)
    return Events(
        learners=learners.astype(np.str_),
        offsets=offsets,
        ts=ts[order],
        domain=domains[order],
        skill=skills[order],
        type=types[order],
        score=np.asarray(score, dtype=np.float64)[order],
        acted=np.asarray(acted, dtype=np.int8)[order],
        domains=tuple(map(str, domain_names)),
        skills=tuple(map(str, skill_names)),
        types=tuple(map(str, type_names)),
        rejected=dict(rejected or {}),
    )


def from_events(learners: Mapping[str, Sequence[Event]]) -> Events:
    """Return the columns of plain events given by learner id."""
    rows = [(learner, event) for learner, events in learners.items() for event in events]
    return from_columns(
        [learner for learner, _ in rows],
        np.array([event.ts for _, event in rows], dtype=np.int64),
        [event.domain for _, event in rows],
        [event.skill for _, event in rows],
        [event.type for _, event in rows],
        np.array([np.nan if event.score is None else event.score for _, event in rows], dtype=np.float64),
        np.array([-1 if event.acted is None else int(event.acted) for _, event in rows], dtype=np.int8),
    )

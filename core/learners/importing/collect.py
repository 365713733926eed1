"""All of a stream's events as columns in memory, sorted by learner and time, each event once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.learners.events import Events
from core.learners.importing import canonical as c
from core.learners.importing.stream import EventStream
from core.learners.ordering import order_of

Codes = NDArray[np.int32]
_Any = TypeVar("_Any", bound=np.generic)


def collect(stream: EventStream) -> Events:
    """Return a stream's events; repeated ones are dropped, and counted in the stream's `rejected` like the others.

    An event repeats another of the same learner at the same time when both have the same id, where the source gives
    ids; else when their whole rows are the same. Raises EventsError where the source can't be read on.
    """
    gathered = _gathered(stream)
    repeated = gathered.repeated()
    if repeated.any():
        stream.reject_repeated(int(repeated.sum()), gathered.told(np.flatnonzero(repeated)))
    return gathered.without(repeated, stream.rejected.reasons)


def collect_batches(batches: Iterable[pa.RecordBatch]) -> tuple[Events, int]:
    """Return the events of some batches, such as a partition by learner, and how many repeats were dropped."""
    gathered = _gathered(batches)
    repeated = gathered.repeated()
    return gathered.without(repeated, {}), int(repeated.sum())


def repeated_rows(who: Codes, ts: NDArray[np.int64], keys: Sequence[NDArray[np.generic]]) -> NDArray[np.bool_]:
    """Say which rows repeat an earlier one: the same learner, time and keys.

    Args:
        who, ts: shape (N,), sorted by learner, then time. keys: each of shape (N,); NaN equals NaN.
    """
    repeats = np.zeros(ts.size, dtype=bool)
    same = np.zeros(ts.size, dtype=bool)
    same[1:] = (ts[1:] == ts[:-1]) & (who[1:] == who[:-1])
    if not same.any():
        return repeats
    rows = np.flatnonzero(same | np.append(same[1:], False))
    told = [np.nan_to_num(key[rows], nan=-1.0) for key in keys] + [np.cumsum(~same)[rows]]
    order = np.lexsort(told)  # stable: of equal rows the first stays
    equal = np.ones(rows.size - 1, dtype=bool)
    for key in told:
        equal &= key[order][1:] == key[order][:-1]
    repeats[rows[order[1:][equal]]] = True
    return repeats


def told_event(learner: str, ts: int, domain: str, skill: str, type_: str, score: float) -> tuple[str, str]:
    """Return what an event is in short, and as JSON. `ts`: microseconds since 1970; `score`: NaN for none."""
    at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ts)).isoformat()
    event: dict[str, str | float | None] = {"learner_id": learner, "domain": domain, "skill": skill, "type": type_}
    event |= {"ts": at, "score": None if np.isnan(score) else score}
    return f"{learner} at {at}", json.dumps(event, ensure_ascii=False)


@dataclass(slots=True)
class _Gathered:
    """Columns in the order of learner and time; text as codes into sorted vocabularies."""

    codes: dict[str, Codes]
    words: dict[str, tuple[str, ...]]
    ts: NDArray[np.int64]
    score: NDArray[np.float64]
    acted: NDArray[np.int8]
    ids: NDArray[np.uint64] | None

    def repeated(self) -> NDArray[np.bool_]:
        """Say which rows repeat an earlier one."""
        keys: list[NDArray[np.generic]] = [self.codes[name] for name in ("domain", "skill", "type")]
        keys += [self.score, self.acted]
        return repeated_rows(self.codes["learner_id"], self.ts, keys if self.ids is None else [self.ids])

    def told(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
        """Yield of some rows what they are in short, and the event as JSON."""
        for row in rows:
            learner, domain, skill, type_ = (self.words[name][self.codes[name][row]] for name in c.TEXTS)
            yield told_event(learner, int(self.ts[row]), domain, skill, type_, float(self.score[row]))

    def without(self, repeated: NDArray[np.bool_], rejected: dict[str, int]) -> Events:
        kept = ~repeated if repeated.any() else slice(None)
        learners = np.array(self.words["learner_id"], dtype=np.str_)
        counts = np.bincount(self.codes["learner_id"][kept], minlength=learners.size)
        return Events(
            learners=learners,
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            ts=self.ts[kept],
            domain=self.codes["domain"][kept],
            skill=self.codes["skill"][kept],
            type=self.codes["type"][kept],
            score=self.score[kept],
            acted=self.acted[kept],
            domains=self.words["domain"],
            skills=self.words["skill"],
            types=self.words["type"],
            rejected=dict(rejected),
        )


def _gathered(batches: Iterable[pa.RecordBatch]) -> _Gathered:
    text: dict[str, list[pa.Array]] = {name: [] for name in c.TEXTS}
    ts: list[NDArray[np.int64]] = []
    score: list[NDArray[np.float64]] = []
    acted: list[NDArray[np.int8]] = []
    ids: list[NDArray[np.uint64]] = []
    have_ids = True
    for batch in batches:
        for name, parts in text.items():
            parts.append(batch.column(name))
        ts.append(batch.column("ts").cast(pa.int64()).to_numpy())
        score.append(batch.column("score").to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
        acted.append(pc.fill_null(batch.column("acted").cast(pa.int8()), -1).to_numpy())
        have_ids = have_ids and c.EVENT_ID in batch.schema.names
        if have_ids:
            ids.append(batch.column(c.EVENT_ID).to_numpy())
    codes, words = {}, {}
    for name in c.TEXTS:
        codes[name], words[name] = _vocabulary(text.pop(name))
    times = _joined(ts, np.int64)
    order, _ = order_of(codes["learner_id"], times, len(words["learner_id"]))

    def sorted_(column: NDArray[_Any]) -> NDArray[_Any]:
        return column if order is None else column[order]

    for name in c.TEXTS:
        codes[name] = sorted_(codes[name])
    return _Gathered(
        codes=codes,
        words=words,
        ts=sorted_(times),
        score=sorted_(_joined(score, np.float64)),
        acted=sorted_(_joined(acted, np.int8)),
        ids=sorted_(_joined(ids, np.uint64)) if have_ids and ids else None,
    )


def _joined(parts: list[NDArray[_Any]], dtype: type[_Any]) -> NDArray[_Any]:
    """Return parts as one, and forget them."""
    whole = np.concatenate(parts) if parts else np.empty(0, dtype)
    parts.clear()
    return whole


def _vocabulary(parts: list[pa.DictionaryArray]) -> tuple[Codes, tuple[str, ...]]:
    """Return codes into the sorted words that are used, and those words."""
    if not parts:
        return np.empty(0, np.int32), ()
    column = pa.chunked_array(parts, c.TEXT).unify_dictionaries()
    words = column.chunk(0).dictionary
    codes = np.concatenate([part.indices.to_numpy() for part in column.chunks])
    order = pc.sort_indices(words).to_numpy()  # by bytes of UTF-8, which is the order of code points
    used = np.bincount(codes, minlength=len(words)) > 0
    order = order[used[order]]
    rank = np.zeros(len(words), dtype=np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return rank[codes], tuple(words.take(pa.array(order)).to_pylist())

"""Compaction: the older samples are, the longer the spans they are summed over. Sums stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from core.store import histogram, schema
from core.store.samples import COUNTS, SampleFrame, load_samples
from core.store.store import Store
from core.store.upsert import insert_adding

LOW_IS_WORSE = ("availability", "cache_hit_rate")
"""Gauges (by the beginning of their names) of which the lowest is the worst; of all others it is the highest."""

_SAMPLE = schema.sample
_GENERATION = schema.compaction
_BATCH_S = 1800.0  # plan seconds compacted in one transaction: about a thousand rows, a few ms of the write lock
_ROWS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """Samples older than `older_than_s` plan seconds are summed over spans of `bucket_s` plan seconds."""

    older_than_s: float
    bucket_s: float


RULES = (Rule(2 * 86400.0, 300.0), Rule(14 * 86400.0, 3600.0))
"""After two days five minutes, after a fortnight an hour."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was done: rows removed, rows put in their place, and whether there is more to do (see `compact`)."""

    removed: int
    inserted: int
    more: bool


def compaction_generation(connection: Connection, flag: str) -> int:
    """Return a number that changes with each compaction of a flag's samples: those read before must be read anew."""
    return connection.scalar(select(_GENERATION.c.generation).where(_GENERATION.c.flag == flag)) or 0


def compact(
    store: Store, flag: str, now: float, rules: Sequence[Rule] = RULES, *, batches: int | None = None
) -> Compaction:
    """Sum old samples of a flag over longer spans, in short transactions that each leave the sums as they were.

    Rows that start within one span (aligned: a multiple of `bucket_s`) and agree in version, segment and region become
    one row: counts and histograms add exactly. Rows that tell `slow` aren't added to rows that don't, so that its share
    stays right. Gauges don't add: the worst is kept (see `LOW_IS_WORSE`), so that compaction never hides a breach.
    Doing it again changes nothing. A sample that comes in late is added at the next compaction.

    Args:
        store: of the samples.
        flag: key of the feature flag.
        now: plan time.
        rules: from short to long spans.
        batches: at most so many transactions; None: all there is to do.

    Raises:
        StoreUnavailable: the database can't be read or written.
    """
    removed = inserted = done = 0
    for rule in rules:
        cutoff = _floor(now - rule.older_than_s, rule.bucket_s)
        length = max(rule.bucket_s, _floor(_BATCH_S, rule.bucket_s))
        after = float("-inf")
        while (begin := _next(store, flag, rule.bucket_s, after, cutoff, length)) is not None:
            if batches is not None and done == batches:
                return Compaction(removed, inserted, more=True)
            with store.read() as connection:
                frame = load_samples(connection, flag, since=begin, until=min(begin + length, cutoff))
            merged = _merge(frame.select(frame.seconds <= rule.bucket_s), rule.bucket_s)
            if not _replace(store, flag, merged):
                return Compaction(removed, inserted, more=True)
            removed, inserted, done = removed + len(merged.old), inserted + len(merged.rows), done + 1
            after = begin + length
    return Compaction(removed, inserted, more=False)


@dataclass(frozen=True, slots=True)
class _Merged:
    old: list[int]  # seq of the rows to be replaced
    rows: list[dict[str, Any]]  # by these


def _next(store: Store, flag: str, bucket_s: float, after: float, until: float, length: float) -> float | None:
    """Return where the next batch with something to sum begins, at or after a plan time; None if there is none."""
    query = (
        select(_SAMPLE.c.start)
        .where(_SAMPLE.c.flag == flag, _SAMPLE.c.start < until, _SAMPLE.c.seconds < bucket_s)
        .order_by(_SAMPLE.c.start)
        .limit(1)
    )
    if np.isfinite(after):
        query = query.where(_SAMPLE.c.start >= after)
    with store.read() as connection:
        start = connection.scalar(query)
    return None if start is None else _floor(start, length)


def _merge(frame: SampleFrame, bucket_s: float) -> _Merged:
    start = np.floor(frame.start / bucket_s) * bucket_s
    told = ~np.isnan(frame.slow)
    groups: dict[tuple[Any, ...], int] = {}
    keys = zip(start.tolist(), frame.version, frame.segment, frame.region, told.tolist(), strict=True)
    group = np.array([groups.setdefault(key, len(groups)) for key in keys], dtype=np.int64)
    size = np.bincount(group, minlength=len(groups))
    # A row that is alone and has the span's length already is left as it is.
    short = np.bincount(group, weights=frame.seconds < bucket_s, minlength=len(groups)) > 0
    changed = (size > 1) | short
    counts = {name: _add(getattr(frame, name), group, len(groups)) for name in COUNTS}
    slow = _add(np.nan_to_num(frame.slow).astype(np.int64), group, len(groups))
    latency = histogram.merge_groups(frame.latency, group, len(groups))
    gauges: list[dict[str, float] | None] = [None] * len(groups)
    for g, given in zip(group, frame.gauges, strict=True):
        gauges[g] = _worse(gauges[g], given)
    rows = [
        {
            "start": key[0],
            "seconds": bucket_s,
            "version": key[1],
            "segment": key[2],
            "region": key[3],
            **{name: int(counts[name][g]) for name in COUNTS},
            "slow": int(slow[g]) if key[4] else None,
            "latency": histogram.encode(latency[g]),
            "gauges": gauges[g],
        }
        for key, g in groups.items()
        if changed[g]
    ]
    return _Merged(frame.seq[changed[group]].tolist(), rows)


def _replace(store: Store, flag: str, merged: _Merged) -> bool:
    """Put merged rows in the place of old ones; False, and nothing done, if another process was quicker."""
    with store.transaction() as tx:
        # The old rows go last: the numbers of the newest rows must never be given again.
        here = 0
        for i in range(0, len(merged.old), _ROWS_A_QUERY):
            some = merged.old[i : i + _ROWS_A_QUERY]
            here += len(tx.connection.scalars(select(_SAMPLE.c.seq).where(_SAMPLE.c.seq.in_(some))).all())
        if here < len(merged.old):
            return False
        tx.connection.execute(insert(_SAMPLE), [{"flag": flag} | row for row in merged.rows])
        for i in range(0, len(merged.old), _ROWS_A_QUERY):
            tx.connection.execute(delete(_SAMPLE).where(_SAMPLE.c.seq.in_(merged.old[i : i + _ROWS_A_QUERY])))
        rise = insert_adding(tx.connection, _GENERATION, "generation")
        tx.connection.execute(rise, {"flag": flag, "generation": 1})
    return True


def _add(values: NDArray[np.int64], group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    out = np.zeros(groups, dtype=np.int64)
    np.add.at(out, group, values)
    return out


def _worse(a: dict[str, float] | None, b: dict[str, float] | None) -> dict[str, float] | None:
    if a is None or b is None:
        return a or b
    out = dict(a)
    for name, value in b.items():
        pick = min if name.startswith(LOW_IS_WORSE) else max
        out[name] = pick(out.get(name, value), value)
    return out


def _floor(time: float, step: float) -> float:
    return float(np.floor(time / step) * step)

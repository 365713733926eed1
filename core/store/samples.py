"""The metrics log: samples put in once each, and read back as columns."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from core.store import histogram, schema
from core.store.sample import Sample

REMEMBER_S = 2 * 86400.0
"""Wall seconds for which the id of a sample or batch is remembered: longer than any sender retries."""

_IDS_A_QUERY = 500
COUNTS = ("requests", "errors", "fallbacks", "probes", "probes_ok", "compared", "disagreed")
_COLUMNS = ("seq", "start", "seconds", "version", "segment", "region", *COUNTS, "slow", "latency", "gauges")
_SELECT = select(*(schema.sample.c[name] for name in _COLUMNS))


@dataclass(frozen=True, slots=True, eq=False)
class SampleFrame:
    """Samples as columns, one row a sample; every array has shape (rows,).

    Attributes:
        seq: place in the metrics log; 0 of a sample that isn't stored.
        start, seconds: the span, in plan time and plan seconds.
        version, segment, region: object arrays of `str`.
        requests, errors, fallbacks, probes, probes_ok, compared, disagreed: as in `Sample`.
        slow: requests above the latency limit; NaN where not told.
        latency: object array of encoded histograms (`bytes`; b"" where not told).
        gauges: object array of `dict[str, float]`, or None where there are none.
    """

    seq: NDArray[np.int64]
    start: NDArray[np.float64]
    seconds: NDArray[np.float64]
    version: NDArray[np.object_]
    segment: NDArray[np.object_]
    region: NDArray[np.object_]
    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    fallbacks: NDArray[np.int64]
    probes: NDArray[np.int64]
    probes_ok: NDArray[np.int64]
    compared: NDArray[np.int64]
    disagreed: NDArray[np.int64]
    slow: NDArray[np.float64]
    latency: NDArray[np.object_]
    gauges: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.seq)

    def select(self, mask: NDArray[Any]) -> SampleFrame:
        """Return the rows of a boolean mask of shape (rows,), or of an index array."""
        return SampleFrame(*(getattr(self, f.name)[mask] for f in fields(self)))

    @staticmethod
    def of(samples: Iterable[Sample]) -> SampleFrame:
        """Lay samples out as columns, in their order."""
        return _frame([(0, *(getattr(s, name) for name in _COLUMNS[1:-1]), dict(s.gauges) or None) for s in samples])


def _frame(rows: Sequence[Sequence[Any]]) -> SampleFrame:
    columns = dict(zip(_COLUMNS, zip(*rows, strict=True) if rows else ((),) * len(_COLUMNS), strict=True))
    arrays: dict[str, Any] = {name: np.array(columns[name], dtype=np.int64) for name in ("seq", *COUNTS)}
    # Where `slow` isn't told it is None, which numpy makes NaN.
    arrays |= {name: np.array(columns[name], dtype=np.float64) for name in ("start", "seconds", "slow")}
    arrays |= {name: _objects(columns[name]) for name in ("version", "segment", "region", "latency", "gauges")}
    return SampleFrame(**arrays)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=np.object_)
    out[:] = values
    return out


def latency_of(frame: SampleFrame) -> histogram.Counts:
    """Add up the latency histograms of all rows; shape (histogram.BUCKETS,)."""
    return histogram.merge(frame.latency)


def quantile_of(frame: SampleFrame, q: float) -> float | None:
    """Return the q-quantile of the latencies of all rows, in ms, within 2 %; None where no row tells any."""
    return histogram.quantile(latency_of(frame), q)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of samples that were sent: how many are new, and how many were here already."""

    accepted: int
    repeated: int


def add_samples(connection: Connection, flag: str, samples: Iterable[Sample]) -> Accepted:
    """Put samples into the metrics log of a flag, within the caller's transaction.

    A sample whose id this flag has had in the last `REMEMBER_S` wall seconds, or twice in `samples`, is a repeat: it is
    counted and changes nothing.
    """
    sent = list(samples)
    by_key = {_key("sample", flag, s.id): s for s in reversed(sent)}
    new = _first_time(connection, list(by_key), time.time())
    rows = [sample_row(flag, sample) for key, sample in reversed(by_key.items()) if key in new]
    if rows:
        connection.execute(insert(schema.sample), rows)
    return Accepted(len(rows), len(sent) - len(rows))


def remember_batch(connection: Connection, batch: str, wall: float) -> bool:
    """Remember the id that a sender chose for a batch; False: it has been seen before, and the batch is a repeat."""
    return bool(_first_time(connection, [_key("batch", "", batch)], wall))


def load_samples(
    connection: Connection, flag: str, *, since: float | None = None, until: float | None = None, after_seq: int = 0
) -> SampleFrame:
    """Return the samples of a flag in the order they were stored.

    Args:
        connection: of the store.
        flag: key of the feature flag.
        since, until: plan times; only samples that start in [since, until).
        after_seq: only samples stored after this one. A compaction stores merged rows anew: whoever keeps a frame and
            asks for the rest must compare `compaction_generation` and begin again where it has changed.
    """
    table = schema.sample
    query = _SELECT.where(table.c.flag == flag).order_by(table.c.seq)
    if since is not None:
        query = query.where(table.c.start >= since)
    if until is not None:
        query = query.where(table.c.start < until)
    if after_seq > 0:
        query = query.where(table.c.seq > after_seq)
    return _frame(connection.execute(query).fetchall())


def sample_row(flag: str, sample: Sample) -> dict[str, Any]:
    """Return the row of table `sample` that a sample is stored as."""
    row: dict[str, Any] = {name: getattr(sample, name) for name in _COLUMNS[1:]}
    return row | {"flag": flag, "gauges": dict(sample.gauges) or None}


def _key(kind: str, flag: str, sent_id: str) -> str:
    # Hashed: of bounded length whatever the sender chose, and two flags' senders can't take each other's ids.
    return hashlib.sha256("\0".join((kind, flag, sent_id)).encode("utf-8", "surrogatepass")).hexdigest()


def _first_time(connection: Connection, keys: Sequence[str], wall: float) -> set[str]:
    """Remember keys and return those that weren't remembered yet; forget those that are too old."""
    table = schema.received
    connection.execute(delete(table).where(table.c.wall < wall - REMEMBER_S))
    new = set(keys)
    for i in range(0, len(keys), _IDS_A_QUERY):
        known = select(table.c.id).where(table.c.id.in_(keys[i : i + _IDS_A_QUERY]))
        new.difference_update(connection.scalars(known))
    if new:
        connection.execute(insert(table), [{"id": key, "wall": wall} for key in new])
    return new

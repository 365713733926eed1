"""Which cohort is this learner in? Answered from the newest run's Parquet, and remembered."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from core.learners.cache import Cache, CacheStats
from core.learners.model import CohortModel
from core.learners.runs import files_of
from core.store import Store, StoreUnavailable, schema

_RUN = schema.cohort_run.c


@dataclass(frozen=True, slots=True)
class Membership:
    """What the newest run says of a learner.

    Attributes:
        run: its id. at: when it was, plan time. simulated: what is made up about its learners; "" for real ones.
        known: whether the run has the learner.
        cohort: number, None where there are too few events to say. archetype, name: what the cohort is called.
        stale: why there may be a newer run; "" when this one was just seen to be the newest.
    """

    run: str
    at: float
    simulated: str
    known: bool
    cohort: int | None = None
    archetype: str | None = None
    name: str | None = None
    stale: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    id: str
    at: float
    simulated: str
    names: tuple[str, ...]


class LearnerRows:
    """Rows of runs' assignments, one learner at a time. Thread-safe.

    Args:
        store: knows the runs; their files are in its home.
        cache: remembers rows by run and learner, of whom it sees a hash.
    """

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store, self._cache = store, cache
        self._lock = threading.Lock()
        self._newest: _Run | None = None

    def row(self, run: str, learner: str) -> dict[str, Any] | None:
        """Return a learner's row of a run, without the id; None where the run has no such learner.

        Raises:
            OSError: the run's file is gone or can't be read.
        """
        key = _key(run, learner)
        known, row = _decoded(self._cache.get(key))
        if known:
            return row
        row = self._read(run, learner)
        self._cache.put(key, json.dumps(row, separators=(",", ":"), allow_nan=False).encode())
        return row

    def membership(self, learner: str) -> Membership | None:
        """Return what the newest run says of a learner; None while there is no run.

        Raises:
            OSError: the run's file is gone or can't be read.
            StoreUnavailable: the database can't be read, and no run is remembered.
        """
        run, stale = self._newest_run()
        if run is None:
            return None
        row = self.row(run.id, learner)
        if row is None:
            return Membership(run.id, run.at, run.simulated, False, stale=stale)
        cohort = row["cohort"]
        name = None if cohort is None else run.names[cohort]
        return Membership(run.id, run.at, run.simulated, True, cohort, row["archetype"], name, stale)

    def stats(self) -> CacheStats:
        """Return what the cache has done."""
        return self._cache.stats()

    def _read(self, run: str, learner: str) -> dict[str, Any] | None:
        try:
            learner.encode()
        except UnicodeEncodeError:  # JSON allows a lone surrogate; no file does
            return None
        try:
            found = pq.read_table(files_of(self._store.home, run).assignments, filters=[("learner_id", "=", learner)])
        except FileNotFoundError:
            raise OSError(f"the file of run {run} is gone") from None
        except (pa.ArrowInvalid, OSError):
            raise OSError(f"the file of run {run} can't be read") from None
        rows: list[dict[str, Any]] = found.drop_columns("learner_id").to_pylist()
        return rows[0] if rows else None

    def _newest_run(self) -> tuple[_Run | None, str]:
        """Return the newest run, and why that may not be so; asked each time, as a new run is to count at once."""
        newest = select(_RUN.id).order_by(_RUN.at.desc(), _RUN.id.desc()).limit(1)
        try:
            with self._store.read() as connection:
                id_ = connection.scalar(newest)
                known = self._newest
                if id_ is None or (known is not None and known.id == id_):
                    return (None if id_ is None else known), ""
                row = connection.execute(select(_RUN.at, _RUN.simulated, _RUN.model).where(_RUN.id == id_)).one()
        except StoreUnavailable as error:
            if self._newest is None:
                raise
            return self._newest, str(error)
        names = tuple(cohort.name for cohort in CohortModel.from_json(row.model).cohorts)
        run = _Run(id_, row.at, row.simulated, names)
        with self._lock:
            self._newest = run
        return run, ""


def _key(run: str, learner: str) -> str:
    told = f"{run}\0{learner}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, digest_size=20).hexdigest()


def _decoded(value: bytes | None) -> tuple[bool, dict[str, Any] | None]:
    """Return whether a value is an answer, and the row; what somebody else wrote under our key is none."""
    if value is None:
        return False, None
    try:
        row = json.loads(value)
    except ValueError:
        return False, None
    if row is None:
        return True, None
    return (True, row) if isinstance(row, dict) and {"cohort", "archetype"} <= row.keys() else (False, None)

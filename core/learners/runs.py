"""Runs that found cohorts, remembered: what was found in the store, one row a learner in Parquet beside it.

A run is there once its row is committed, and its files are written before: whoever is stopped in between leaves files
without a row, which `sweep` removes.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, insert, select

from core.learners.cohorts import FEATURES
from core.learners.events import Events, EventsError
from core.learners.model import CohortModel
from core.learners.output import write_cohorts
from core.store import Store, schema

FOLDER = "cohorts"
_ROW_GROUP = 1 << 18
_ORPHANED_S = 86_400.0
"""Wall seconds after which files without a row belong to nobody who still runs."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found, before it is remembered.

    Attributes:
        source: what was read, in words, without passwords. simulated: what is made up about it; "" for real learners.
        learners, events: how many there are.
        model: constants, scaler, centroids, cohorts, the evidence for their number, quality.
        options: what was asked for.
        rejected: rows that couldn't be used, as `Rejected.to_json` says them. seconds: by stage, "total" of all.
    """

    source: str
    learners: int
    events: int
    model: CohortModel
    simulated: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CohortRun:
    """A run that is remembered. `at`: plan time."""

    id: str
    at: float
    found: Found

    @property
    def model(self) -> CohortModel:
        """What was found."""
        return self.found.model


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Where a run's files are; all but the assignments only where there was something to keep."""

    assignments: Path
    events: Path
    money: Path
    rejected: Path


def new_id(wall: float | None = None) -> str:
    """Return an id for a run; ids sort by time."""
    moment = datetime.fromtimestamp(time.time() if wall is None else wall, UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def files_of(home: Path, run: str) -> RunFiles:
    """Return where a run's files are, or would be."""
    folder = home / FOLDER
    return RunFiles(
        folder / f"{run}.parquet",
        folder / f"{run}.events.parquet",
        folder / f"{run}.money.parquet",
        folder / f"{run}.rejected.csv",
    )


def write_assignments(path: Path, events: Events, table: NDArray[np.void], model: CohortModel) -> None:
    """Write one row a learner of events in memory; see `output.write_cohorts`."""
    write_cohorts(path, pa.array(events.learners.tolist(), pa.string()), table, events.domains, model)


def write_events(path: Path, events: Events) -> None:
    """Keep events, for looking at one learner; the file is there whole or not at all. Raises EventsError."""
    new = path.with_name(f".{path.name}.new")
    try:
        pq.write_table(events.table(), new, compression="zstd", row_group_size=_ROW_GROUP)
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise EventsError(f"{path}: can't be written: {error.strerror or error}") from None


def write_money(path: Path, money: pa.Table) -> None:
    """Keep revenue and cost by learner. Raises EventsError."""
    try:
        pq.write_table(money, path, compression="zstd")
    except OSError as error:
        raise EventsError(f"{path}: can't be written: {error.strerror or error}") from None


def remember(store: Store, found: Found, id_: str) -> CohortRun:
    """Keep a run whose files are written: the assignments by `write_cohorts`, the others where there is anything.

    Raises:
        StoreUnavailable: the database can't be written.
    """
    run = CohortRun(id_, store.clock().now(), found)
    with store.transaction() as tx:
        tx.connection.execute(insert(schema.cohort_run), _row(run))
    return run


def _row(run: CohortRun) -> dict[str, Any]:
    found = run.found
    return {
        "id": run.id,
        "at": run.at,
        "source": found.source,
        "simulated": found.simulated,
        "learners": found.learners,
        "events": found.events,
        "options": dict(found.options),
        "model": found.model.to_json(),
        "rejected": json.loads(json.dumps(found.rejected)),
        "seconds": dict(found.seconds),
    }


def _run(row: Row[Any]) -> CohortRun:
    found = Found(
        source=row.source,
        learners=row.learners,
        events=row.events,
        model=CohortModel.from_json(row.model),
        simulated=row.simulated,
        options=row.options,
        rejected=row.rejected,
        seconds=row.seconds,
    )
    return CohortRun(row.id, row.at, found)


def all_runs(connection: Connection) -> list[CohortRun]:
    """Return every run that is remembered, newest first."""
    rows = connection.execute(
        select(schema.cohort_run).order_by(schema.cohort_run.c.at.desc(), schema.cohort_run.c.id.desc())
    )
    return [_run(row) for row in rows]


def load_run(connection: Connection, id_: str) -> CohortRun | None:
    """Return a run, or None."""
    row = connection.execute(select(schema.cohort_run).where(schema.cohort_run.c.id == id_)).one_or_none()
    return None if row is None else _run(row)


def forget_run(store: Store, id_: str) -> None:
    """Forget a run and remove its files; nothing where there is none."""
    with store.transaction() as tx:
        tx.connection.execute(delete(schema.cohort_run).where(schema.cohort_run.c.id == id_))
    discard(store.home, id_)


def discard(home: Path, id_: str) -> None:
    """Remove the files of a run that isn't, or is no longer, remembered, half-written ones too."""
    for path in (home / FOLDER).glob(f"*{id_}.*"):
        path.unlink(missing_ok=True)


def sweep(store: Store, wall: float | None = None) -> int:
    """Remove files, more than a day old, of runs that were stopped before they were remembered; return how many."""
    now = time.time() if wall is None else wall
    with store.read() as connection:
        known = set(connection.scalars(select(schema.cohort_run.c.id)))
    removed = 0
    for path in (store.home / FOLDER).glob("*"):
        owner = path.name.lstrip(".").split(".", 1)[0]
        if path.is_file() and owner not in known and now - path.stat().st_mtime > _ORPHANED_S:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def events_of(home: Path, run: str, learner: str) -> pa.Table | None:
    """Return one learner's events in order of time, in the canonical schema; None where the run's weren't kept."""
    path = files_of(home, run).events
    if not path.exists():
        return None
    # Sorted by learner: the statistics of the row groups leave one or two of them to read.
    found = pq.read_table(path, filters=[("learner_id", "=", learner)])
    return found.sort_by("ts")


def features_of_row(row: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the features of one row of the assignments, shape (1, len(FEATURES)), NaN for null."""
    values = [row["events_per_week"] if name == "log_events_per_week" else row[name] for name in FEATURES]
    known = np.array([[np.nan if value is None else value for value in values]], dtype=np.float64)
    at = FEATURES.index("log_events_per_week")
    known[:, at] = np.log1p(known[:, at])
    return known

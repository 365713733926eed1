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
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, insert, select

from core.learners.clustering import nearest
from core.learners.cohorts import FEATURES, features_of
from core.learners.events import Events, EventsError
from core.learners.model import CohortModel
from core.learners.traits import AFFINITIES, NOT_KNOWN, TRAJECTORIES, TRENDS
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
        model: constants, scaler, centroids, cohorts and the evidence for their number.
        quality: figures of the clustering by name. options: what was asked for.
        rejected: rows that couldn't be used, as `Rejected.to_json` says them. seconds: by stage, "total" of all.
    """

    source: str
    learners: int
    events: int
    model: CohortModel
    simulated: str = ""
    quality: Mapping[str, Any] = field(default_factory=dict)
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
    """Where a run's files are; the events and the rejected rows only where they were kept."""

    assignments: Path
    events: Path
    rejected: Path


def new_id(wall: float | None = None) -> str:
    """Return an id for a run; ids sort by time."""
    moment = datetime.fromtimestamp(time.time() if wall is None else wall, UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def files_of(home: Path, run: str) -> RunFiles:
    """Return where a run's files are, or would be."""
    folder = home / FOLDER
    return RunFiles(folder / f"{run}.parquet", folder / f"{run}.events.parquet", folder / f"{run}.rejected.csv")


def assignments(
    learners: NDArray[np.str_],
    table: NDArray[np.void],
    domains: tuple[str, ...],
    model: CohortModel,
    money: pa.Table | None = None,
) -> pa.Table:
    """Return one row a learner: id, traits, cohort and archetype; nulls where a trait has none.

    Args:
        learners: ids, shape (L,). table: their traits, dtype `traits.TRAITS`, shape (L,).
        domains: the vocabulary of `top_domain`.
        money: columns learner_id, revenue and cost, for the learners that have any.
    """
    label = model.assign(table)
    columns: dict[str, pa.Array] = {"learner_id": pa.array(learners.tolist(), pa.string())}
    for name in table.dtype.names or ():
        values = table[name]
        if name in _WORDS:
            columns[name] = _words(values, _WORDS[name])
        elif name == "top_domain":
            columns[name] = _words(values, domains)
        elif values.dtype.kind == "f":
            columns[name] = pa.array(np.ascontiguousarray(values), mask=np.isnan(values))
        else:
            columns[name] = pa.array(np.ascontiguousarray(values))
    columns["cohort"] = pa.array(label.astype(np.int32), mask=label == NOT_KNOWN)
    columns["archetype"] = _words(label, tuple(cohort.archetype for cohort in model.cohorts))
    if money is not None:
        place = pc.index_in(columns["learner_id"], value_set=money["learner_id"].combine_chunks())
        for name in ("revenue", "cost"):
            columns[name] = pc.take(money[name].combine_chunks(), place)
    return pa.table(columns)


_WORDS = {"trend": TRENDS, "affinity": AFFINITIES, "trajectory": TRAJECTORIES}


def _words(codes: NDArray[Any], words: tuple[str, ...]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes == NOT_KNOWN)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(words), pa.string()))


def quality_of(model: CohortModel, table: NDArray[np.void]) -> dict[str, float]:
    """Return figures of a clustering: `silhouette` of its k where that was tried; `explained`, see there.

    `explained` is the part of the learners' squared distances from the mean learner, in scaled traits, that lies
    between cohorts rather than within them, 0 to 1.
    """
    points = model.scaler(features_of(table)[table["events"] > 0])
    total = float(((points - points.mean(axis=0)) ** 2).sum())
    within = float(nearest(points, model.centroids)[1].sum())
    figures = {"explained": 1 - within / total if total > 0 else 0.0}
    if (score := model.silhouettes.get(len(model.cohorts))) is not None:
        figures["silhouette"] = score
    return figures


def remember(store: Store, found: Found, table: pa.Table, events: Events | None = None, id_: str = "") -> CohortRun:
    """Keep a run.

    Args:
        found: what was found. table: as `assignments` gives it.
        events: kept, too, for looking at one learner; None: not kept.
        id_: given where rejected rows have been written under it already.

    Raises:
        EventsError: the files can't be written. StoreUnavailable: the database can't.
    """
    id_ = id_ or new_id()
    files = files_of(store.home, id_)
    try:
        files.assignments.parent.mkdir(parents=True, exist_ok=True)
        _write(table, files.assignments)
        if events is not None:
            _write(events.table(), files.events)
    except OSError as error:
        raise EventsError(f"{files.assignments.parent}: the run can't be kept there: {error.strerror}") from None
    run = CohortRun(id_, store.clock().now(), found)
    with store.transaction() as tx:
        tx.connection.execute(insert(schema.cohort_run), _row(run))
    return run


def _write(table: pa.Table, path: Path) -> None:
    new = path.with_name(f".{path.name}.new")
    pq.write_table(table, new, compression="zstd", row_group_size=_ROW_GROUP)
    os.replace(new, path)


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
        "quality": dict(found.quality),
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
        quality=row.quality,
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
    files = files_of(store.home, id_)
    for path in (files.assignments, files.events, files.rejected):
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
    """Return the features of one row of `assignments`, shape (1, len(FEATURES)), NaN for null."""
    values = [row["events_per_week"] if name == "log_events_per_week" else row[name] for name in FEATURES]
    known = np.array([[np.nan if value is None else value for value in values]], dtype=np.float64)
    at = FEATURES.index("log_events_per_week")
    known[:, at] = np.log1p(known[:, at])
    return known

"""New learners scored with what an earlier run found: its constants, its scaler, its centroids, its names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.learners.analysis import Analysis
from core.learners.cohorts import FEATURES, Cohort, features_of
from core.learners.events import EventsError
from core.learners.importing import EventStream, collect
from core.learners.kernel import finish, scan
from core.learners.model import CohortModel
from core.learners.output import MODEL_KEY, write_cohorts


def read_model(path: Path) -> CohortModel:
    """Return the model in a file of cohorts. Raises EventsError: there is none."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return CohortModel.from_json(metadata[MODEL_KEY].decode())
    except FileNotFoundError:
        raise EventsError(f"{path}: no such file; expected one that `canary cohorts --out` has written") from None
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        raise EventsError(
            f"{path}: holds no cohort model; expected a Parquet file that `canary cohorts --out` has written"
        ) from None


def score(
    stream: EventStream,
    model: CohortModel,
    out: Path,
    *,
    as_of: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Analysis:
    """Score a source's learners with a model and write them to a Parquet file, one row a learner; all in memory.

    What a learner is compared with is as the model has it, and so is the length of the window. Cohorts are told with
    how many of these learners are in each, and with their means.

    Args:
        as_of: end of the window, microseconds since 1970; None: the last of these events.

    Raises EventsError: the source can't be read or has no events, or the file can't be written.
    """
    tell = progress or (lambda *_: None)
    began = [time.perf_counter()]
    tell("read", 0)
    events = collect(stream)
    began.append(time.perf_counter())
    tell("traits", 0)
    constants = replace(model.constants, as_of=events.as_of if as_of is None else as_of)
    table = finish(scan(events, constants.as_of, constants.weeks, recall=constants.recall), constants)
    began.append(time.perf_counter())
    tell("cluster", 0)
    frozen = replace(model, constants=constants)
    cohorts = _cohorts_of(frozen, table)
    began.append(time.perf_counter())
    tell("write", 0)
    write_cohorts(out, pa.array(events.learners.tolist(), pa.string()), table, events.domains, frozen)
    began.append(time.perf_counter())
    seconds = dict(zip(("read", "traits", "cluster", "write"), np.diff(began).tolist(), strict=True))
    return Analysis(
        learners=events.learners.size,
        active=int((table["events"] > 0).sum()),
        events=len(events),
        model=replace(frozen, cohorts=cohorts),
        seconds=seconds | {"total": began[-1] - began[0]},
        rejected=dict(stream.rejected.reasons),
        notes=tuple(stream.notes),
    )


def _cohorts_of(model: CohortModel, table: NDArray[np.void]) -> tuple[Cohort, ...]:
    """Return a model's cohorts with the number and the mean traits of these learners."""
    labels, features = model.assign(table), features_of(table)
    told = []
    for cohort in model.cohorts:
        own = features[labels == cohort.number]
        means = {
            name: float(np.mean(known)) if (known := own[~np.isnan(own[:, i]), i]).size else None
            for i, name in enumerate(FEATURES)
        }
        told.append(replace(cohort, learners=len(own), traits=means))
    return tuple(told)

"""From a source of events to a file of cohorts, in bounded memory: what `canary cohorts` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.learners import traits as t
from core.learners.cluster import Dask
from core.learners.cohorts import FEATURES
from core.learners.events import DAY_US, WEEK_US
from core.learners.importing import EventStream
from core.learners.model import CohortModel, cohorts_of
from core.learners.output import write_cohorts
from core.learners.partition import KEEP_BYTES, PARTS, Engine, Parts, Population, scan_parts

Progress = Callable[[str, int], None]
"""Told the stage ("read", "traits", "cluster", "write") and the rows of it so far."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in a source.

    Attributes:
        learners: all of them. active: with an event in the window; the others have no cohort.
        events: usable ones, each once. seconds: of each stage, and "total".
        rejected: rows that couldn't be used, by reason. notes: what a user should know.
    """

    learners: int
    active: int
    events: int
    model: CohortModel
    seconds: dict[str, float]
    rejected: dict[str, int]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `canary cohorts --json` prints it."""
        model = self.model
        return {
            "learners": self.learners,
            "events": self.events,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "k": len(model.cohorts),
            "quality": model.quality
            | {
                "left_out": dict(model.scaler.left_out),
                "tried": {
                    str(k): {"silhouette": model.silhouettes[k], "stability": model.stabilities[k]}
                    for k in model.silhouettes
                },
            },
            "cohorts": [
                {
                    "id": cohort.number,
                    "archetype": cohort.archetype,
                    "learners": cohort.learners,
                    "traits": {name: cohort.traits[name] for name in FEATURES},
                }
                for cohort in model.cohorts
            ],
            "rejected": {"rows": sum(self.rejected.values()), "reasons": self.rejected},
        }


def analyze(
    stream: EventStream,
    out: Path,
    *,
    k: int | None = None,
    as_of: int | None = None,
    weeks: int = t.WEEKS,
    seed: int = 0,
    progress: Progress | None = None,
    parts: int = PARTS,
    keep_bytes: int = KEEP_BYTES,
    folder: Path | None = None,
    engine: Engine | None = None,
) -> Analysis:
    """Find the cohorts of a source's learners and write them to a Parquet file, one row a learner.

    Args:
        k: number of cohorts; None: chosen from the data. as_of: end of the window, microseconds since 1970; None: the
            last event. weeks: its length.
        parts, keep_bytes, folder: see `Parts`. engine: where parts are scanned; None: on this process's threads. The
            answers depend on none of them, but which repeated events are given as examples.

    Raises EventsError: the source can't be read, has no events in the window, or the file can't be written.
    """
    seconds: dict[str, float] = {}
    tell = progress or _silent
    found = _population(
        stream, Parts(parts, keep_bytes, folder, in_files=isinstance(engine, Dask)), as_of, weeks, engine, tell, seconds
    )
    tell("cluster", 0)
    with _timed(seconds, "cluster"):
        model, table = cohorts_of(found.scan, k=k, seed=seed)
    tell("write", 0)
    with _timed(seconds, "write"):
        write_cohorts(out, found.learners, table, found.domains, model)
    seconds["total"] = sum(seconds.values())
    active = int((table["events"] > 0).sum())
    return Analysis(
        learners=len(found.learners),
        active=active,
        events=found.events,
        model=model,
        seconds=seconds,
        rejected=dict(stream.rejected.reasons),
        notes=(*stream.notes, *_window_note(found, active, weeks)),
    )


def _population(
    stream: EventStream,
    parts: Parts,
    as_of: int | None,
    weeks: int,
    engine: Engine | None,
    tell: Progress,
    seconds: dict[str, float],
) -> Population:
    with parts:
        with _timed(seconds, "read"):
            parts.add_all(_told(stream, tell))
        tell("traits", 0)
        with _timed(seconds, "traits"):
            return scan_parts(parts, as_of, weeks, stream.reject_repeated, engine)


def _silent(stage: str, rows: int) -> None:
    pass


def _told(stream: EventStream, tell: Progress) -> Iterator[pa.RecordBatch]:
    for batch in stream:
        yield batch
        tell("read", stream.rows)


def _window_note(found: Population, active: int, weeks: int) -> Iterator[str]:
    """Say so where most learners' events lie before the window: real logs often end in a thin tail."""
    if 2 * active >= len(found.learners):
        return
    yield (
        f"only {active:,} of {len(found.learners):,} learners have an event in the last {weeks} weeks, so the others "
        f"have no cohort; --weeks {weeks_for_half(found.last, found.scan.as_of)} would take in half of them"
    )


def weeks_for_half(last: NDArray[np.int64], as_of: int) -> int:
    """Return the shortest window that holds an event of half of the learners.

    Args:
        last: time of each learner's last event, microseconds since 1970, like `as_of`.
    """
    return max(1, -(-int(np.median(as_of - last) + DAY_US) // WEEK_US))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - began

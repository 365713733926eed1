"""What `analyze` has found in a source, remembered in a home: for a run that a page asked for, or the command line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from core.learners import runs
from core.learners.analysis import Analysis
from core.learners.importing import EventStream
from core.learners.importing.canonical import EXTRA_NUMBERS
from core.learners.money import money_of
from core.learners.runs import CohortRun, Found, RunFiles
from core.store import Store

STAGE_OF = {"read": "reading", "traits": "finding cohorts", "cluster": "finding cohorts", "write": "writing"}
"""What a run's stages are called, by those of `analyze`."""


def refused(stream: EventStream, written: Path) -> dict[str, Any]:
    """Return what a stream that has been read rejected; an empty file of rejected rows isn't kept."""
    told = stream.rejected.to_json() | {"skipped": stream.skipped, "notes": list(stream.notes)}
    if not told["rows"]:
        written.unlink(missing_ok=True)
    return told


def money_in(stream: EventStream) -> pa.Table | None:
    """Return revenue and cost by learner, read anew, where the source has either."""
    return None if set(EXTRA_NUMBERS).isdisjoint(stream.mapping.fields) else money_of(stream.again())


def found_in(got: Analysis, stream: EventStream, files: RunFiles, source: str, options: Mapping[str, Any]) -> Found:
    """Return what is remembered of an analysis, and write what learners brought and cost where that is told."""
    rejected = refused(stream, files.rejected) | {"notes": list(got.notes)}
    if (money := money_in(stream)) is not None:
        runs.write_money(files.money, money)
    seconds: dict[str, float] = {}
    for stage, taken in got.seconds.items():
        name = STAGE_OF.get(stage, stage)
        seconds[name] = round(seconds.get(name, 0.0) + taken, 3)
    return Found(
        source=source,
        learners=got.learners,
        events=got.events,
        model=got.model,
        options=options,
        rejected=rejected,
        seconds=seconds,
    )


class Keeping:
    """A run whose files are being written; leaving the block before `keep` leaves nothing in the home.

    Attributes:
        files: where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._id, self._kept = store, runs.new_id(), False
        self.files = runs.files_of(store.home, self._id)

    def __enter__(self) -> Keeping:
        """Make room."""
        self.files.assignments.parent.mkdir(parents=True, exist_ok=True)
        return self

    def keep(
        self, got: Analysis, stream: EventStream, out: Path, rejected: Path | None, options: Mapping[str, Any]
    ) -> CohortRun:
        """Remember what was found in a stream and written to `out`, of which the home keeps a copy.

        Args:
            rejected: where rejected rows were written, if not to `files.rejected`.

        Raises StoreUnavailable, OSError or EventsError: it can't be remembered.
        """
        if rejected is not None and rejected.suffix == ".csv":
            shutil.copyfile(rejected, self.files.rejected)
        new = self.files.assignments.with_suffix(".parquet.new")
        shutil.copyfile(out, new)
        os.replace(new, self.files.assignments)
        source = str(Path(stream.source).resolve()) if stream.format != "sql" else stream.source
        found = found_in(got, stream, self.files, source, options)
        run = runs.remember(self._store, found, self._id)
        self._kept = True
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the files, unless the run is remembered."""
        if not self._kept:
            runs.discard(self._store.home, self._id)

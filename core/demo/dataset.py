"""The demo's learners on disk: their events, the frozen cohort model, a segment each; shared by the processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.demo.population import SIMULATED, make_population, window_weeks
from core.learners import WEEKS, CohortModel, Events, EventsError, find_cohorts, finish, read_events, runs, scan
from core.store import Store

_COLUMNS = ("learners", "offsets", "ts", "domain", "skill", "type", "score", "acted")
_ACTIVITY = ("very quiet", "quiet", "busy", "very busy")
_FOCUS = ("broad", "focused")
INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the demo runs on.

    Attributes:
        segments: names. segment: int8 codes into them, one a learner.
        simulated: what is made up about the learners; "" for real ones.
        source: where they come from, in words.
    """

    events: Events
    model: CohortModel
    segments: tuple[str, ...]
    segment: NDArray[np.int8]
    simulated: str
    source: str

    def segment_of(self, index: int) -> str:
        """Return the segment of a learner by index."""
        return self.segments[int(self.segment[index])]


def prepare(learners: int, path: Path | None, seed: int = 7) -> Dataset:
    """Make up learners, or read real ones from `path`, and find their cohorts.

    Raises EventsError when the file can't be read or holds too few learners.
    """
    if path is None:
        events, _ = make_population(learners, seed)
        source, simulated = f"{events.learners.size:,} made-up learners", SIMULATED
    else:
        events = read_events(path)
        source, simulated = f"{events.learners.size:,} learners from {path}", ""
        if events.learners.size < 200:
            raise EventsError(f"{path}: {events.learners.size} learners; a canary of 1 % needs 200 at least")
    weeks = window_weeks(events, WEEKS)
    model, table = find_cohorts(events, weeks=weeks)
    if weeks > WEEKS:
        source += f", over {weeks} weeks (the last {WEEKS} hold fewer than half of them)"
    names, codes = segments_of(table)
    return Dataset(events, model, names, codes, simulated, source)


def segments_of(table: NDArray[np.void]) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Return eight segments, quarters of activity by focus, and the code of each learner of a traits table.

    Learners without an event in the window are a ninth.
    """
    active = table["events"] > 0
    quarters = np.percentile(table["events_per_week"][active], [25, 50, 75])
    activity = np.searchsorted(quarters, table["events_per_week"])
    focused = table["concentration"] > np.median(table["concentration"][active])
    code = np.where(active, np.minimum(activity, 3) * 2 + focused, 8)
    names = tuple(f"{a}, {f}" for a in _ACTIVITY for f in _FOCUS)
    return (*names, INACTIVE), code.astype(np.int8)


def remember(dataset: Dataset, store: Store) -> None:
    """Keep the learners as a run, for the pages; the same ones are kept once."""
    model = dataset.model.to_json()
    with store.read() as connection:
        if any(run.model.to_json() == model for run in runs.all_runs(connection)):
            return
    events, id_ = dataset.events, runs.new_id()
    files = runs.files_of(store.home, id_)
    files.assignments.parent.mkdir(parents=True, exist_ok=True)
    constants = dataset.model.constants
    table = finish(scan(events, constants.as_of, constants.weeks), constants)
    runs.write_assignments(files.assignments, events, table, dataset.model)
    runs.write_events(files.events, events)
    found = runs.Found(
        dataset.source,
        int(events.learners.size),
        len(events),
        dataset.model,
        dataset.simulated,
        rejected={"rows": sum(events.rejected.values()), "reasons": dict(events.rejected)},
    )
    runs.remember(store, found, id_)


def save(dataset: Dataset, folder: Path) -> None:
    """Write a dataset to a folder of plain arrays, which several processes can map at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _COLUMNS:
        np.save(folder / f"{name}.npy", getattr(dataset.events, name))
    np.save(folder / "segment.npy", dataset.segment)
    (folder / "model.json").write_text(dataset.model.to_json())
    words = {
        "domains": dataset.events.domains,
        "skills": dataset.events.skills,
        "types": dataset.events.types,
        "rejected": dict(dataset.events.rejected),
        "segments": dataset.segments,
        "simulated": dataset.simulated,
        "source": dataset.source,
    }
    (folder / "words.json").write_text(json.dumps(words))


def load(folder: Path) -> Dataset:
    """Map what `save` wrote."""
    words = json.loads((folder / "words.json").read_text())
    # Copy-on-write maps: shared pages, but writable to the type system, which the compiled kernel is built for.
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in _COLUMNS}
    events = Events(
        **{name: column.view(np.ndarray) for name, column in columns.items()},
        domains=tuple(words["domains"]),
        skills=tuple(words["skills"]),
        types=tuple(words["types"]),
        rejected=words["rejected"],
    )
    return Dataset(
        events=events,
        model=CohortModel.from_json((folder / "model.json").read_text()),
        segments=tuple(words["segments"]),
        segment=np.load(folder / "segment.npy"),
        simulated=words["simulated"],
        source=words["source"],
    )

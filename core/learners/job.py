"""A run over a file, a folder or a database, as a program: told what to do on stdin, tells how far it is on stdout.

A server starts it as a process of its own, so that its own answers are never late for it, and may kill it at any time:
a run is there whole or not at all. It ends when its stdin is closed, as happens when the server dies.

    stdin: one line, a `Request` as JSON. stdout: lines of JSON, `{"stage", "rows"}` and last `{"run"}` or `{"error"}`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.learners.analysis import analyze, weeks_for_half
from core.learners.events import Events, EventsError
from core.learners.importing import EventStream, MappingError, collect, open_events, parse_mapping
from core.learners.keeping import STAGE_OF, found_in, money_in, refused
from core.learners.model import find_cohorts
from core.learners.runs import (
    CohortRun,
    Found,
    RunFiles,
    files_of,
    new_id,
    remember,
    write_assignments,
    write_events,
    write_money,
)
from core.learners.traits import WEEKS
from core.store import Store, StoreUnavailable

STAGES = ("reading", "finding cohorts", "writing")
_TOLD_S = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked for.

    Attributes:
        home, url: where state lives, and the database.
        source: a path on this machine or an SQLAlchemy URL. name: how it is called; "" as the source.
        query: what to select, for a database. format: "auto" or one of `FORMATS`.
        mapping: YAML text; "": the usual one.
        weeks: length of the window. k: number of cohorts; None: chosen from the data. seed: same seed, same answer.
        keep_events: so that pages can show one learner's.
        made_up: learners to make up, where the program can; then there is no source.
        run: the run's id; "": a new one.
    """

    home: str
    url: str
    source: str = ""
    name: str = ""
    query: str | None = None
    format: str = "auto"
    mapping: str = ""
    weeks: int = WEEKS
    k: int | None = None
    seed: int = 0
    keep_events: bool = True
    made_up: int = 0
    run: str = ""

    def options(self) -> dict[str, Any]:
        """Return what is remembered of it with the run."""
        told = asdict(self)
        return {name: told[name] for name in ("query", "format", "weeks", "k", "seed", "keep_events")}


@dataclass(slots=True)
class Read:
    """What was read. `rejected`: as `Rejected.to_json` says it. `simulated`: what is made up about it."""

    events: Events
    source: str
    simulated: str = ""
    rejected: dict[str, Any] = field(default_factory=dict)
    money: pa.Table | None = None


class Told:
    """How far a run is, told a few times a second by a thread of its own, so that long steps needn't."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self.say = say
        self.rows: Callable[[], int] = lambda: 0
        self._stage = ""
        self._began = 0.0
        self._seconds: dict[str, float] = {}

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Tell of the stages until the end of the block."""
        done = threading.Event()

        def tell() -> None:
            while not done.wait(_TOLD_S):
                self.say({"stage": self._stage, "rows": self.rows()})

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def at(self, stage: str) -> None:
        """Begin a stage, and so end the one before."""
        now = time.perf_counter()
        if self._stage:
            self._seconds[self._stage] = round(self._seconds.get(self._stage, 0.0) + now - self._began, 3)
        self._stage, self._began = stage, now
        self.say({"stage": stage, "rows": self.rows()})

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each stage until now, and of all."""
        self.at(self._stage)
        return self._seconds | {"total": round(sum(self._seconds.values()), 3)}


def read(request: Request, told: Told, rejected: Path) -> Read:
    """Read all of a file, a folder or a database; rejected rows are written to a file.

    Raises EventsError or MappingError.
    """
    stream = _opened(request).write_rejected(rejected)
    told.rows = lambda: stream.rows
    events = collect(stream)
    return Read(events, request.name or stream.source, rejected=refused(stream, rejected), money=money_in(stream))


def _opened(request: Request) -> EventStream:
    mapping = parse_mapping(request.mapping, "mapping.yaml") if request.mapping.strip() else None
    return open_events(request.source, request.format, mapping, request.query)


Reader = Callable[[Request, Told, Path], Read]


def work(store: Store, request: Request, told: Told, reader: Reader = read) -> CohortRun:
    """Read, find cohorts and remember them; in bounded memory where no learner's events are kept.

    Raises EventsError, MappingError or StoreUnavailable; their messages are for the person who asked.
    """
    id_ = request.run or new_id()
    files = files_of(store.home, id_)
    files.assignments.parent.mkdir(parents=True, exist_ok=True)
    with told.going_on():
        told.at("reading")
        if request.keep_events or request.made_up:
            found = _in_memory(request, told, reader, files)
        else:
            found = _streamed(request, told, files)
        return remember(store, found, id_)


def _in_memory(request: Request, told: Told, reader: Reader, files: RunFiles) -> Found:
    got = reader(request, told, files.rejected)
    events = got.events
    told.rows = lambda: len(events)
    told.at("finding cohorts")
    model, table = find_cohorts(events, weeks=request.weeks, k=request.k, seed=request.seed)
    told.at("writing")
    write_assignments(files.assignments, events, table, model)
    if got.money is not None:
        write_money(files.money, got.money)
    if request.keep_events:
        write_events(files.events, events)
    active = int((table["events"] > 0).sum())
    notes = list(got.rejected.get("notes", ()))
    if 2 * active < events.learners.size:
        weeks = weeks_for_half(events.ts[events.offsets[1:] - 1], events.as_of)
        notes.append(_thin(active, events.learners.size, request.weeks, weeks))
    return Found(
        source=got.source,
        learners=int(events.learners.size),
        events=len(events),
        model=model,
        simulated=got.simulated,
        options=request.options(),
        rejected=got.rejected | {"notes": notes},
        seconds=told.seconds(),
    )


def _thin(active: int, learners: int, weeks: int, enough: int) -> str:
    """Say so where most learners' events lie before the window: real logs often end in a thin tail."""
    return (
        f"Only {active:,} of {learners:,} learners have an event in the last {weeks} weeks, so the others have no "
        f"cohort. {enough} weeks would take in half of them."
    )


def _streamed(request: Request, told: Told, files: RunFiles) -> Found:
    stream = _opened(request).write_rejected(files.rejected)
    told.rows = lambda: stream.rows
    stages = ["reading"]

    def progress(stage: str, rows: int) -> None:  # noqa: ARG001 -- the stream knows
        if STAGE_OF[stage] != stages[-1]:
            stages.append(STAGE_OF[stage])
            told.at(stages[-1])

    got = analyze(
        stream, files.assignments, k=request.k, weeks=request.weeks, seed=request.seed, progress=progress,
        folder=files.assignments.parent,
    )  # fmt: skip
    found = found_in(got, stream, files, request.name or stream.source, request.options())
    return replace(found, seconds=told.seconds())


def run(reader: Reader = read) -> int:
    """Do what stdin asks for; return the exit code: 0 done, 1 the answer is no."""
    os.nice(10)  # whoever asked goes on serving meanwhile
    lock = threading.Lock()

    def say(document: dict[str, Any]) -> None:
        with lock:
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()

    request = Request(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        store = Store.open(request.url, Path(request.home))
        try:
            say({"run": work(store, request, Told(say), reader).id})
        finally:
            store.close()
    except (EventsError, MappingError, StoreUnavailable) as error:
        say({"error": str(error)})
        return 1
    except MemoryError:
        say({"error": "there is not enough memory for these events; `canary cohorts` reads them in parts"})
        return 1
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)

"""Compiles all there is to compile, on a handful of events, so that nobody waits for it at the first real ones."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from core.compiled import mark, marked
from core.learners import kernel
from core.learners.analysis import analyze
from core.learners.events import DAY_US, Event, Events, from_events
from core.learners.importing import collect, open_events
from core.learners.log import Log, recall_of_log, scan_log
from core.learners.model import find_cohorts
from core.learners.names import Names, part_of, sort_order
from core.learners.recall import Recall


def is_warm() -> bool:
    """Say whether `warm` has been through with this very code, and what it compiled is kept."""
    return marked(__name__)


def warm() -> None:
    """Load the compiled code, or compile it and keep it: a minute the first time, then a fraction of a second."""
    events = from_events({f"{learner}": _made(learner) for learner in range(12)})
    with tempfile.TemporaryDirectory(prefix="canary-warm-") as folder:
        for path in _files(events, Path(folder)):
            analyze(open_events(path), Path(folder) / "out.parquet", k=2)
            collect(open_events(path))
    find_cohorts(events, k=2)
    recall = Recall((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.1, 1.0, 0)
    constants = kernel.scan(events).constants()
    kernel.scan_one(events, 0, replace(constants, recall=recall))
    log = Log.of(events, np.arange(len(events))[::-1])
    scan_log(log, recall=recall_of_log(log))
    words = [str(number) for number in range(600)]
    Names(2).add(pa.array(words))
    sort_order(pa.array(words[::-1], pa.large_string()))
    for names in (pa.array(words), np.array(words)):
        part_of(names, 2)
    mark(__name__)


def _made(learner: int) -> list[Event]:
    """Return events of which some are scored again and again, so that a model of recall is fitted."""
    return [
        Event(day * DAY_US, "d", f"s{day % 3}", "feedback", day % 5 / 4 if day % 4 else None, day % 2 == 0)
        for day in range(30 + learner)
    ]


def _files(events: Events, folder: Path) -> list[Path]:
    """Write the events, the last first, as Parquet, as Parquet with a column more, and as CSV."""
    table = events.table().take(pa.array(np.arange(len(events))[::-1]))
    pq.write_table(table, folder / "events.parquet")
    pq.write_table(table.append_column("note", table["skill"]), folder / "more.parquet")
    texts = pa.table({name: table[name].cast(pa.string()) for name in ("learner_id", "ts", "domain", "skill")})
    pyarrow.csv.write_csv(texts, folder / "events.csv")
    return [folder / name for name in ("events.parquet", "more.parquet", "events.csv")]

"""Compiles all there is to compile, on a handful of events, so that nobody waits for it at the first real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from core.learners import kernel
from core.learners.clustering import kmeans
from core.learners.events import DAY_US, Event, from_events
from core.learners.model import cohorts_of
from core.learners.partition import Parts, scan_parts
from core.learners.recall import Recall


def warm() -> None:
    """Load the compiled code, or compile it and keep it: half a minute the first time, then a fraction of a second."""
    made = {
        f"{learner}": [Event(day * DAY_US, "d", f"s{day % 3}", "feedback", 0.5, True) for day in range(learner + 3)]
        for learner in range(6)
    }
    events = from_events(made)
    backwards = events.table().take(pa.array(np.arange(len(events))[::-1]))
    names = pa.dictionary(pa.int32(), pa.string())
    backwards = backwards.set_column(0, "learner_id", backwards["learner_id"].cast(names)).combine_chunks()
    with Parts() as parts:
        for batch in backwards.to_batches():
            parts.add(batch)
        model, table = cohorts_of(scan_parts(parts).scan, k=2)
    model.assign(table)
    kernel.scan_one(events, 0, replace(model.constants, recall=Recall((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.1, 1.0, 0)))
    kmeans(np.zeros((4, 2)), 2, seed=0)

"""When is a rollback proved? At the first clean window of traffic after the switch was read back. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.store import SampleFrame

MIN_REQUESTS = 20
"""Requests that a window must hold before it proves anything."""

NO_TRAFFIC_SPANS = 10
"""After so many sample spans without any request, flag evaluations stand in for it."""

EVALUATIONS = 300
"""Flag evaluations that show a rollback where there is no traffic."""


@dataclass(frozen=True, slots=True)
class CleanWindow:
    """A span in which every request went to the baseline; plan time, `requests` of them."""

    start: float
    end: float
    requests: int


def clean_window(
    frame: SampleFrame, candidate: str, switched_at: float, now: float, sample_s: float
) -> CleanWindow | None:
    """Return the first window that proves a rollback, or None while there is none.

    The window begins after the read-back, grows span by span until it holds MIN_REQUESTS, and begins anew after any
    span in which a request reached the candidate, or was meant for it and served by its fallback. Its last span must
    be over for one span more, so that what other senders have still to report can spoil it.
    """
    later = frame.select(frame.start >= switched_at)
    start: float | None = None
    total = 0
    for span in np.unique(later.start):
        at = later.start == span
        end = float(span + later.seconds[at].max())
        if end + sample_s > now:
            return None
        requests = later.requests[at] + later.fallbacks[at]
        if requests[later.version[at] == candidate].sum() > 0:
            start, total = None, 0
            continue
        start = float(span) if start is None else start
        total += int(requests.sum())
        if total >= MIN_REQUESTS:
            return CleanWindow(start, end, total)
    return None

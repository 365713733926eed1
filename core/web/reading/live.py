"""What the Live page reads: one deployment, from one consistent read."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import streamlit as st

from core.delivery import (
    CheckpointRecord,
    Drill,
    Incident,
    Status,
    Traffic,
    Verdict,
    checkpoints,
    drills,
    incidents,
    latest_verdict,
)
from core.delivery import outlook as say_outlook
from core.store import Clock, Event, Lease, Store, business_sums, current_lease, events, load_samples
from core.web.reading.installation import TTL_S, deliveries, store
from core.web.reading.watching import watched

OUTLOOK_SAMPLES = 240  # two hours of 30 s samples
MARKED = (
    "phase started", "phase passed", "held", "halted", "resumed", "rolled back", "retried", "aborted", "completed",
    "rollback verified",
)  # fmt: skip
"""Kinds of events that charts mark."""

MONITOR = "monitor"
"""Name of the monitor's lease."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known of one deployment, from one consistent read.

    Attributes:
        verdict: the monitor's latest word on the present phase; None before the first.
        began: plan time at which the present attempt's first phase began; None before.
        newest: plan time at which the candidate's newest sample ends; None where there is none.
        drill: the rollback of the present attempt, if there was one.
        marks: the events to mark in charts, oldest first.
    """

    status: Status
    verdict: Verdict | None
    checkpoints: tuple[CheckpointRecord, ...]
    lease: Lease | None
    clock: Clock
    wall: float
    began: float | None
    newest: float | None
    drill: Drill | None
    incidents: tuple[Incident, ...]
    marks: tuple[Event, ...]

    @property
    def now(self) -> float:
        """Plan time of the reading."""
        return self.clock.plan(self.wall)


@st.cache_data(ttl=TTL_S, max_entries=50, show_spinner=False)
def snapshot(deployment: str) -> Snapshot:
    """Read all that is known of a deployment. Shared by all viewers for a second."""
    return take(store(), deliveries().status(deployment))


def take(of: Store, status: Status) -> Snapshot:
    """Read all that is known of a deployment besides its status."""
    wall, clock = time.time(), of.clock()
    with of.read() as connection:
        log = events(connection, deployment=status.id, kinds=MARKED)
        began = next(
            (e.at for e in log if e.kind in {"phase started", "retried"} and e.data.get("attempt") == status.attempt),
            None,
        )
        rolled = [d for d in drills(connection, status.id) if d.attempt == status.attempt]
        verdict = latest_verdict(connection, status.id)
        if verdict is not None and status.phase_started is not None and verdict.at < status.phase_started:
            verdict = None  # of the phase or the attempt before: this one has not been judged yet
        found = Snapshot(
            status=status,
            verdict=verdict,
            checkpoints=tuple(checkpoints(connection, status.id)),
            lease=current_lease(connection, MONITOR),
            clock=clock,
            wall=wall,
            began=began,
            newest=None,
            drill=rolled[0] if rolled else None,
            incidents=tuple(incidents(connection, status.id)),
            marks=tuple(log),
        )
        if status.phase_started is None:
            return found
        watch = watched(of, status, status.phase_started)
        with watch.lock:
            watch.refresh(connection)
            newest = watch.bins.newest(status.plan.candidate)
    return replace(found, newest=newest)


@st.cache_data(ttl=10.0, max_entries=20, show_spinner=False)
def outlook(deployment: str) -> str:
    """Say how long an error rate half as bad again would take to be seen in the phase to come; "" where none is.

    Computed from the traffic and the baseline's errors of the last `OUTLOOK_SAMPLES` samples.
    """
    status, of = deliveries().status(deployment), store()
    plan = status.plan
    following = max(status.phase + 1, 0)
    if status.state.ended or following >= len(plan.phases):
        return ""
    now = of.clock().now()
    with of.read() as connection:
        frame = load_samples(connection, plan.flag, since=now - OUTLOOK_SAMPLES * plan.sample_s)
    lasted = now - float(frame.start.min()) if len(frame) else 0.0
    mine, theirs = (frame.select(frame.version == version) for version in (plan.candidate, plan.baseline))
    requests, served = int(theirs.requests.sum()), int(mine.requests.sum())
    traffic = Traffic(0.0) if lasted <= 0 else Traffic((requests + served) / lasted, candidate_per_s=served / lasted)
    return say_outlook(plan, plan.phases[following], traffic, int(theirs.errors.sum()), requests)


@st.cache_data(ttl=10.0, max_entries=20, show_spinner=False)
def learners_seen(deployment: str) -> dict[str, int]:
    """Return how many learners each version has served since the phase began, where the source tells."""
    status = deliveries().status(deployment)
    if status.phase_started is None:
        return {}
    with store().read() as connection:
        return {
            version: sums.learners
            for version, sums in business_sums(connection, deployment, status.phase_started).items()
        }

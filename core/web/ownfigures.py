"""This server's own memory and cache hit rate as figures of a roll-out whose plan asks for them.

For installations in which cohort-canary itself answers which cohort a learner is in: then its process is what the
plan's `memory` and `cache_hit_rate` are about. Both versions are answered by it, so both get the figures.
"""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from core.delivery import WARN_ONLY, Deliveries, Figure, Plan, Status
from core.learners import CacheStats, LearnerRows
from core.store import Sample, StoreUnavailable, add_samples, load_samples

logger = logging.getLogger(__name__)

_STATM = Path("/proc/self/statm")
_BACK_SPANS = 10
_SHORTEST_S = 0.25


def resident_bytes() -> int:
    """Return the memory of this process: what is resident now, or where the system doesn't tell, its most."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if os.uname().sysname == "Darwin" else most * 1024


def asked_for(plan: Plan) -> frozenset[Figure]:
    """Return which of the two figures a plan has a limit for."""
    limits = [trigger.limit for trigger in plan.triggers] + [c for phase in plan.phases for c in phase.criteria]
    return WARN_ONLY & {limit.figure for limit in limits}


class OwnFigures:
    """Adds this process's figures to the newest span that each version's source has told.

    Never to a later one: they say nothing of the source, and must not make one that has gone quiet look alive.
    """

    def __init__(self, deliveries: Deliveries, learners: LearnerRows) -> None:
        self._deliveries, self._learners = deliveries, learners
        self._who = f"{socket.gethostname()}:{os.getpid()}"
        self._before: dict[str, CacheStats] = {}
        self._told: dict[tuple[str, str], float] = {}

    def run(self, stop: threading.Event) -> None:
        """Record once a span until told to stop; a database that can't be written is tried again."""
        wait = _SHORTEST_S
        while not stop.wait(wait):
            try:
                plans = self.record()
            except StoreUnavailable as error:
                logger.warning("our own figures can't be recorded: %s", error)
                continue
            speed = self._deliveries.store.clock().speed
            wait = max(_SHORTEST_S, min([5.0, *(plan.sample_s / speed / 2 for plan in plans)]))

    def record(self) -> list[Plan]:
        """Record what is due; return the plans that ask for it."""
        watched = [s for s in self._deliveries.all() if s.state.carries_traffic and asked_for(s.plan)]
        for status in watched:
            samples = list(self._samples(status))
            if samples:
                with self._deliveries.store.transaction() as tx:
                    add_samples(tx.connection, status.plan.flag, samples)
        return [status.plan for status in watched]

    def _samples(self, status: Status) -> Iterator[Sample]:
        plan, now = status.plan, self._deliveries.store.clock().now()
        since = max(status.phase_started or now, now - _BACK_SPANS * plan.sample_s)
        with self._deliveries.store.read() as connection:
            frame = load_samples(connection, plan.flag, since=since)
        spans = {}
        for version in (plan.baseline, plan.candidate):
            theirs = frame.select(frame.version == version)
            if len(theirs):
                newest = int((theirs.start + theirs.seconds).argmax())
                start, seconds = float(theirs.start[newest]), float(theirs.seconds[newest])
                if self._told.get((plan.flag, version)) != start:
                    spans[version] = start, seconds
        if not spans:
            return
        gauges = self._gauges(plan)
        for version, (start, seconds) in spans.items():
            self._told[plan.flag, version] = start
            if gauges:
                yield Sample(self._id(plan.flag, version, start), start, seconds, version, gauges=gauges)

    def _gauges(self, plan: Plan) -> dict[str, float]:
        asked, stats = asked_for(plan), self._learners.stats()
        before = self._before.get(plan.flag)
        self._before[plan.flag] = stats
        gauges = {}
        if Figure.MEMORY in asked:
            gauges[str(Figure.MEMORY)] = float(resident_bytes())
        rate = None if before is None else stats.since(before).hit_rate
        if Figure.CACHE_HIT_RATE in asked and rate is not None:  # nobody asked anything: there is no rate
            gauges[str(Figure.CACHE_HIT_RATE)] = rate
        return gauges

    def _id(self, flag: str, version: str, start: float) -> str:
        return (
            "own-" + hashlib.blake2b(f"{self._who}\0{flag}\0{version}\0{start!r}".encode(), digest_size=16).hexdigest()
        )

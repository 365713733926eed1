"""A deployment in a store of its own, with made-up samples (its plan says so), put there by the public functions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.delivery import Action, Command, Deliveries, Monitor, Plan, Status, parse_plan
from core.settings import Settings
from core.store import Clock, LearnerTotals, Sample, Store, add_learner_totals, add_samples, histogram
from core.traffic import FlagService

NOON = 1_761_912_000.0  # 2025-10-31 12:00 UTC

PLAN = """
name: fast-analyzer-test
flag: analyzer
baseline: original
candidate: fast
simulated: learners and revenue are made up
skip_gaps: true
sample: 30 s
revenue: {per: request, currency: USD}
triggers:
  - error_rate > 1.5 % for 2 min
  - latency_p99 > 250 ms for 5 min
  - availability < 99 % for 5 min
phases:
  - name: canary
    traffic: 1 %
    lasts: 2 h
    checkpoints: [15 min, 30 min, 60 min, 90 min, 120 min]
    criteria: [error_rate < 1 %, latency_p99 < 200 ms, availability > 99.9 %, incidents == 0]
  - name: ramp
    traffic: 10 %
    lasts: 4 h
    checkpoints: [1 h, 4 h]
    criteria: [error_rate < 0.5 %, incidents == 0]
"""


@dataclass
class Rollout:
    """A deployment under way, the store it is in, and a way to let plan time go by without waiting."""

    store: Store
    deliveries: Deliveries
    id: str
    settings: Settings

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(3)
        self.monitor = Monitor(self.deliveries, self.settings)
        self.at = self.store.clock().now()

    @property
    def status(self) -> Status:
        return self.deliveries.status(self.id)

    @property
    def plan(self) -> Plan:
        return self.status.plan

    def do(self, action: Action, reason: str = "for the test") -> Status:
        return self.deliveries.command(self.id, Command(action, "test", reason)).status

    def go_on(self, minutes: float, *, errors: float = 0.0008, latency_ms: float = 18.0, watched: bool = True) -> None:
        """Let plan time go by, a sample of each version every 30 s; the candidate as told, the baseline well.

        `watched`: by a monitor of its own; else a server's has to.
        """
        for _ in range(round(2 * minutes)):
            share, samples = self.status.share, []
            for version, requests, rate, ms in (
                (self.plan.candidate, 450 if share else 0, errors, latency_ms),
                (self.plan.baseline, 2600, 0.0008, 30.0),
            ):
                if requests:
                    samples.append(self._sample(version, requests, rate, ms))
            with self.store.transaction() as tx:
                add_samples(tx.connection, self.plan.flag, samples)
                started = self.status.phase_started
                if started is not None:
                    totals = [
                        LearnerTotals(f"{s.version}{k}", s.version, 5, 1.0, 0.5) for s in samples for k in range(7)
                    ]
                    add_learner_totals(tx.connection, self.id, started, totals)
            self.at += 30.0
            self.store.set_clock(Clock(time.time(), self.at + 0.5, 1e-9))
            if watched:
                self.monitor.tick()

    def _sample(self, version: str, requests: int, errors: float, latency_ms: float) -> Sample:
        latencies = self.random.lognormal(np.log(latency_ms), 0.45, requests)
        return Sample(
            id=f"{version}-{self.at}",
            start=self.at,
            seconds=30.0,
            version=version,
            requests=requests,
            errors=int(self.random.binomial(requests, errors)),
            probes=30,
            probes_ok=30,
            latency=histogram.encode(histogram.counts_of(latencies)),
        )

    def let_go(self, speed: float = 1.0) -> None:
        """Let the plan's clock run from here."""
        self.store.set_clock(Clock(time.time(), self.at + 0.5, speed))


@contextmanager
def rollout(home: Path, *, start: bool = True, text: str = PLAN, at: float | None = NOON) -> Iterator[Rollout]:
    """Make a deployment at a plan time, with the plan's clock standing still.

    `at` None: where the clock is. A server that runs already believes a clock for a second: one that was set back would
    have it take the deployment for one that nobody has heard of for an hour.
    """
    settings = Settings(home=home)
    store = Store.open(settings.url, home)
    store.set_clock(Clock(time.time(), store.clock().now() if at is None else at, 1e-9))
    deliveries = Deliveries(store, FlagService(store))
    try:
        made = Rollout(store, deliveries, deliveries.create(parse_plan(text), "test").id, settings)
        if start:
            made.do(Action.START)
        yield made
    finally:
        store.close()

"""A home in which a ramp has been under way for four hours: the state that everything is measured in.

8 segments x 2 versions x 480 spans of 30 s, and 20,000 learners with their totals. Made up; from a fixed seed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.delivery import Action, Command, Deliveries, Plan, Status, load_plan
from core.settings import Settings
from core.store import Clock, LearnerTotals, Sample, Store, add_learner_totals, add_samples, histogram
from core.traffic import FlagService

PLAN = Path(__file__).with_name("plan.yaml")
SPANS = 480
SEGMENTS = 8
LEARNERS = 20_000
RATE = 50.0
"""Requests a plan-second, both versions together."""

STOPPED = 1e-9
"""Speed of a clock that stands still: not 0, because wall times are computed from plan times, too."""

_PERSON = "benchmark"


@dataclass(frozen=True)
class Home:
    """A home with history in it.

    Attributes:
        deployment: id of the one that is under way. ends: plan time at which the history ends.
    """

    path: Path
    deployment: str
    plan: Plan
    ends: float

    def settings(self) -> Settings:
        """Return the settings for this home, whatever the environment says."""
        return Settings(home=self.path, database_url=url_of(self.path), lease_s=600.0)

    def open(self) -> Store:
        """Open its store."""
        return Store.open(url_of(self.path), self.path)


def url_of(home: Path) -> str:
    """Return the URL of a home's database."""
    return f"sqlite:///{home.resolve() / 'canary.sqlite'}"


def stop_clock(store: Store, at: float) -> None:
    """Let the plan's clock stand still at a plan time."""
    store.set_clock(Clock(time.time(), at, STOPPED))


def make_home(path: Path, spans: int = SPANS) -> Home:
    """Make a home with that many spans of history; its clock stands where they end."""
    plan = load_plan(PLAN)
    begin = (time.time() // plan.sample_s - spans) * plan.sample_s
    store = Store.open(url_of(path), path)
    try:
        stop_clock(store, begin)
        flags = FlagService(store)
        deliveries = Deliveries(store, flags)
        deployment = deliveries.create(plan, _PERSON).id
        for action in (Action.START, Action.ADVANCE):
            deliveries.command(deployment, Command(action, _PERSON, "to measure a ramp"))
        flags.close()
        add_spans(store, plan, begin, range(spans))
        _add_learners(store, deliveries.status(deployment))
        ends = begin + spans * plan.sample_s
        stop_clock(store, ends)
    finally:
        store.close()
    return Home(path, deployment, plan, ends)


def add_spans(store: Store, plan: Plan, begin: float, numbers: range) -> None:
    """Add healthy samples for the spans of these numbers, counted from `begin`."""
    rng = np.random.default_rng(numbers.start)
    shares = {plan.candidate: 0.1, plan.baseline: 0.9}
    samples = [
        _sample(f"{number}-{segment}-{version}", plan, begin + number * plan.sample_s, segment, version, share, rng)
        for number in numbers
        for segment in range(SEGMENTS)
        for version, share in shares.items()
    ]
    with store.transaction() as tx:
        add_samples(tx.connection, plan.flag, samples)


def _sample(
    name: str, plan: Plan, start: float, segment: int, version: str, share: float, rng: np.random.Generator
) -> Sample:
    requests = int(rng.poisson(RATE * share * plan.sample_s / SEGMENTS))
    return Sample(
        name,
        start,
        plan.sample_s,
        version,
        segment=f"segment-{segment}",
        requests=requests,
        probes=4,
        probes_ok=4,
        compared=requests // 20,
        slow=0,
        latency=histogram.encode(histogram.counts_of(np.minimum(rng.lognormal(3.0, 0.5, requests), 190.0))),
    )


def _add_learners(store: Store, status: Status) -> None:
    assert status.phase_started is not None
    rng = np.random.default_rng(2)
    candidates = rng.random(LEARNERS) < status.share
    requests = rng.poisson(20.0, LEARNERS)
    totals = [
        LearnerTotals(
            f"{i:032x}",
            status.plan.candidate if candidates[i] else status.plan.baseline,
            int(requests[i]),
            0.0,  # the feed draws learners for each request, so that revenue a learner would differ
            0.5,
        )
        for i in range(LEARNERS)
    ]
    with store.transaction() as tx:
        add_learner_totals(tx.connection, status.id, status.phase_started, totals)

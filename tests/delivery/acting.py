"""What tests of acting share: a plan with short phases, a store with a fast clock, and samples pushed into it."""

import time
from collections import Counter
from itertools import count
from pathlib import Path

from core.delivery import Deliveries, Phase, Status, checkpoints, incidents, parse_plan
from core.settings import Settings
from core.store import Clock, Event, Sample, Store, add_samples, events, histogram, verify_log
from core.traffic import FlagService

PLAN_TEXT = """
name: short
flag: analyzer
baseline: original
candidate: fast
sample: 30 s
simulated: made up by a test
triggers:
  - error_rate > 1.5 % for 2 min
phases:
  - name: canary
    traffic: 1 %
    lasts: 4 min
    checkpoints: [2 min, 4 min]
    criteria: [error_rate < 1 %]
  - name: ramp
    traffic: 10 %
    lasts: 4 min
    checkpoints: [2 min, 4 min]
    criteria: [error_rate < 1 %]
  - name: rollout
    traffic: 100 %
    lasts: 3 min
    checkpoints: [1 min, 2 min, 3 min]
    criteria: [error_rate < 1 %]
"""


def plan():
    """Return a plan whose three phases take eleven minutes of plan time."""
    return parse_plan(PLAN_TEXT, "short.yaml")


def open_store(home: Path, speed: float = 1.0) -> Store:
    """Open a real store (see `database` in tests/conftest.py) whose plan clock runs `speed` times as fast as time."""
    store = Store.open(Settings(home=home).url, home)
    if speed != 1.0:
        now = time.time()
        store.set_clock(Clock(now, now, speed))
    return store


def open_deliveries(home: Path, speed: float = 1.0) -> Deliveries:
    """Open a store with the built-in switch over it."""
    store = open_store(home, speed)
    return Deliveries(store, FlagService(store))


class OneDeployment:
    """What a scene with one deployment can be asked."""

    store: Store
    deliveries: Deliveries
    id: str

    @property
    def status(self) -> Status:
        """How it stands."""
        return self.deliveries.status(self.id)

    def kinds(self) -> list[str]:
        """Return what happened, in order."""
        with self.store.read() as connection:
            return [event.kind for event in events(connection)]

    def open_causes(self) -> list[str]:
        """Return because of what incidents are open."""
        with self.store.read() as connection:
            return [i.cause for i in incidents(connection, open_only=True)]


class Pusher:
    """Pushes samples of both versions into a store, as the API does: whole spans, once each."""

    def __init__(self, store: Store, requests: int = 400) -> None:
        self.store = store
        self.requests = requests
        self.error_share = {"original": 0.0, "fast": 0.0}
        self.share = 0.5
        self._numbers = count()
        self._next: float | None = None

    def push(self) -> int:
        """Push every span that has ended since the last call; return how many."""
        now = self.store.clock().now()
        span = self._next if self._next is not None else now - now % 30.0
        samples = []
        while span + 30.0 <= now:
            for version, part in (("fast", self.share), ("original", 1.0 - self.share)):
                n = round(self.requests * part)
                bad = round(n * self.error_share[version])
                latency = histogram.encode(histogram.counts_of([20.0] * n))
                ident = f"{id(self)}-{next(self._numbers)}"
                samples.append(Sample(ident, span, 30.0, version, requests=n, errors=bad, latency=latency))
            span += 30.0
        self._next = span
        if samples:
            with self.store.transaction() as tx:
                add_samples(tx.connection, "analyzer", samples)
        return len(samples)


def _extended_afterwards(log: list[Event], phase: Phase) -> int:
    """Return how often a phase was extended when all of its plan's checkpoints had been judged."""
    mine = [event for event in log if event.data.get("phase") == phase.name]
    judged = [n for n, event in enumerate(mine) if event.kind == "checkpoint judged"]
    if len(judged) < len(phase.checkpoints):
        return 0
    last = judged[len(phase.checkpoints) - 1]
    return sum(event.kind == "resumed" and event.data.get("extended_s", 0) > 0 for event in mine[last:])


def audit(deliveries: Deliveries) -> tuple[int, int]:
    """Return how many events are missing and how many are there twice, and check what a single action can't show."""
    lost = doubled = 0
    assert verify_log(deliveries.store).ok
    with deliveries.store.read() as connection:
        for status in deliveries.all():
            log = events(connection, deployment=status.id)
            seen = Counter(int(event.data["revision"]) for event in log if "revision" in event.data)
            lost += sum(revision not in seen for revision in range(1, status.revision + 1))
            doubled += sum(times - 1 for times in seen.values())
            doubled += sum(revision > status.revision for revision in seen)
            # Each phase's checkpoints: judged once, in order, none skipped.
            judged = [(c.attempt, c.phase, c.number) for c in checkpoints(connection, status.id)]
            told = [event for event in log if event.kind == "checkpoint judged"]
            assert len(judged) == len(told)
            for index in range(len(status.plan.phases)):
                numbers = [number for _, phase, number in judged if phase == index]
                assert numbers == list(range(len(numbers)))
                if index < status.phase:
                    phase = status.plan.phases[index]
                    spare = len(numbers) - len(phase.checkpoints)
                    # The end of an extension that was given after the plan's last checkpoint is one, too.
                    longer = _extended_afterwards(log, phase)
                    assert spare == 0 if not longer else 1 <= spare <= longer
            # Traffic only ever took the plan's steps, each read back once.
            shares = [event.data["share"] for event in log if event.kind == "traffic switched"]
            assert shares == [share for share in (0.01, 0.1, 1.0, 0.0) if share in shares]
    return lost, doubled

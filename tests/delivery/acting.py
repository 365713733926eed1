"""What tests of acting share: a plan with short phases, a store with a fast clock, and samples pushed into it."""

import time
from itertools import count
from pathlib import Path

from core.delivery import Deliveries, parse_plan
from core.settings import Settings
from core.store import Clock, Sample, Store, add_samples, histogram
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

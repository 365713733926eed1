"""The demo's clients: ask for learners as real clients would, time the answers, probe the workers, push what was seen.

`python -m core.demo.load --data DIR --front URL --api URL ...`, the push token in CANARY_DEMO_PUSH_TOKEN. Latency and
errors are what these clients measured themselves. Ends on SIGTERM or when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from canary_client import Reporter
from core.demo import dataset
from core.demo.connections import Connections, Unreachable
from core.demo.processes import stdin_lines
from core.traffic import bucket

logger = logging.getLogger(__name__)

CANARY_SHARE = 0.01
TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 1.0
MAX_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who is asked for, and how often.

    Attributes:
        canary: ids of the learners with the lowest 1 % of places, who are asked for `canary_rate` times a second.
        others: ids of the rest, `other_rate` times a second.
    """

    canary: NDArray[np.str_]
    others: NDArray[np.str_]
    canary_rate: float
    other_rate: float

    @property
    def rate(self) -> float:
        """Requests a second, all together."""
        return self.canary_rate + self.other_rate

    def pick(self, rng: np.random.Generator) -> str:
        """Return the learner to ask for next."""
        group = self.canary if rng.random() * self.rate < self.canary_rate else self.others
        return str(group[rng.integers(group.size)])


def traffic_of(learners: NDArray[np.str_], salt: str, canary_rate: float, other_rate: float) -> Traffic:
    """Split learners by their place under the plan's salt, as the flag service does at 1 %."""
    low = np.array([bucket(salt, str(learner)) < CANARY_SHARE for learner in learners], dtype=bool)
    if not low.any():
        return Traffic(learners, learners, 0.0, canary_rate + other_rate)
    return Traffic(learners[low], learners[~low], canary_rate, other_rate)


class Prober:
    """Sends health probes to one worker."""

    def __init__(self, version: str, url: str) -> None:
        self.version = version
        self._connections = Connections(url, PROBE_TIMEOUT_S)

    async def probe(self) -> dict[str, Any]:
        """Send one probe; return it as the API takes it."""
        try:
            status, _ = await self._connections.get("/health")
        except Unreachable:
            status = 0
        return {"ts": time.time(), "version": self.version, "ok": status == 200}

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()


class Load:
    """Asks, times and pushes until told to stop."""

    def __init__(
        self,
        traffic: Traffic,
        segments: Mapping[str, str],
        front: str,
        probers: list[Prober],
        reporter: Reporter,
        speed: float,
        sample_s: float,
        seed: int = 5,
    ) -> None:
        self.shed = 0
        self.unattributed = 0
        self._traffic = traffic
        self._segments = segments
        self._front = Connections(front, TIMEOUT_S)
        self._probers = probers
        self._reporter = reporter
        self._speed = speed
        self._sample_s = sample_s
        self._rng = np.random.default_rng(seed)
        self._requests: list[dict[str, Any]] = []
        self._probes: list[dict[str, Any]] = []
        self._to_compare: dict[int, dict[str, Any]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stopped: asyncio.Event) -> None:
        """Run until `stopped` is set, then push what is left."""
        loops = [
            asyncio.create_task(self._ask_on_and_on()),
            asyncio.create_task(self._push_on_and_on()),
            *(asyncio.create_task(self._probe_on_and_on(prober)) for prober in self._probers),
        ]
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait([*loops, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*loops, *self._running):
            task.cancel()
        results = await asyncio.gather(*loops, *self._running, return_exceptions=True)
        stop.cancel()
        self._front.close()
        for prober in self._probers:
            prober.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
        self._report()
        await asyncio.to_thread(self._reporter.close, TIMEOUT_S)

    def _report(self) -> None:
        """Hand what was seen to the client."""
        for record in self._requests:
            self._reporter.record(**record)
        for probe in self._probes:
            self._reporter.probe(**probe)
        self._requests, self._probes = [], []

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _ask_on_and_on(self) -> None:
        """Send requests at random moments of a constant rate, answered or not, up to a bound in flight."""
        at = time.perf_counter()
        while True:
            at = max(at + self._rng.exponential(1 / self._traffic.rate), time.perf_counter() - 1.0)
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            learner = self._traffic.pick(self._rng)
            if len(self._running) >= MAX_IN_FLIGHT:
                self.shed += 1
                continue
            self._spawn(self._ask(learner))

    async def _ask(self, learner: str) -> None:
        began = time.perf_counter()
        try:
            status, body = await self._front.get(f"/learners/{quote(learner, safe='')}/cohort")
            latency_ms = (time.perf_counter() - began) * 1000
            answer = json.loads(body)
            version = answer["version"]
        except (Unreachable, ValueError, KeyError) as error:
            # The front itself is gone: nobody can say which version it would have been.
            self.unattributed += 1
            if self.unattributed == 1:
                logger.warning("the front doesn't answer: %s", error or type(error).__name__)
            return
        record = {
            "ts": time.time(),
            "learner": learner,
            "version": version,
            "latency_ms": round(latency_ms, 3),
            "ok": status == 200,
            "segment": self._segments[learner],
            "region": "",
        }
        for name in ("fallback", "revenue", "cost"):
            if name in answer:
                record[name] = answer[name]
        if answer.get("comparison") is not None:
            self._to_compare[answer["comparison"]] = record
        self._requests.append(record)

    async def _fill_in_comparisons(self) -> None:
        """Note in the records at hand what came of the comparisons with the baseline's answers."""
        if not self._to_compare:
            return
        try:
            _, body = await self._front.get("/comparisons")
            disagreed: dict[str, bool] = json.loads(body)["disagreed"]
        except (Unreachable, ValueError, KeyError):
            disagreed = {}
        for number, record in self._to_compare.items():
            if (differs := disagreed.get(str(number))) is not None:
                record |= {"compared": True, "disagreed": differs}
        self._to_compare = {}

    async def _probe_on_and_on(self, prober: Prober) -> None:
        """Send one probe a plan-second."""
        at = time.perf_counter()
        while True:
            at = max(at + 1 / self._speed, time.perf_counter() - 1.0)
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            self._spawn(self._probe(prober))

    async def _probe(self, prober: Prober) -> None:
        self._probes.append(await prober.probe())

    async def _push_on_and_on(self) -> None:
        """Push what was seen once a sample interval."""
        interval = self._sample_s / self._speed
        at = time.time()
        while True:
            # At the beginning of a sample's span, so that a batch is one span's.
            at = max(at + interval, time.time())
            await asyncio.sleep(at - time.time())
            await self._fill_in_comparisons()
            self._report()
            await asyncio.to_thread(self._reporter.flush, interval)


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    parent = asyncio.create_task(stdin_lines(lambda _: None, stopped.set))
    data = dataset.load(options.data)
    learners = data.events.learners
    segments = {str(learner): data.segment_of(index) for index, learner in enumerate(learners)}
    traffic = traffic_of(learners, options.salt, options.canary_rate, options.other_rate)
    gc.collect()
    gc.freeze()
    probers = [Prober(*pair.split("=", 1)) for pair in options.probe]
    interval = options.sample_s / options.speed
    reporter = Reporter(
        options.api,
        os.environ["CANARY_DEMO_PUSH_TOKEN"],
        options.flag,
        [prober.version for prober in probers],
        source="the demo's load",
        interval_s=interval,
        heartbeat_s=interval,
        timeout_s=TIMEOUT_S,
    )
    load = Load(traffic, segments, options.front, probers, reporter, options.speed, options.sample_s)
    sys.stdout.write(json.dumps({"canary_learners": traffic.canary.size, "learners": learners.size}) + "\n")
    sys.stdout.flush()
    await load.run(stopped)
    logger.info("%d requests shed, %d not attributable to a version", load.shed, load.unattributed)
    parent.cancel()


def main() -> None:
    """Run the load until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that the service prepared")
    parser.add_argument("--front", required=True)
    parser.add_argument("--api", required=True)
    parser.add_argument("--probe", action="append", default=[], metavar="VERSION=URL")
    parser.add_argument("--flag", default="analyzer")
    parser.add_argument("--salt", default="")
    parser.add_argument("--speed", type=float, default=40.0)
    parser.add_argument("--sample-s", type=float, default=30.0, help="plan seconds between two pushes")
    parser.add_argument("--canary-rate", type=float, default=15.0, help="requests a second for the lowest 1 %%")
    parser.add_argument("--other-rate", type=float, default=40.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s load %(levelname)s %(message)s")
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()

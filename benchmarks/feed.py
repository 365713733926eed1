"""The source of figures during a measurement: request records like the demo's, pushed every 0.75 s."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.history import LEARNERS, SEGMENTS
from benchmarks.servers import Server
from benchmarks.wire import Connection, question
from core.delivery import incidents
from core.store import Clock

EVERY_S = 0.75
SPEED = 40.0
"""Of the plan's clock: with it a sample of 30 s takes 0.75 s, and the monitor ticks as often."""

CANDIDATE_RATE, BASELINE_RATE, PROBE_RATE = 15, 40, 40
"""Records a second; probes to each version."""


@dataclass
class Feed:
    """What has been pushed."""

    batches: int = 0
    rejected: int = 0


@asynccontextmanager
async def feeding(server: Server) -> AsyncIterator[Feed]:
    """Let the plan's clock run from where the history ends, and push healthy figures until the block ends."""
    _wind(server)
    feed = Feed()
    task = asyncio.create_task(_push_on(server, feed))
    await asyncio.sleep(2 * EVERY_S)
    try:
        yield feed
    finally:
        failed = task.done()
        task.cancel()
        await asyncio.wait([task])
    if failed:
        task.result()  # raises what went wrong
    if feed.rejected:
        raise RuntimeError(f"{feed.rejected} of the pushed records were rejected")
    _nothing_wrong(server)


def _nothing_wrong(server: Server) -> None:
    """Raise RuntimeError if the monitor found something: then what was measured isn't what was meant."""
    store = server.home.open()
    try:
        with store.read() as connection:
            found = incidents(connection, server.home.deployment, open_only=True)
    finally:
        store.close()
    if found:
        raise RuntimeError(f"an incident during the measurement: {'; '.join(incident.summary for incident in found)}")


def _wind(server: Server) -> None:
    store = server.home.open()
    try:
        if store.clock().speed != SPEED:
            store.set_clock(Clock(time.time(), server.home.ends, SPEED))
    finally:
        store.close()


async def _push_on(server: Server, feed: Feed) -> None:
    connection = await Connection.to(server.port)
    rng = np.random.default_rng(6)
    due = time.monotonic()
    try:
        while True:
            batch = question("POST", "/api/v1/requests", server.port, server.push, _batch(server, rng))
            answer = await connection.ask_json(batch)
            feed.batches += 1
            feed.rejected += sum(answer["rejected"].values())
            due = max(due + EVERY_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
    finally:
        connection.close()


def _batch(server: Server, rng: np.random.Generator) -> dict[str, Any]:
    plan, now = server.home.plan, time.time()
    rates = {plan.candidate: CANDIDATE_RATE, plan.baseline: BASELINE_RATE}
    requests = [
        {
            "ts": now,
            "learner": f"learner-{rng.integers(LEARNERS)}",
            "version": version,
            "latency_ms": min(190.0, float(rng.lognormal(3.0, 0.5))),
            "segment": f"segment-{rng.integers(SEGMENTS)}",
            "compared": version == plan.candidate,
            "revenue": 0.0,  # learners are drawn for each request: revenue a learner would differ between versions
            "cost": 0.01,
        }
        for version, rate in rates.items()
        for _ in range(int(rng.poisson(rate * EVERY_S)))
    ]
    probes = [
        {"ts": now, "version": version, "ok": True} for version in rates for _ in range(int(PROBE_RATE * EVERY_S))
    ]
    return {"batch": uuid.uuid4().hex, "flag": plan.flag, "requests": requests, "probes": probes}

"""Request records pushed into SQLite beside the dashboard: 2,000 a second by services with the client, and the most."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Spread, ms
from benchmarks.history import LEARNERS, SEGMENTS, SPANS, make_home
from benchmarks.senders import reporting
from benchmarks.servers import Server, cpu_seconds, serving
from benchmarks.viewers import watching
from benchmarks.wire import Connection, closed_loop, question
from core.store import Clock

NAME = "push"
RATE = 2000.0
SECONDS = 20.0
PROCESSES = 4
DASHBOARDS = 5
MOST_SECONDS = 5.0
BATCH = 1000


def run(
    folder: Path,
    seconds: float = SECONDS,
    most_seconds: float = MOST_SECONDS,
    rate: float = RATE,
    dashboards: int = DASHBOARDS,
    spans: int = SPANS,
) -> list[Row]:
    """Measure the steady rate with dashboards open, then the most."""
    with serving("serve", make_home(folder / NAME, spans)) as server:
        _run_clock(server)
        return [*asyncio.run(_steady(server, seconds, rate, dashboards)), asyncio.run(_most(server, most_seconds))]


def _run_clock(server: Server) -> None:
    """Let the plan's clock run as fast as ours from where the history ends."""
    store = server.home.open()
    try:
        store.set_clock(Clock(time.time(), server.home.ends, 1.0))
    finally:
        store.close()


async def _steady(server: Server, seconds: float, rate: float, dashboards: int) -> list[Row]:
    with ExitStack() as stack:
        viewers = stack.enter_context(watching(server.port, dashboards, seconds))
        await viewers.measuring()
        senders = stack.enter_context(reporting(server, PROCESSES, rate, seconds))
        before, cpu, began = await _pushes(server), cpu_seconds(server.pid), time.perf_counter()
        seen = await viewers.seen()
        told = [await asyncio.to_thread(sender.communicate) for sender in senders]
        after, cpu_after, took = await _pushes(server), cpu_seconds(server.pid), time.perf_counter() - began
    stats: list[dict[str, Any]] = [json.loads(out) for out, _ in told]
    total = {
        key: sum(one[key] for one in stats) for key in ("recorded", "accepted", "dropped", "waiting_at_end", "failures")
    }
    held = max(one["seconds"] for one in stats)
    mean_ms = 1e3 * (after[0] - before[0]) / max(1.0, after[1] - before[1])
    figures = {
        "rate_per_s": total["accepted"] / held,
        "dropped": float(total["dropped"]),
        "behind_s": total["waiting_at_end"] / rate,
        "retries": float(total["failures"]),
        "push_mean_ms": mean_ms,
        "record_us": max(one["us_per_record"] for one in stats),
    }
    said = (
        f"{figures['rate_per_s']:,.0f}/s stored, {total['dropped']:,} dropped, {figures['behind_s']:.1f} s behind at "
        "the end; "
        f"a push took {ms(mean_ms)} on average; recording one cost the service {figures['record_us']:.1f} µs"
    )
    if cpu is not None and cpu_after is not None:
        figures["server_cpu_percent"] = 100 * (cpu_after - cpu) / took
        said += f"; server at {figures['server_cpu_percent']:.0f} % of a core"
    met = total["accepted"] == total["recorded"] and not total["dropped"] and figures["rate_per_s"] > 0.98 * rate
    spread = Spread.of(seen.refreshes)
    return [
        Row(
            NAME,
            f"{rate:,.0f} request records a second from {PROCESSES} services into SQLite, {dashboards} dashboards open",
            said,
            figures,
            f"{RATE:,.0f}/s sustained",
            met,
        ),
        Row(
            NAME,
            f"Live page refresh meanwhile, {dashboards} viewers",
            f"p50 {ms(spread.p50)}, p99 {ms(spread.p99)}",
            spread.named() | {"viewers": float(dashboards)},
        ),
    ]


async def _pushes(server: Server) -> tuple[float, float]:
    """Return how long the server has spent on pushes, seconds, and on how many."""
    connection = await Connection.to(server.port)
    try:
        status, body = await connection.ask(question("GET", "/metrics", server.port, server.read))
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"/metrics answered HTTP {status}")
    found = dict(re.findall(r"^canary_push_seconds_(sum|count) (\S+)$", body.decode(), re.MULTILINE))
    return float(found["sum"]), float(found["count"])


async def _most(server: Server, seconds: float) -> Row:
    plan, draw = server.home.plan, random.Random(5)
    batches = []
    for _ in range(round(seconds * 60) + 8):
        records = [
            {
                "ts": round(time.time(), 3),
                "learner": f"learner-{draw.randrange(LEARNERS)}",
                "version": plan.candidate if draw.random() < 0.1 else plan.baseline,
                "latency_ms": 20.5,
                "segment": f"segment-{draw.randrange(SEGMENTS)}",
            }
            for _ in range(BATCH)
        ]
        body = {"batch": uuid.uuid4().hex, "flag": plan.flag, "requests": records}
        batches.append(question("POST", "/api/v1/requests", server.port, server.push, body))
    load = await closed_loop(server.port, batches, seconds, connections=4)
    if load.failed:
        raise RuntimeError(f"{load.failed} pushes failed")
    spread = Spread.of(load.latencies)
    rate = load.rate * BATCH
    return Row(
        NAME,
        f"Most records a second, batches of {BATCH:,}, 4 senders",
        f"{rate:,.0f}/s; a push p50 {ms(spread.p50)}, p99 {ms(spread.p99)}",
        {"rate_per_s": rate} | spread.named(),
    )

"""Flag evaluations: how quick at 500 a second, how many at most, with and without dashboards open."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

from benchmarks.feed import feeding
from benchmarks.figures import Row, Spread, ms, times
from benchmarks.history import LEARNERS, make_home
from benchmarks.servers import Server, serving
from benchmarks.viewers import watching
from benchmarks.wire import closed_loop, open_loop

NAME = "flags"
RATE = 500.0
SECONDS = 10.0
MOST_SECONDS = 5.0
WARM_SECONDS = 2.0
DASHBOARDS = 5
AIM_P99_MS = 10.0


def run(folder: Path, seconds: float = SECONDS, most_seconds: float = MOST_SECONDS) -> list[Row]:
    """Measure the server alone and with dashboards, then `canary api`."""
    home = make_home(folder / NAME)
    with serving("serve", home) as server:
        alone = asyncio.run(_measure(server, "the server alone", None, seconds, most_seconds))
        watched = asyncio.run(
            _measure(server, f"{DASHBOARDS} dashboards open", alone, seconds, most_seconds, DASHBOARDS)
        )
    with serving("api", home) as server:
        without = asyncio.run(_measure(server, "`canary api`, without dashboard", alone, seconds, most_seconds))
    return [*alone, *watched, *without]


async def _measure(
    server: Server, where: str, alone: list[Row] | None, seconds: float, most_seconds: float, dashboards: int = 0
) -> list[Row]:
    requests = [server.asking(f"learner-{i}") for i in range(LEARNERS)]
    async with feeding(server):
        await open_loop(server.port, requests, RATE, WARM_SECONDS)
        with ExitStack() as stack:
            if dashboards:
                viewers = stack.enter_context(watching(server.port, dashboards, 4 * (seconds + most_seconds) + 20))
                await viewers.measuring()
            steady = await open_loop(server.port, requests, RATE, seconds)
            most = await closed_loop(server.port, requests, most_seconds)
            if dashboards and viewers.process.poll() is not None:
                raise RuntimeError("the dashboards were gone before the measuring was over")
    spread, busy = Spread.of(steady.latencies), Spread.of(most.latencies)
    failed = steady.failed + most.failed
    if failed:
        raise RuntimeError(f"{failed} evaluations failed")
    figures = {"rate_per_s": steady.rate} | spread.named()
    maximum = {"rate_per_s": most.rate} | busy.named()
    compared = ["", ""]
    if alone is not None:
        figures["ratio"] = spread.p99 / alone[0].figures["p99_ms"]
        maximum["ratio"] = most.rate / alone[1].figures["rate_per_s"]
        compared = [f"; p99 {times(figures['ratio'])} of alone", f" ({times(maximum['ratio'])} of alone)"]
    return [
        Row(
            NAME,
            f"Flag evaluations at {RATE:g}/s, {where}",
            f"p50 {ms(spread.p50)}, p99 {ms(spread.p99)} at {steady.rate:,.0f}/s{compared[0]}",
            figures,
            f"p99 < {AIM_P99_MS:g} ms",
            spread.p99 < AIM_P99_MS,
        ),
        Row(
            NAME,
            f"Most evaluations a second, {where}",
            f"{most.rate:,.0f}/s{compared[1]}, p50 {ms(busy.p50)}, p99 {ms(busy.p99)}",
            maximum,
        ),
    ]

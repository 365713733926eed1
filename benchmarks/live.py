"""The Live page's refreshes with 1, 20 and 50 viewers, and whether the monitor keeps its time meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.feed import EVERY_S, feeding
from benchmarks.figures import Row, Spread, ms, times
from benchmarks.history import make_home
from benchmarks.servers import Server, cpu_seconds, serving
from benchmarks.viewers import watching
from core.delivery import LEASE
from core.store import Store, current_lease

NAME = "live"
VIEWERS = (1, 20, 50)
SECONDS = 20.0
AIM_P50_MS = 100.0
AIM_LATE_S = 1.0
_LOOK_S = 0.1


@dataclass
class Beats:
    """How the monitor kept its time. Seconds.

    Attributes:
        late: latest beginning of a tick. tick: longest tick. gap: longest between the ends of two ticks.
    """

    late: float = 0.0
    tick: float = 0.0
    gap: float = 0.0
    ticks: set[float] = field(default_factory=set)


def run(folder: Path, viewers: tuple[int, ...] = VIEWERS, seconds: float = SECONDS) -> list[Row]:
    """Measure the page with each number of viewers, on one server."""
    with serving("serve", make_home(folder / NAME)) as server:
        return asyncio.run(_all(server, viewers, seconds))


async def _all(server: Server, viewers: tuple[int, ...], seconds: float) -> list[Row]:
    rows: list[Row] = []
    alone = 0.0
    async with feeding(server):
        for count in viewers:
            page, monitor = await _one(server, count, seconds, alone, judged=count == max(viewers))
            alone = alone or page.figures["p50_ms"]
            rows += [page, monitor] if count == max(viewers) else [page]
    return rows


async def _one(server: Server, count: int, seconds: float, alone: float, *, judged: bool) -> tuple[Row, Row]:
    with watching(server.port, count, seconds) as viewers:
        await viewers.measuring()
        before = cpu_seconds(server.pid)
        began = time.perf_counter()
        beats = await _listen(server, seconds)
        after, took = cpu_seconds(server.pid), time.perf_counter() - began
        seen = await viewers.seen()
    spread = Spread.of(seen.refreshes)
    figures = spread.named() | {
        "viewers": count,
        "refreshes_per_s": len(seen.refreshes) / seen.seconds,
        "asked": seen.asked,
        "skipped": seen.skipped,
        "unanswered": seen.unanswered,
        "opening_p50_ms": Spread.of(seen.openings).p50,
        "bytes_per_refresh": seen.bytes / max(1, len(seen.refreshes)),
        "viewers_cpu_percent": 100 * seen.cpu,
    }
    said = f"p50 {ms(spread.p50)}, p99 {ms(spread.p99)}"
    if alone:
        figures["ratio"] = spread.p50 / alone
        said += f" ({times(figures['ratio'])} of one viewer's)"
    if before is not None and after is not None:
        figures["server_cpu_percent"] = 100 * (after - before) / took
        said += f"; server at {figures['server_cpu_percent']:.0f} % of a core"
    if seen.skipped:
        said += f"; {seen.skipped} of {seen.asked} came with the next one"
    if seen.unanswered:
        said += f"; {seen.unanswered} of {seen.asked} not answered"
    page = Row(
        NAME,
        f"Live page refresh, {count} viewer{'s' if count > 1 else ''}, each part every 2 s",
        said,
        figures,
        f"p50 < {AIM_P50_MS:g} ms" if judged else "",
        (spread.p50 < AIM_P50_MS and seen.unanswered < 0.01 * seen.asked) if judged else None,
    )
    over = max(0.0, beats.gap - EVERY_S)
    monitor = Row(
        NAME,
        f"The monitor's latest tick with {count} viewers, due every {EVERY_S:g} s",
        f"began {ms(1e3 * beats.late)} late; a tick took {ms(1e3 * beats.tick)} at most, and ended {ms(1e3 * over)} "
        f"over the {EVERY_S:g} s from the one before at most ({len(beats.ticks)} ticks)",
        {
            "late_ms": 1e3 * beats.late,
            "tick_ms": 1e3 * beats.tick,
            "gap_ms": 1e3 * beats.gap,
            "ticks": len(beats.ticks),
        },
        f"< {AIM_LATE_S:g} s late",
        max(beats.late, over) < AIM_LATE_S and bool(beats.ticks),
    )
    return page, monitor


async def _listen(server: Server, seconds: float) -> Beats:
    """Read the monitor's lease until the time is over, often enough to see every beat."""
    beats = Beats()
    store = server.home.open()
    try:
        until = time.monotonic() + seconds
        last = _beat(store, beats)
        while time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
            beat = _beat(store, beats)
            # Also while none comes: a monitor that stands still must not look punctual.
            beats.gap = max(beats.gap, beat - last if beat > last else time.time() - last)
            last = beat
    finally:
        store.close()
    return beats


def _beat(store: Store, beats: Beats) -> float:
    with store.read() as connection:
        lease = current_lease(connection, LEASE)
    if lease is None:
        raise RuntimeError("no monitor has the lease")
    beats.late, beats.tick = max(beats.late, lease.late_s), max(beats.tick, lease.tick_s)
    beats.ticks.add(lease.beat)
    return lease.beat

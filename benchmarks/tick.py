"""A tick of the monitor with four hours of samples, eight segments and two versions behind it."""

from __future__ import annotations

import gc
import time
from pathlib import Path

from benchmarks.figures import Row, Spread, ms, times
from benchmarks.history import SEGMENTS, SPANS, add_spans, make_home, stop_clock
from core.delivery import LEASE, Deliveries, Monitor, incidents, latest_verdict
from core.store import Store, current_lease, release_lease
from core.traffic import FlagService

NAME = "tick"
REPEATS = 40
AIM_MS = 50.0


def run(folder: Path, spans: int = SPANS, repeats: int = REPEATS) -> list[Row]:
    """Measure ticks that go on from the last one, each with a new span's samples; then first ticks after a start."""
    home = make_home(folder / "tick", spans)
    begin = home.ends - spans * home.plan.sample_s
    store = home.open()
    flags = FlagService(store)
    deliveries = Deliveries(store, flags)
    settings = home.settings()
    try:
        monitor = Monitor(deliveries, settings)
        monitor.tick()  # judges the checkpoints of all four hours
        gc.collect()
        gc.freeze()  # as the server does
        steady: list[tuple[float, float]] = []
        for number in range(spans, spans + repeats):
            add_spans(store, home.plan, begin, range(number, number + 1))
            stop_clock(store, begin + (number + 1) * home.plan.sample_s)
            steady.append(_timed(monitor, home.deployment))
        cold = []
        for _ in range(repeats):
            _free_lease(store)  # so that the next one needn't wait for its end
            cold.append(_timed(Monitor(deliveries, settings), home.deployment))
        state = deliveries.status(home.deployment).state
    finally:
        gc.unfreeze()
        flags.close()
        store.close()
    if not state.carries_traffic or state.ended:
        raise RuntimeError(f"the deployment that was to be judged is {state}")
    history = f"{spans * home.plan.sample_s / 3600:g} h x {SEGMENTS} segments x 2 versions"
    one, first = Spread.of([wall for wall, _ in steady]), Spread.of([wall for wall, _ in cold])
    work, first_work = Spread.of([cpu for _, cpu in steady]), Spread.of([cpu for _, cpu in cold])
    return [
        Row(
            NAME,
            f"Monitor tick, {history}",
            f"median {ms(one.p50)}, longest of {one.count} {ms(one.max)}; {ms(work.p50)} of processor time",
            one.named() | work.named("processor_"),
            f"< {AIM_MS:g} ms",
            one.max < AIM_MS,
        ),
        Row(
            NAME,
            "The first tick after a start, which reads all of them",
            f"median {ms(first.p50)}, longest of {first.count} {ms(first.max)}; {ms(first_work.p50)} of processor time "
            f"({times(first_work.p50 / work.p50)})",
            first.named() | first_work.named("processor_") | {"ratio": first_work.p50 / work.p50},
        ),
    ]


def _free_lease(store: Store) -> None:
    with store.read() as connection:
        lease = current_lease(connection, LEASE)
    if lease is not None:
        release_lease(store, LEASE, lease.token)


def _timed(monitor: Monitor, deployment: str) -> tuple[float, float]:
    """Return the seconds that a tick took, by the wall and by the processor."""
    began, processor = time.perf_counter(), time.process_time()
    done = monitor.tick()
    seconds = time.perf_counter() - began, time.process_time() - processor
    with monitor.store.read() as connection:
        verdict = latest_verdict(connection, deployment)
        problems = incidents(connection, deployment, open_only=True)
    # A tick that failed is quick, too.
    if not done.led or verdict is None or abs(verdict.at - monitor.store.clock().now()) > 1.0 or problems:
        raise RuntimeError(f"a tick did not judge: {done}, {[incident.summary for incident in problems]}")
    return seconds

"""What works on its own: the monitor, the traffic switch, the sources of figures, the clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import func, select

from core.delivery import LEASE, read_switch
from core.delivery.words import duration, percent
from core.doctor.check import Installation, Verdict, check, failed, ok, warning
from core.doctor.storage import store_of
from core.metrics import SourcesError, known_sources, load_sources
from core.store import current_lease, events, schema

SKEW_S = 2.0
"""Wall seconds by which clocks may differ: leases and samples are still told apart."""


@check("monitor")
def monitor(at: Installation) -> Iterator[Verdict]:
    """Does one watch?"""
    if (store := store_of(at)) is None:
        return
    with store.read() as connection:
        lease = current_lease(connection, LEASE)
    now = time.time()
    if lease is None or not lease.is_held(now, at.settings.tick_s):
        since = (
            "none has ever run" if lease is None else f"the last tick was {duration(max(0.0, now - lease.beat))} ago"
        )
        yield failed(f"no monitor is at work ({since}): nobody would notice a failing candidate",
                     "canary serve, or canary monitor; where one is running, see its log")  # fmt: skip
    elif lease.late_s > at.settings.tick_s:
        yield warning(f"{lease.holder}: its last tick began {lease.late_s:.1f} s late",
                      "The machine is too busy: run canary monitor by itself")  # fmt: skip
    else:
        yield ok(f"{lease.holder}, last tick {duration(max(0.0, now - lease.beat))} ago, {lease.late_s:.2f} s late")


@check("traffic switch")
def traffic_switch(at: Installation) -> Iterator[Verdict]:
    """Can it be read, and does it do what was decided?"""
    if store_of(at) is None:
        return
    if at.deliveries is None:
        yield failed("its settings can't be used", at.switch_trouble)
        return
    name = at.deliveries.switch.name
    flags = list(dict.fromkeys(s.plan.flag for s in at.deliveries.all() if s.state.carries_traffic))
    for flag in flags:
        reading = read_switch(at.deliveries, flag)
        if reading is None:
            yield ok(f"{name}: flag {flag} is being set")
        elif reading.problem:
            yield failed(
                f"{name}, flag {flag}: {reading.problem}", 'canary switch --restore --reason "..."; see canary switch'
            )
        else:
            yield ok(f"{name}: flag {flag} is at {percent(reading.share)} as decided")
    if not flags:
        yield ok(f"{name}; nothing is under way")


@check("sources")
def sources(at: Installation) -> Iterator[Verdict]:
    """Do figures come in for what is under way?"""
    if at.settings.sources is not None:
        try:
            load_sources(at.settings.sources)
        except SourcesError as error:
            yield failed(f"{at.settings.sources} can't be used", str(error))
    if (store := store_of(at)) is None or at.deliveries is None:
        return
    now = store.clock().now()
    under_way = [s for s in at.deliveries.all() if s.state.carries_traffic]
    with store.read() as connection:
        asked = known_sources(connection)
        newest: dict[tuple[str, str], float] = {
            (status.plan.flag, version): found
            for status in under_way
            for version in (status.plan.candidate, status.plan.baseline)
            if (found := connection.scalar(_newest(status.plan.flag, version))) is not None
        }
    for source in asked:
        if source.problem:
            yield failed(
                f"{source.name} ({source.url}): {source.problem}", "See the Sources page, which has a try-it button"
            )
    for status in under_way:
        plan = status.plan
        for version in (plan.candidate, plan.baseline):
            if version == plan.baseline and status.share >= 1.0:
                continue
            age = now - newest.get((plan.flag, version), status.phase_started or status.created)
            said = f"{plan.flag}: {version}: "
            if (plan.flag, version) not in newest and age <= plan.silent_after_s:
                yield ok(f"{said}no sample yet")
            elif age > plan.silent_after_s:
                yield failed(f"{said}no sample for {duration(age)}: the roll-out holds",
                             "Is your service still sending? See the Sources page and docs/push.md")  # fmt: skip
            else:
                yield ok(f"{said}newest sample ended {duration(max(0.0, age))} ago")
    if not under_way:
        yield ok("nothing is under way that would need figures")


def _newest(flag: str, version: str):  # type: ignore[no-untyped-def]
    table = schema.sample
    return select(func.max(table.c.start + table.c.seconds)).where(table.c.flag == flag, table.c.version == version)


@check("clock")
def clock(at: Installation) -> Iterator[Verdict]:
    """Do this machine and the database agree what time it is, and did the clock ever go back?"""
    if (store := store_of(at)) is None:
        return
    if store.engine.dialect.name != "sqlite":
        before = time.time()
        with store.read() as connection:
            theirs = float(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)
        skew = (before + time.time()) / 2 - theirs
        if abs(skew) > SKEW_S:
            ahead = "ahead of" if skew > 0 else "behind"
            yield failed(
                f"this machine is {abs(skew):.1f} s {ahead} the database server", "Synchronise both (chrony, NTP)"
            )
        else:
            yield ok(f"within {max(0.01, abs(skew)):.2f} s of the database server's")
    with store.read() as connection:
        last = events(connection, newest_first=True, limit=1)
    if last and last[0].wall > time.time() + SKEW_S:
        yield failed(f"it was set back: the newest event is of {duration(last[0].wall - time.time())} from now",
                     "Synchronise it (chrony, NTP)")  # fmt: skip
    speed = store.clock().speed
    if speed != 1.0:
        yield warning(f"the plan's clock runs {speed:g} times as fast as time: this is a demo's database",
                      "Use another CANARY_HOME for real traffic")  # fmt: skip
    elif store.engine.dialect.name == "sqlite":
        yield ok("no event is of the future, and the plan's clock is real time")

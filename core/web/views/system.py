"""Records -> what the System page shows. Pure."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from core.delivery import Drill, Reading
from core.delivery.words import duration, percent
from core.learners import CacheStats
from core.store import Clock, Lease
from core.web.views.marks import Mark, Tone
from core.web.views.pulse import monitor_death
from core.web.views.times import ago, clock_time, exact_time, precise

Pairs = tuple[tuple[str, str], ...]
_PACKAGES = ("cohort-canary", "streamlit", "plotly", "fastapi", "sqlalchemy", "numpy", "numba", "openfeature-sdk")


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One rollback in the drill history. `target_s`: whether it was verified within the five minutes of the plan."""

    at: str
    deployment: str
    who: str
    reason: str
    switched: str
    verified: str
    verified_wall: str


def monitor_facts(lease: Lease | None, wall: float, period_s: float) -> tuple[Mark, Pairs]:
    """Say how the monitor does."""
    dead = monitor_death(lease, wall)
    mark = Mark(Tone.BAD, "heart_broken", "not running") if dead else Mark(Tone.GOOD, "favorite", "running")
    if lease is None:
        return mark, (("State", dead),)
    facts = (
        ("Held by", lease.holder or "nobody"),
        ("Last tick", ago(wall - lease.beat)),
        ("It began late by", precise(lease.late_s)),
        ("It took", precise(lease.tick_s)),
        ("Ticks at least every", duration(period_s)),
        ("Lease token", str(lease.token)),
        (
            "Lease runs out",
            f"in {duration(lease.expires - wall)}" if lease.expires > wall else f"ran out {ago(wall - lease.expires)}",
        ),
    )
    return mark, facts


def switch_facts(name: str, readings: Mapping[str, Reading | None]) -> tuple[Mark, Pairs]:
    """Say what the traffic switch does. `readings`: by flag; None where a decision has not been confirmed yet."""
    told = [("What", name)]
    for flag, reading in readings.items():
        if reading is None:
            told.append((flag, "a decision is on its way"))
        elif reading.problem:
            told.append((flag, reading.problem))
        else:
            told.append((flag, f"{percent(reading.share)} of the learners, as decided"))
    if not readings:
        told.append(("Flags", "none has begun: every learner gets the baseline"))
    if any(reading is not None and reading.problem for reading in readings.values()):
        return Mark(Tone.BAD, "link_off", "not as decided"), tuple(told)
    if None in readings.values():
        return Mark(Tone.WATCH, "sync", "not confirmed"), tuple(told)
    return Mark(Tone.GOOD, "call_split", "as decided"), tuple(told)


def cache_facts(stats: CacheStats) -> tuple[Mark | None, Pairs]:
    """Say what the cache of learners' cohorts has done in this process; a mark where it has a Redis."""
    found = sum(stats.hits.values())
    told = [("Lookups", f"{found + stats.misses:,}")]
    if stats.hit_rate is not None:
        told.append(("Found", f"{percent(stats.hit_rate)} ({found:,})"))
    told.append(("Held here", f"{stats.entries:,} learners, {size(stats.size)}"))
    if stats.up is None:
        return None, tuple(told)
    told += [
        ("Found in Redis", f"{stats.hits.get('redis', 0):,}"),
        ("Calls of Redis", f"{stats.errors:,} failed, {stats.bypassed:,} spared meanwhile"),
    ]
    up = Mark(Tone.GOOD, "cloud_done", "Redis answers")
    return up if stats.up else Mark(Tone.WATCH, "cloud_off", "Redis fails"), tuple(told)


def clock_facts(clock: Clock, wall: float) -> Pairs:
    """Say what time it is."""
    speed = "real time" if clock.speed == 1.0 else f"{clock.speed:g} × real time"
    return (("Plan time", exact_time(clock.plan(wall))), ("Wall time", exact_time(wall)), ("Speed", speed))


def version_facts() -> Pairs:
    """Return what is installed, in which version."""
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return (("Python", platform.python_version()), *found)


def drill_rows(drills: Sequence[Drill]) -> tuple[DrillRow, ...]:
    """Say every rollback, newest first as given."""
    return tuple(
        DrillRow(
            clock_time(d.decided_at),
            d.deployment + (f", attempt {d.attempt}" if d.attempt > 1 else ""),
            d.actor,
            d.reason,
            "not yet" if d.switched_plan_s is None else precise(d.switched_plan_s),
            ("unverified" if d.unverified else "not yet") if d.verified_plan_s is None else precise(d.verified_plan_s),
            "" if d.verified_wall_s is None else precise(d.verified_wall_s),
        )
        for d in drills
    )


def size(bytes_: float) -> str:
    """Say an amount of storage: "3.4 MB"."""
    for unit in ("B", "KB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}" if unit == "B" else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.1f} GB"

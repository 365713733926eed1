"""Records -> what the System page shows. Pure."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from pydantic import SecretStr

from core.delivery import Drill
from core.delivery.words import duration
from core.settings import Settings
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


def setting_facts(settings: Settings) -> Pairs:
    """Return every setting; of secrets only how many there are."""
    facts = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name == "database_url":
            said = "another database, see above" if value else "canary.sqlite in home"
        elif isinstance(value, SecretStr) or name.endswith(("_tokens", "_token")):
            held = len(value) if isinstance(value, tuple) else int(value is not None)
            said = f"{held} set" if held else "none"
        elif name == "compact_after_s":
            said = "; ".join(f"older than {duration(age)}: {duration(span)} spans" for age, span in value)
        elif isinstance(value, bool):
            said = "yes" if value else "no"
        else:
            said = "none" if value in (None, ()) else str(value)
        facts.append((name, said))
    return tuple(facts)


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

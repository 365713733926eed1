"""How times are said on pages: plan time first, and wall time beside it where the clock runs faster."""

from __future__ import annotations

import datetime as dt

from core.delivery.words import duration


def clock_time(at: float) -> str:
    """Say a plan time as "31 Oct 12:30 UTC"."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return f"{moment.day} {moment:%b %H:%M} UTC"


def exact_time(at: float) -> str:
    """Say a time as "2025-10-31 12:30:05 UTC"."""
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def both_times(plan_s: float, speed: float) -> str:
    """Say a length of plan time, and on a faster clock how long one really waits: "58 min (1 min 27 s of yours)"."""
    plan_s = max(0.0, plan_s)
    if speed == 1.0:
        return coarse(plan_s)
    return f"{coarse(plan_s)} (really {coarse(plan_s / speed)})"


def coarse(seconds: float) -> str:
    """Say a length of time that goes on changing: to the second below five minutes, to the minute below two days."""
    if seconds < 300:
        return duration(round(seconds))
    unit = 60.0 if seconds < 2 * 86_400 else 3_600.0
    return duration(seconds // unit * unit)


def ago(wall_s: float) -> str:
    """Say how long ago something was."""
    wall_s = max(0.0, wall_s)
    return f"{wall_s:.1f} s ago" if wall_s < 10 else f"{coarse(wall_s)} ago"


def precise(seconds: float) -> str:
    """Say a measured time: "4 ms", "0.8 s", "2 min 30 s"."""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)

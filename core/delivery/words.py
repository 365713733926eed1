"""How measured figures are said to a person: rounded to what can be read, but never to "0 %", "100 %" or "p = 0.0000".

Quantities of a plan (limits, hold times) are said exactly, by quantities.py; this module rounds what was measured.
"""

from __future__ import annotations

import math

from core.delivery.plan import Figure, Limit
from core.delivery.quantities import say_bytes, say_count, say_duration, say_share
from core.traffic import SwitchState

_OPERATOR_WORDS = {"<": "under", "<=": "at most", ">": "over", ">=": "at least", "==": "exactly"}


def duration(seconds: float) -> str:
    """Say 150.2 as "2 min 30 s"; to the second, and under one second to a tenth."""
    return say_duration(round(seconds, 1) if seconds < 1 else round(seconds))


def roughly(seconds: float) -> str:
    """Say an estimate, rounded up to what it is worth: 2275 as "38 min", 17 as "20 s", 90000 as "25 h"."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 2 * size:
            return f"{count(math.ceil(seconds / size))} {unit}"
    return duration(10 * math.ceil(seconds / 10))


def count(number: float) -> str:
    """Say 1722 as "1,722"."""
    return say_count(number)


def percent(fraction: float, *, signed: bool = False) -> str:
    """Say a measured fraction: 0.0180023 as "1.8 %", 0.00074 as "0.074 %", 0.999583 as "99.958 %".

    The distance to the nearer of 0 and 100 % keeps two significant digits, so that neither is claimed unless it is so.
    """
    value = 100.0 * fraction
    distance = min(abs(value), abs(100.0 - value))
    decimals = 1 if distance <= 0 or distance >= 10 else min(12, max(1, 1 - math.floor(math.log10(distance))))
    text = f"{value:{'+' if signed else ''},.{decimals}f}".rstrip("0").rstrip(".")
    return f"{'0' if text in {'-0', '+0', '-', '+'} else text} %"


def milliseconds(value: float) -> str:
    """Say a latency: 38.24 as "38 ms", 3.52 as "3.5 ms", 12345 as "12,345 ms"."""
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"


def probability(p: float) -> str:
    """Say a p-value: "p = 0.034", "p = 3e-12", "p < 1e-300"; never 0.0000."""
    if p < 1e-300:
        return "p < 1e-300"
    return f"p = {p:.1e}" if p < 1e-4 else f"p = {p:.2g}"


def figure(about: Figure, value: float) -> str:
    """Say a measured value of a figure in its unit."""
    if about.unit == "ms":
        return milliseconds(value)
    if about.unit == "bytes":
        return say_bytes(float(f"{value:.3g}"))
    if about.unit == "%":
        return percent(value, signed=about in {Figure.REVENUE, Figure.ROI})
    return count(value)


def exact(about: Figure, value: float) -> str:
    """Say a plan's value of a figure exactly, in its unit."""
    if about.unit == "ms":
        return f"{value:,.10g} ms"
    if about.unit == "bytes":
        return say_bytes(value)
    return say_share(value) if about.unit == "%" else f"{value:,.10g}"


def limit(of: Limit) -> str:
    """Say a limit: "under 1 %", "at least 99.9 %"."""
    return f"{_OPERATOR_WORDS[of.op]} {exact(of.figure, of.value)}"


def switch(seen: SwitchState) -> str:
    """Say what was read from a traffic switch: "HAProxy at ... gives the candidate 10 %, 1 % after a restart"."""
    parts = [f"{seen.source} gives the candidate {percent(seen.share)}"]
    if seen.lowest is not None:
        parts.append(f"in another place {percent(seen.lowest)}")
    if seen.restart is not None and seen.restart != seen.share:
        parts.append(f"{percent(seen.restart)} after a restart")
    return ", ".join(parts) + (" (as last known)" if seen.stale else "")

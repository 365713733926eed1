"""How measured figures are said to a person: rounded to what can be read, but never to "0 %", "100 %" or "p = 0.0000".

Quantities of a plan (limits, hold times) are said exactly, by quantities.py; this module rounds what was measured.
"""

from __future__ import annotations

import math

from core.delivery.plan import RELATIVE, Figure, Guardrail, Limit
from core.delivery.quantities import say_bytes, say_count, say_duration, say_share
from core.experiments import percent as percent
from core.experiments import probability as probability
from core.traffic import SwitchState

_OPERATOR_WORDS = {"<": "under", "<=": "at most", ">": "over", ">=": "at least", "==": "exactly"}


def duration(seconds: float) -> str:
    """Say 150.2 as "2 min 30 s"; to the second, and under one second to a tenth."""
    return say_duration(round(seconds, 1) if seconds < 1 else round(seconds))


def roughly(seconds: float) -> str:
    """Say an estimate, rounded up to what it is worth: 2275 as "38 min", 17 as "20 s", 90000 as "25 h", 1e6 "12 d"."""
    for unit, size, over in (("d", 86400, 4 * 86400), ("h", 3600, 7200), ("min", 60, 120)):
        if seconds > over:
            return f"{count(math.ceil(seconds / size))} {unit}"
    return duration(10 * math.ceil(seconds / 10))


def count(number: float) -> str:
    """Say 1722 as "1,722"."""
    return say_count(number)


def milliseconds(value: float) -> str:
    """Say a latency: 38.24 as "38 ms", 3.52 as "3.5 ms", 12345 as "12,345 ms"."""
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"


def figure(about: Figure, value: float) -> str:
    """Say a measured value of a figure in its unit."""
    if about.unit == "ms":
        return milliseconds(value)
    if about.unit == "bytes":
        return say_bytes(float(f"{value:.3g}"))
    if about.unit == "%":
        return percent(value, signed=about in RELATIVE)
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


def place(of: Guardrail) -> str:
    """Say where a guardrail looks: " in segment new in region eu", or ""."""
    segment = f" in segment {of.segment}" if of.segment else ""
    return segment + (f" in region {of.region}" if of.region else "")


def margin(of: Guardrail) -> str:
    """Say what a guardrail allows: "up to 1.25 times", "no less than 0.99 times"; "no more" of a margin of 1."""
    upward = of.limit.op.startswith(">")
    if of.margin == 1:
        return "no more" if upward else "no less"
    return f"{'up to' if upward else 'no less than'} {of.margin:g} times"


def times(ratio: float) -> str:
    """Say a measured multiple: 1.4142 as "1.41 times", 0.97 as "0.97 times"."""
    return f"{_multiple(ratio)} times"


def between(low: float | None, high: float | None) -> str:
    """Say bounds of a multiple: "0.8 to 1.4", "at least 0.8", "at most 1.4", or ""."""
    if low is not None and high is not None:
        return f"{_multiple(low)} to {_multiple(high)}"
    if high is not None:
        return f"at most {_multiple(high)}"
    return f"at least {_multiple(low)}" if low is not None else ""


def exact_probability(p: float) -> str:
    """Say a plan's probability: 0.0083333 as "0.0083"."""
    return f"{p:.2g}"


def _multiple(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"

"""How measured figures are said to a person: rounded to what can be read, never to "0 %", "100 %" or "p = 0.0000"."""

from __future__ import annotations

import math

SMALLEST_P = 1e-300
"""Below it a p-value is said to be below it, and no more."""


def percent(fraction: float, *, signed: bool = False) -> str:
    """Say a measured fraction: 0.0180023 as "1.8 %", 0.00074 as "0.074 %", 0.999583 as "99.958 %".

    The distance to the nearer of 0 and 100 % keeps two significant digits, so that neither is claimed unless it is so.
    """
    value = 100.0 * fraction
    distance = min(abs(value), abs(100.0 - value))
    decimals = 1 if distance <= 0 or distance >= 10 else min(12, max(1, 1 - math.floor(math.log10(distance))))
    text = f"{value:{'+' if signed else ''},.{decimals}f}".rstrip("0").rstrip(".")
    return f"{'0' if text in {'-0', '+0', '-', '+'} else text} %"


def probability(p: float) -> str:
    """Say a p-value: "p = 0.034", "p = 3e-12", "p < 1e-300"; never 0.0000."""
    if p < SMALLEST_P:
        return f"p < {SMALLEST_P:g}"
    return f"p = {p:.1e}" if p < 1e-4 else f"p = {p:.2g}"


def number(value: float, *, signed: bool = False) -> str:
    """Say a figure of any unit to four significant digits: 1.51234 as "1.512", 48210.4 as "48,210"."""
    if not math.isfinite(value):
        return "unknown"
    sign = "+" if signed else ""
    if value == 0:
        return "0"
    if abs(value) >= 1e15:
        return f"{value:{sign}.4g}"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    if decimals > 8:
        return f"{value:{sign}.3g}"
    text = f"{value:{sign},.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

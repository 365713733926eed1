"""How a trait is drawn and said: its name, its unit, its scale, what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait on pages.

    Attributes:
        name: of its column. label: for people. unit: "" where there is none. meaning: in half a sentence.
        log: drawn on a logarithmic scale. ends: of the scale where they are fixed.
        missing: why a learner may have none.
    """

    name: str
    label: str
    unit: str
    meaning: str
    log: bool = False
    ends: tuple[float, float] | None = None
    missing: str = ""

    def place(self, values: Column) -> Column:
        """Return where values are on the scale: themselves, or their common logarithm."""
        if not self.log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log10(values), np.float32(np.nan)).astype(np.float32)

    def value(self, place: float) -> float:
        """Return the value at a place on the scale."""
        return 10.0**place if self.log else place

    def ticks(self, low: float, high: float) -> tuple[list[float], list[str]]:
        """Return places and words of the scale's ticks between two places: even steps.

        Of a logarithmic one 1, 2, 5 of each power of ten, or the powers alone of many; of a short one even steps, too.
        """
        if not self.log:
            places = _even(low, high)
            return places, [f"{v:,.10g}" for v in places]
        values = [m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
        if high - low > 2.5:
            values = [v for v in values if math.isclose(math.log10(v), round(math.log10(v)))]
        kept = [v for v in values if low - 1e-9 <= math.log10(v) <= high + 1e-9]
        if len(kept) < _FEW:
            kept = _even(10.0**low, 10.0**high)
        return [math.log10(v) for v in kept], [f"{v:,.10g}" for v in kept]

    def say(self, value: float | None) -> str:
        """Say a value with its unit; "unknown" where there is none."""
        if value is None or not math.isfinite(value):
            return "unknown"
        digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if self.log else f"{value:.2f}"
        return f"{digits} {self.unit}".strip()

    @property
    def title(self) -> str:
        """Name with its unit, for an axis."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


_ONE = (0.0, 1.0)
_FEW = 3  # ticks


def _even(low: float, high: float) -> list[float]:
    """Return three to seven even steps between two values, each 1, 2 or 5 of a power of ten; one value where alike."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / _FEW))
    step = max(m * power for m in (1, 2, 5) if m * power <= (high - low) / _FEW * (1 + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


TRAITS = (
    Trait("velocity", "Learning velocity", "", "new or better skills a week, newest weeks first, 0 to 1", ends=_ONE),
    Trait("concentration", "Concentration", "", "how much of the activity is in one domain, 0 to 1", ends=_ONE),
    Trait("reuse_rate", "Reuse", "", "part of the skills that were used in two weeks or more", ends=_ONE),
    Trait(
        "recency_weighted_reuse",
        "Recent reuse",
        "",
        "part of the recent activity on skills from an earlier week",
        ends=_ONE,
    ),
    Trait("events_per_week", "Events a week", "", "on average since the first one", log=True),
    Trait(
        "responsiveness",
        "Responsiveness",
        "",
        "part of the feedback that was followed",
        ends=_ONE,
        missing="no feedback of which it is known whether it was followed",
    ),
    Trait("entropy_bits", "Domain entropy", "bits", "how evenly the activity is spread over domains"),
    Trait("top_share", "Top domain's share", "", "part of the events in the most used domain", ends=_ONE),
    Trait(
        "transfer",
        "Transfer",
        "",
        "part of the later half's domains that are new, 0 to 1",
        ends=_ONE,
        missing="under 10 events",
    ),
    Trait(
        "half_life_days",
        "Half-life of use",
        "days",
        "after how long the use of a skill has halved",
        log=True,
        missing="no skill whose next week is observed",
    ),
    Trait(
        "recall_half_life_days",
        "Half-life of recall",
        "days",
        "after how long scores of what isn't practised have halved",
        log=True,
        missing="no skill scored again after more than a day",
    ),
    Trait("frequency", "Frequency", "", "events a week against the busiest tenth of all learners, 0 to 1", ends=_ONE),
    Trait("events", "Events", "", "events in the window", log=True),
)
BY_NAME = {trait.name: trait for trait in TRAITS}
FEATURES = TRAITS[:6]
"""Those that cohorts are found by, in the order of the analyzer's features."""
AXES = ("velocity", "concentration")
"""Across and up, where nobody has chosen others."""

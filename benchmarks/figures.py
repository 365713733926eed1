"""What a measurement came to: numbers, and one row of the table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        benchmark: that it belongs to. what: was measured. measured: in words, with units.
        figures: the numbers behind the words, by name with unit ("p99_ms").
        aim: in words; "" where there is none. met: whether it was met; None where there is none.
    """

    benchmark: str
    what: str
    measured: str
    figures: Mapping[str, float] = field(default_factory=dict)
    aim: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 99th percentile and maximum of durations, milliseconds."""

    p50: float
    p99: float
    max: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Return the spread of durations in seconds. Raises ValueError when there are none."""
        if not len(seconds):
            raise ValueError("nothing was measured")
        p50, p99 = np.quantile(seconds, (0.5, 0.99))
        return cls(float(p50) * 1e3, float(p99) * 1e3, max(seconds) * 1e3, len(seconds))

    def named(self, prefix: str = "") -> dict[str, float]:
        """Return the numbers by name, for a row's figures."""
        names = {"p50_ms": self.p50, "p99_ms": self.p99, "max_ms": self.max, "count": float(self.count)}
        return {prefix + name: value for name, value in names.items()}


def ms(value: float) -> str:
    """Say milliseconds with the digits that matter: 0.84 ms, 3.2 ms, 41 ms, 1,204 ms."""
    digits = 2 if value < 1 else 1 if value < 10 else 0
    return f"{value:,.{digits}f} ms"


def times(ratio: float) -> str:
    """Say a ratio: × 1.4."""
    return f"× {ratio:.2f}" if ratio < 10 else f"× {ratio:.0f}"

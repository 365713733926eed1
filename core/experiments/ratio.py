"""Ratios of totals whose unit is the learner, and two of them compared: revenue of one version against another's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from core.store import BusinessSums

LEVEL = 0.99
"""Two-sided confidence of the single look at a phase's end."""
POWER = 0.80


@dataclass(frozen=True, slots=True)
class Mean:
    """A ratio of totals and the variance of it (not of one learner)."""

    value: float
    variance: float
    learners: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against baseline, as a relative difference (-0.03 is 3 % less).

    Attributes:
        low, high: Fieller interval at `LEVEL`; None where the baseline's own figure is not clearly above zero.
        smallest: the smallest difference that would have been seen with a power of `POWER`.
    """

    relative: float
    low: float | None
    high: float | None
    smallest: float
    candidate: Mean
    baseline: Mean


def revenue(sums: BusinessSums, unit: str) -> Mean | None:
    """Return revenue per learner or per request, over all learners of a version; None of fewer than two learners.

    Args:
        sums: over learners: n, totals, sums of products.
        unit: "learner" or "request". The variance is that between learners either way, by the delta method for a ratio
            of totals: Var(Y/X) = (S_yy - 2 R S_xy + R^2 S_xx) / (n mean(x)^2) [Deng, Knoblich & Lu, KDD 2018].
    """
    n = sums.learners
    if n < 2:
        return None
    y, yy = sums.sums["revenue"], sums.products["revenue", "revenue"]
    if unit == "learner":
        return Mean(y / n, max(0.0, yy - y * y / n) / (n - 1) / n, n)
    x = sums.sums["requests"]
    if x <= 0:
        return None
    xx, xy = sums.products["requests", "requests"], sums.products["requests", "revenue"]
    ratio = y / x
    squares = (yy - y * y / n) - 2 * ratio * (xy - x * y / n) + ratio**2 * (xx - x * x / n)
    return Mean(ratio, max(0.0, squares) / (n - 1) * n / x**2, n)


def compare(candidate: Mean, baseline: Mean) -> Comparison | None:
    """Compare two independent means; None where the baseline's is not above zero, so that nothing is relative to it.

    The interval is Fieller's, which carries the baseline's noise and, unlike that of the log ratio, stands a candidate
    without any revenue.
    """
    if baseline.value <= 0:
        return None
    ratio = candidate.value / baseline.value
    variance = (candidate.variance + ratio**2 * baseline.variance) / baseline.value**2
    z = float(special.ndtri(0.5 + LEVEL / 2))
    smallest = (z + float(special.ndtri(POWER))) * math.sqrt(variance)
    g = z**2 * baseline.variance / baseline.value**2
    if g >= 1:
        return Comparison(ratio - 1, None, None, smallest, candidate, baseline)
    own = candidate.variance / baseline.value**2
    half = z * math.sqrt(own * (1 - g) + ratio**2 * baseline.variance / baseline.value**2) / (1 - g)
    centre = ratio / (1 - g)
    return Comparison(ratio - 1, centre - half - 1, centre + half - 1, smallest, candidate, baseline)

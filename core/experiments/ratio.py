"""Revenue of one version against another's, from the sums that a phase keeps of its learners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from core.experiments.aggregates import Aggregates
from core.experiments.estimates import POWER, ratio_of_totals
from core.experiments.intervals import fieller
from core.store import BusinessSums

LEVEL = 0.99
"""Two-sided confidence of the single look at a phase's end."""


@dataclass(frozen=True, slots=True)
class PerUnit:
    """A ratio of totals and the variance of it (not of one learner)."""

    value: float
    variance: float
    learners: int


@dataclass(frozen=True, slots=True)
class RevenueChange:
    """Candidate against baseline, as a relative difference (-0.03 is 3 % less).

    Attributes:
        low, high: Fieller interval at `LEVEL`; None where the baseline's own figure is not clearly above zero.
        smallest: the smallest difference that would have been seen with a power of `POWER`.
    """

    relative: float
    low: float | None
    high: float | None
    smallest: float
    candidate: PerUnit
    baseline: PerUnit


def aggregates(sums: BusinessSums) -> Aggregates:
    """Return the aggregates over one version's learners; its columns are "cost", "requests", "revenue"."""
    names = sorted(sums.sums)
    products = [[sums.products[min(a, b), max(a, b)] for b in names] for a in names]
    return Aggregates.from_sums(names, sums.learners, [sums.sums[name] for name in names], products)


def revenue(sums: BusinessSums, unit: str) -> PerUnit | None:
    """Return revenue per learner or per request, over all learners of a version; None of fewer than two learners.

    Args:
        sums: over learners: n, totals, sums of products.
        unit: "learner" or "request". The variance is that between learners either way.
    """
    if sums.learners < 2 or (unit != "learner" and sums.sums["requests"] <= 0):
        return None
    (found,) = ratio_of_totals("revenue", None if unit == "learner" else "requests", None, [aggregates(sums)])
    return PerUnit(float(found.value), max(0.0, float(found.variance)), sums.learners)


def roi(sums: BusinessSums) -> PerUnit | None:
    """Return revenue / cost, a ratio of totals over all learners of a version; None of fewer than two, or no cost."""
    if sums.learners < 2 or sums.sums["cost"] <= 0:
        return None
    (found,) = ratio_of_totals("revenue", "cost", None, [aggregates(sums)])
    return PerUnit(float(found.value), max(0.0, float(found.variance)), sums.learners)


def compare(candidate: PerUnit, baseline: PerUnit) -> RevenueChange | None:
    """Compare two independent figures; None where the baseline's is not above zero: nothing is relative to it then."""
    if baseline.value <= 0:
        return None
    ratio = candidate.value / baseline.value
    variance = (candidate.variance + ratio**2 * baseline.variance) / baseline.value**2
    z = float(special.ndtri(0.5 + LEVEL / 2))
    smallest = (z + float(special.ndtri(POWER))) * float(np.sqrt(variance))
    low, high = fieller(candidate.value, candidate.variance, baseline.value, baseline.variance, z)
    if np.isnan(low):
        return RevenueChange(ratio - 1, None, None, smallest, candidate, baseline)
    return RevenueChange(ratio - 1, float(low) - 1, float(high) - 1, smallest, candidate, baseline)

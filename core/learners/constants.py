"""What one learner is compared with: constants of the population, computed once a run and reused for new learners."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Constants:
    """Constants of a population.

    Attributes:
        as_of: end of the window, microseconds since 1970. weeks: its length.
        gain: 90th percentile of a week's gain over active learner-weeks, at least 1 (G).
        frequency: 90th percentile over learners of events per week (F).
        repeat: pooled ratio of a skill's uses from one week to the next (rho0); NaN where no pair of weeks is observed.
    """

    as_of: int
    weeks: int
    gain: float
    frequency: float
    repeat: float


def population_constants(
    as_of: int, weeks: int, gains: ArrayLike, events_per_week: ArrayLike, uses: int, later_uses: int
) -> Constants:
    """Return the constants of a population.

    Args:
        as_of: end of the window, microseconds since 1970. weeks: its length.
        gains: skills advanced, one number an active learner-week.
        events_per_week: one number a learner with events in the window.
        uses: over all learners, uses of a skill with the following week still observed. later_uses: a week later.
    """
    rates = np.asarray(events_per_week, dtype=np.float64)
    weekly = np.asarray(gains, dtype=np.float64)
    return Constants(
        as_of=as_of,
        weeks=weeks,
        gain=max(1.0, float(np.percentile(weekly, 90))) if weekly.size else 1.0,
        frequency=float(np.percentile(rates, 90)) if rates.size else 1.0,
        repeat=later_uses / uses if uses else math.nan,
    )

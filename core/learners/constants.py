"""What one learner is compared with: constants of the population, computed once a run and reused for new learners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.learners.recall import Recall


@dataclass(frozen=True, slots=True)
class Constants:
    """Constants of a population.

    Attributes:
        as_of: end of the window, microseconds since 1970. weeks: its length.
        gain: 90th percentile of a week's gain over active learner-weeks, at least 1 (G).
        frequency: 90th percentile over learners of events per week (F).
        repeat: pooled ratio of a skill's uses from one week to the next (rho0); NaN where no pair of weeks is observed.
        recall: the model of recall; None where scores repeat too little for one.
    """

    as_of: int
    weeks: int
    gain: float
    frequency: float
    repeat: float
    recall: Recall | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Constants:
        """Return constants from what `dataclasses.asdict` makes of them, or JSON of that."""
        recall = values.get("recall")
        return cls(**{**values, "recall": None if recall is None else Recall.from_dict(recall)})


def population_constants(
    as_of: int,
    weeks: int,
    gain_counts: ArrayLike,
    events_per_week: ArrayLike,
    uses: int,
    later_uses: int,
    recall: Recall | None = None,
) -> Constants:
    """Return the constants of a population.

    Args:
        as_of: end of the window, microseconds since 1970. weeks: its length.
        gain_counts: active learner-weeks in which so many skills advanced, from 0 on.
        events_per_week: one number a learner with events in the window.
        uses: over all learners, uses of a skill with the following week still observed. later_uses: a week later.
        recall: its model of recall.
    """
    rates = np.asarray(events_per_week, dtype=np.float64)
    return Constants(
        as_of=as_of,
        weeks=weeks,
        gain=max(1.0, _quantile(np.asarray(gain_counts, dtype=np.int64), 0.9)),
        frequency=float(np.percentile(rates, 90)) if rates.size else 1.0,
        repeat=later_uses / uses if uses else math.nan,
        recall=recall,
    )


def _quantile(counts: NDArray[np.int64], q: float) -> float:
    """Return a quantile of whole numbers given as counts; between two of them, as far on as `numpy.quantile`."""
    upto = np.cumsum(counts)
    if not upto.size or not upto[-1]:
        return 0.0
    place = q * (int(upto[-1]) - 1)
    low, high = np.searchsorted(upto, [math.floor(place), math.ceil(place)], side="right")
    return float(low + (high - low) * (place - math.floor(place)))

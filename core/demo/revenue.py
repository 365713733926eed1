"""Simulated revenue and cost of a request. Nobody pays here: it lets revenue rules be seen at work."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import NormalDist

import numpy as np

from core.traffic import bucket

LABEL = "simulated revenue"
MEAN_REVENUE = 0.12  # USD a request
MEAN_COST = 0.08
LEARNER_SIGMA = 0.2  # how much learners differ, on the log scale
REQUEST_SIGMA = 0.4  # how much a learner's requests differ

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Money:
    """What one request brought and cost, USD, simulated."""

    revenue: float
    cost: float


def money_of(learner: str, rng: np.random.Generator, factor: float = 1.0) -> Money:
    """Draw revenue and cost of one request: log-normal, with a level that is the learner's own and stays the same."""
    place = min(max(bucket("revenue", learner), 1e-9), 1 - 1e-9)
    level = LEARNER_SIGMA * _NORMAL.inv_cdf(place) - LEARNER_SIGMA**2 / 2
    noise = REQUEST_SIGMA * rng.standard_normal() - REQUEST_SIGMA**2 / 2
    cost = MEAN_COST * (1 + 0.1 * rng.standard_normal())
    return Money(round(factor * MEAN_REVENUE * exp(level + noise), 6), round(max(cost, 0.0), 6))

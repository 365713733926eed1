"""Half-life of use: in how many days a learner's use of a skill falls to a half. Of recall, from scores: `recall`.

The forgetting model: j weeks after its first use a skill is used x_j times, and a week later rho x_j times are to be
expected. Over a learner's skills and all lags j >= 0 whose following week is still observed, with

    B = sum of x_j,   A = sum of x_{j + 1},   rho = (A + 10 rho0) / (B + 10), clipped to [0.01, 0.99],

    half_life_days = 7 ln 2 / -ln rho        days, 1.05 to 482.8

rho is the mean of A ~ Poisson(rho B) under a gamma prior worth 10 uses of a learner like the others: who shows little
is drawn to the population.

Constant of the population: rho0, its pooled A / B.
Null: without an event in the window; for all where no pair of weeks is observed (no rho0).
Source: the product's row L3; exponential forgetting with a half-life: Settles & Meeder (2016), *A Trainable Spaced
Repetition Model for Language Learning*; the prior: Gelman et al. (2013), *Bayesian Data Analysis*, section 2.6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.learners.events import Event

PRIOR_USES = 10.0
LEAST_KEPT, MOST_KEPT = 0.01, 0.99
"""Ends of rho."""


def uses_of(events: Sequence[Event], weeks: Sequence[int]) -> tuple[int, int]:
    """Return B and A. `events`: by time; `weeks`: of each, 0 the newest, which has no following week."""
    first_week: dict[str, int] = {}
    uses = later_uses = 0
    for event, week in zip(events, weeks, strict=True):
        first = first_week.setdefault(event.skill, week)
        uses += week >= 1
        later_uses += week < first
    return uses, later_uses


def half_life_of_use(uses: int, later_uses: int, repeat: float) -> float | None:
    """Return the half-life in days of a learner's B and A. `repeat`: rho0, NaN where there is none."""
    if math.isnan(repeat):
        return None
    rho = (later_uses + PRIOR_USES * repeat) / (uses + PRIOR_USES)
    return 7 * math.log(2) / -math.log(min(max(rho, LEAST_KEPT), MOST_KEPT))

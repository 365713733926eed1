"""Learning velocity: how fast a learner gains skills, and whether that rises or falls.

**Gain** of week w, skills: those used for the first time in the window, and those whose best score at the week's end is
at least 0.05 above their best before the week; a skill counts once a week.

    r_w = min(1, gain_w / G)
    v   = r_w d_w in the oldest active week; then, from one active week to the next, v <- 0.3 r_w d_w + 0.7 v
    d_w = exp(-0.02 w), w = weeks before the present one

**Velocity** is the last v: no unit, 0 to 1; above 0.65 a *fast learner*. **Trend**: the least-squares slope of r_w on
time in weeks over all weeks since the first event (0 in those without one), times their number: above 0.10 improving,
below -0.10 declining, else stable.

Constant of the population: G, the 90th percentile of a week's gain over active learner-weeks, at least 1.
Null: both without an event in the window; the trend under 3 weeks since the first event.
Source: the product's row L1; exponential smoothing is Brown's (1959, *Statistical Forecasting for Inventory Control*).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.learners.events import Event
from core.learners.traits.threshold import above, below

SMOOTHING = 0.3
DECAY_PER_WEEK = 0.02
FAST_LEARNER = 0.65
SCORE_RISE = 0.05
TREND = 0.10
TREND_WEEKS = 3


def gains_of(events: Sequence[Event], weeks: Sequence[int]) -> dict[int, int]:
    """Return how many skills advanced in each active week. `events`: by time; `weeks`: of each, 0 the newest."""
    advanced: dict[int, set[str]] = {week: set() for week in weeks}
    best: dict[str, float] = {}
    best_before_week: dict[str, float] = {}
    last_week: dict[str, int] = {}
    for event, week in zip(events, weeks, strict=True):
        skill = event.skill
        if skill not in last_week:
            advanced[week].add(skill)
        if last_week.get(skill) != week:
            last_week[skill] = week
            if skill in best:
                best_before_week[skill] = best[skill]
        if event.score is not None:
            best[skill] = max(event.score, best.get(skill, event.score))
            if skill in best_before_week and not below(best[skill] - best_before_week[skill], SCORE_RISE):
                advanced[week].add(skill)
    return {week: len(skills) for week, skills in advanced.items()}


def velocity_of(gains: Mapping[int, int], gain: float) -> float:
    """Return the velocity of a learner with at least one active week. `gain`: G."""
    rates = _rates(gains, gain)
    weeks = sorted(rates, reverse=True)
    velocity = rates[weeks[0]] * math.exp(-DECAY_PER_WEEK * weeks[0])
    for week in weeks[1:]:
        velocity = SMOOTHING * rates[week] * math.exp(-DECAY_PER_WEEK * week) + (1 - SMOOTHING) * velocity
    return velocity


def trend_of(gains: Mapping[int, int], gain: float) -> str | None:
    """Return the trend of a learner with at least one active week; None where that was too short ago. `gain`: G."""
    rates = _rates(gains, gain)
    number = max(rates) + 1
    if number < TREND_WEEKS:
        return None
    series = [rates.get(week, 0.0) for week in reversed(range(number))]
    middle = (number - 1) / 2
    slope = sum((time - middle) * rate for time, rate in enumerate(series)) / sum(
        (time - middle) ** 2 for time in range(number)
    )
    rise = slope * number
    if above(rise, TREND):
        return "improving"
    return "declining" if below(rise, -TREND) else "stable"


def _rates(gains: Mapping[int, int], gain: float) -> dict[int, float]:
    return {week: min(1.0, count / gain) for week, count in gains.items()}

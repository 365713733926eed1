"""Interaction frequency: how often a learner is active, against the busiest tenth of all.

    events_per_week = n / (weeks from the one that holds the first event to the present one, both counted)
    frequency       = min(1, events_per_week / F)              no unit, 0 to 1

Constant of the population: F, the 90th percentile of events_per_week over learners with an event in the window.
Null: both without an event in the window.
Source: the product's row L4.
"""

from __future__ import annotations

from collections.abc import Sequence


def events_per_week_of(weeks: Sequence[int]) -> float:
    """Return the events a week of a learner. `weeks`: of each of at least one event, by time, 0 the newest."""
    return len(weeks) / (weeks[0] + 1)


def frequency_of(events_per_week: float, busy: float) -> float:
    """Return the frequency. `busy`: F."""
    return min(1.0, events_per_week / busy)

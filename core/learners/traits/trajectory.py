"""Engagement trajectory: whether a learner does more or less than before.

The time from the first event in the window to its end is cut into thirds. With c events in the last third (its
beginning included) and b, a in the two before:

    accelerating if c > 1.25 (a + b) / 2;   decelerating if c < 0.75 (a + b) / 2;   else stable

Constants of the population: none.
Null: under 10 events, and where no time has passed since the first.
Source: the product's row L3.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.learners.events import Event
from core.learners.traits.threshold import ENOUGH_EVENTS

ACCELERATING, DECELERATING = 1.25, 0.75


def trajectory_of(events: Sequence[Event], as_of: int) -> str | None:
    """Return the trajectory of at least one event, by time. `as_of`: end of the window, microseconds since 1970."""
    span = as_of - events[0].ts
    if len(events) < ENOUGH_EVENTS or span == 0:
        return None
    last = sum(3 * (event.ts - events[0].ts) >= 2 * span for event in events)
    others = (len(events) - last) / 2
    if last > ACCELERATING * others:
        return "accelerating"
    return "decelerating" if last < DECELERATING * others else "stable"

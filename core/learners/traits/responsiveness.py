"""Feedback responsiveness: how much of the feedback that a learner is given they follow.

    responsiveness = events of type "feedback" with acted = true / those with acted known        no unit, 0 to 1

Computed from data alone: nothing is assumed of a learner of whom it isn't known.

Constants of the population: none.
Null: without such an event in the window.
Source: the product's row L4.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.learners.events import FEEDBACK, Event


def responsiveness_of(events: Sequence[Event]) -> float | None:
    """Return the share of feedback that was followed; None where that isn't known of any."""
    acted = [event.acted for event in events if event.type == FEEDBACK and event.acted is not None]
    return sum(acted) / len(acted) if acted else None

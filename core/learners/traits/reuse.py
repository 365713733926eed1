"""Retention by reuse: how much of what a learner has used is used again, and how lately.

    reuse_rate             = skills used in two or more weeks / skills used
    recency_weighted_reuse = sum of exp(-0.05 t) over events on a skill used in an earlier week
                             / the same sum over all events,          t = days before the end of the window

Both have no unit and lie between 0 and 1.

Constants of the population: none.
Null: both without an event in the window.
Source: the product's row L3; that what was learnt fades with time, so that late use says more, is Ebbinghaus's (1885,
*Über das Gedächtnis*); the rate of 0.05 a day is the row's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from core.learners.events import DAY_US, Event

DECAY_PER_DAY = 0.05


def reuse_of(events: Sequence[Event], weeks: Sequence[int], as_of: int) -> tuple[float, float]:
    """Return the reuse rate and the recency-weighted reuse of at least one event.

    Args:
        events: by time. weeks: of each, 0 the newest. as_of: end of the window, microseconds since 1970.
    """
    weeks_of: defaultdict[str, set[int]] = defaultdict(set)
    for event, week in zip(events, weeks, strict=True):
        weeks_of[event.skill].add(week)
    reused = sum(len(used) >= 2 for used in weeks_of.values())
    again = total = 0.0
    for event, week in zip(events, weeks, strict=True):
        weight = math.exp(-DECAY_PER_DAY * (as_of - event.ts) / DAY_US)
        total += weight
        if week < max(weeks_of[event.skill]):
            again += weight
    return reused / len(weeks_of), again / total

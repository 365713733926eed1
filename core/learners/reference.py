"""The original analyzer: one learner's traits in plain Python, each as its module in `traits` defines it.

Two steps: `observe` counts what happened in the window, `traits_of` turns the counts into traits with the population's
constants. Half-life of recall is in `recall`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.learners.constants import Constants
from core.learners.events import WEEK_US, Event
from core.learners.recall import half_life
from core.learners.traits import Traits, affinity, frequency, responsiveness, reuse, scores, trajectory, velocity
from core.learners.traits import half_life as of_use


@dataclass(frozen=True, slots=True)
class Observation:
    """What one learner did in the window, before anything is compared with the population.

    Attributes:
        events: in the window, in order of time. older: how many were left out.
        weeks: week of each event, 0 the newest.
        gains: skills advanced in each active week.
        uses, later_uses: of the forgetting model: uses with the following week still observed; uses a week later.
    """

    events: tuple[Event, ...]
    older: int
    weeks: tuple[int, ...]
    gains: dict[int, int]
    uses: int
    later_uses: int

    @property
    def events_per_week(self) -> float:
        """Events per week since the first event."""
        return frequency.events_per_week_of(self.weeks)


def observe(events: Sequence[Event], as_of: int, weeks: int) -> Observation:
    """Count one learner's events (in order of time) in the `weeks` weeks up to `as_of` (microseconds since 1970)."""
    inside = tuple(event for event in events if 0 <= as_of - event.ts < weeks * WEEK_US)
    week_of = tuple((as_of - event.ts) // WEEK_US for event in inside)
    uses, later_uses = of_use.uses_of(inside, week_of)
    return Observation(
        events=inside,
        older=len(events) - len(inside),
        weeks=week_of,
        gains=velocity.gains_of(inside, week_of),
        uses=uses,
        later_uses=later_uses,
    )


def traits_of(seen: Observation, constants: Constants) -> Traits:
    """Return one learner's traits; all None where the window is empty."""
    if not seen.events:
        return Traits(events=0, older=seen.older)
    events, as_of = seen.events, constants.as_of
    speed, trend = velocity.velocity_of(seen.gains, constants.gain), velocity.trend_of(seen.gains, constants.gain)
    shares = affinity.shares_of(events)
    entropy, top = affinity.entropy_of(shares), affinity.top_of(shares)
    concentration, transfer = affinity.concentration_of(shares), affinity.transfer_of(events)
    reuse_rate, recent_reuse = reuse.reuse_of(events, seen.weeks, as_of)
    direction = trajectory.trajectory_of(events, as_of)
    return Traits(
        events=len(events),
        older=seen.older,
        velocity=speed,
        trend=trend,
        entropy_bits=entropy,
        top_domain=top,
        top_share=shares[top],
        concentration=concentration,
        affinity=affinity.affinity_of(entropy, shares[top]),
        transfer=transfer,
        reuse_rate=reuse_rate,
        recency_weighted_reuse=recent_reuse,
        half_life_days=of_use.half_life_of_use(seen.uses, seen.later_uses, constants.repeat),
        recall_half_life_days=None if constants.recall is None else half_life(events, constants.recall),
        trajectory=direction,
        events_per_week=seen.events_per_week,
        frequency=frequency.frequency_of(seen.events_per_week, constants.frequency),
        responsiveness=responsiveness.responsiveness_of(events),
        velocity_score=scores.velocity_score(speed, trend),
        affinity_score=scores.affinity_score(concentration, transfer),
        retention_score=scores.retention_score(recent_reuse, direction),
    )

"""The original analyzer: one learner's traits in plain Python, written to be read beside the definitions.

Two steps: `observe` counts what happened in the window, `traits_of` turns the counts into traits with the population's
constants. Where a definition leaves room, this is how it is read: a week's gain counts a skill whose best score at the
week's end is at least 0.05 above its best before the week; the later half of n events begins at event n // 2; "weeks
since the first event" counts the weeks from the one that holds it to the present one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.learners import traits as t
from core.learners.constants import Constants
from core.learners.events import DAY_US, FEEDBACK, WEEK_US, Event
from core.learners.recall import half_life


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
        return len(self.events) / (self.weeks[0] + 1)


def observe(events: Sequence[Event], as_of: int, weeks: int) -> Observation:
    """Count one learner's events (in order of time) in the `weeks` weeks up to `as_of` (microseconds since 1970)."""
    inside = tuple(event for event in events if 0 <= as_of - event.ts < weeks * WEEK_US)
    week_of = tuple((as_of - event.ts) // WEEK_US for event in inside)

    advanced: dict[int, set[str]] = {week: set() for week in week_of}
    first_week: dict[str, int] = {}
    best: dict[str, float] = {}
    best_before_week: dict[str, float] = {}
    last_week: dict[str, int] = {}
    uses = later_uses = 0
    for event, week in zip(inside, week_of, strict=True):
        skill = event.skill
        if skill not in first_week:
            first_week[skill] = week
            advanced[week].add(skill)
        if last_week.get(skill) != week:
            last_week[skill] = week
            if skill in best:
                best_before_week[skill] = best[skill]
        if event.score is not None:
            best[skill] = max(event.score, best.get(skill, event.score))
            if skill in best_before_week and best[skill] - best_before_week[skill] >= t.SCORE_RISE - t.TOLERANCE:
                advanced[week].add(skill)
        if week >= 1:
            uses += 1
        if week < first_week[skill]:
            later_uses += 1
    return Observation(
        events=inside,
        older=len(events) - len(inside),
        weeks=week_of,
        gains={week: len(skills) for week, skills in advanced.items()},
        uses=uses,
        later_uses=later_uses,
    )


def traits_of(seen: Observation, constants: Constants) -> t.Traits:
    """Return one learner's traits; all None where the window is empty."""
    if not seen.events:
        return t.Traits(events=0, older=seen.older)
    events, n = seen.events, len(seen.events)

    velocity, trend = _velocity(seen, constants.gain)
    shares = {domain: count / n for domain, count in sorted(Counter(event.domain for event in events).items())}
    entropy = -sum(share * math.log2(share) for share in shares.values())
    top_domain = max(shares, key=lambda domain: shares[domain])  # the first of equals, in sort order
    top_share = shares[top_domain]
    concentration = top_share * (1 - 0.3 * entropy / math.log2(len(shares))) if len(shares) > 1 else 1.0
    transfer = _transfer(events)
    reuse_rate, recent_reuse = _reuse(seen, constants.as_of)
    trajectory = _trajectory(events, constants.as_of)
    asked = [event.acted for event in events if event.type == FEEDBACK and event.acted is not None]

    velocity_score = (1.5 + 0.4 * velocity) * {"improving": 1.08, "declining": 0.95}.get(trend or "", 1.0)
    strong = transfer is not None and transfer > t.TRANSFER_STRONG + t.TOLERANCE
    affinity_score = (1.5 + 0.2 * concentration) * (1.15 if strong else 1.0)
    retention_score = (1.4 + 0.25 * recent_reuse) * {"accelerating": 1.12, "decelerating": 0.90}.get(
        trajectory or "", 1.0
    )
    return t.Traits(
        events=n,
        older=seen.older,
        velocity=velocity,
        trend=trend,
        entropy_bits=abs(entropy),
        top_domain=top_domain,
        top_share=top_share,
        concentration=concentration,
        affinity=_affinity(entropy, top_share),
        transfer=transfer,
        reuse_rate=reuse_rate,
        recency_weighted_reuse=recent_reuse,
        half_life_days=_half_life(seen, constants.repeat),
        recall_half_life_days=None if constants.recall is None else half_life(events, constants.recall),
        trajectory=trajectory,
        events_per_week=seen.events_per_week,
        frequency=min(1.0, seen.events_per_week / constants.frequency),
        responsiveness=sum(asked) / len(asked) if asked else None,
        velocity_score=_clip(velocity_score, 1, 2),
        affinity_score=_clip(affinity_score, 1, 2),
        retention_score=_clip(retention_score, 1, 2),
    )


def _velocity(seen: Observation, gain: float) -> tuple[float, str | None]:
    """Return velocity and trend."""
    rate = {week: min(1.0, count / gain) for week, count in seen.gains.items()}
    velocity: float | None = None
    for week in sorted(rate, reverse=True):
        decayed = rate[week] * math.exp(-t.DECAY_PER_WEEK * week)
        velocity = decayed if velocity is None else t.SMOOTHING * decayed + (1 - t.SMOOTHING) * velocity
    assert velocity is not None  # there is an event, so there is an active week

    number = max(rate) + 1
    if number < t.TREND_WEEKS:
        return velocity, None
    series = [rate.get(week, 0.0) for week in reversed(range(number))]
    middle = (number - 1) / 2
    slope = sum((time - middle) * r for time, r in enumerate(series)) / sum(
        (time - middle) ** 2 for time in range(number)
    )
    rise = slope * number
    if rise > t.TREND + t.TOLERANCE:
        return velocity, "improving"
    return velocity, "declining" if rise < -t.TREND - t.TOLERANCE else "stable"


def _affinity(entropy: float, top_share: float) -> str:
    if entropy < t.SPECIALIST_BITS - t.TOLERANCE and top_share > t.SPECIALIST_SHARE + t.TOLERANCE:
        return "specialist"
    return "generalist" if entropy > t.GENERALIST_BITS + t.TOLERANCE else "balanced"


def _transfer(events: Sequence[Event]) -> float | None:
    """Return the share of the later half's domains that the first half doesn't have."""
    if len(events) < t.ENOUGH_EVENTS:
        return None
    half = len(events) // 2
    first = {event.domain for event in events[:half]}
    later = {event.domain for event in events[half:]}
    return len(later - first) / len(later)


def _reuse(seen: Observation, as_of: int) -> tuple[float, float]:
    """Return the reuse rate and the recency-weighted reuse."""
    weeks_of: defaultdict[str, set[int]] = defaultdict(set)
    for event, week in zip(seen.events, seen.weeks, strict=True):
        weeks_of[event.skill].add(week)
    reused = sum(len(weeks) >= 2 for weeks in weeks_of.values())
    again = total = 0.0
    for event, week in zip(seen.events, seen.weeks, strict=True):
        weight = math.exp(-t.DECAY_PER_DAY * (as_of - event.ts) / DAY_US)
        total += weight
        if week < max(weeks_of[event.skill]):
            again += weight
    return reused / len(weeks_of), again / total


def _half_life(seen: Observation, repeat: float) -> float | None:
    """Return the half-life of use in days; None where the population shows no repetition to learn from."""
    if math.isnan(repeat):
        return None
    rho = (seen.later_uses + t.PRIOR_USES * repeat) / (seen.uses + t.PRIOR_USES)
    return 7 * math.log(2) / -math.log(_clip(rho, 0.01, 0.99))


def _trajectory(events: Sequence[Event], as_of: int) -> str | None:
    """Compare the last third of the time since the first event with the mean of the other two."""
    span = as_of - events[0].ts
    if len(events) < t.ENOUGH_EVENTS or span == 0:
        return None
    last = sum(3 * (event.ts - events[0].ts) >= 2 * span for event in events)
    others = (len(events) - last) / 2
    if last > t.ACCELERATING * others:
        return "accelerating"
    return "decelerating" if last < t.DECELERATING * others else "stable"


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)

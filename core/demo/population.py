"""Made-up learners with planted behaviours, so that there is something to find; always labelled simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from core.learners import DAY_US, WEEK_US, Events, from_codes

LEARNERS = 20_000
EVENTS_EACH = 59
WEEKS = 8
DOMAINS = ("algebra", "biology", "chemistry", "history", "languages", "programming")
SKILLS = 25
SIMULATED = "simulated learners"
PART = 50_000
"""Learners made up at once, so that memory stays bounded."""

_END = int(datetime(2025, 10, 31, tzinfo=UTC).timestamp()) * 1_000_000
_TYPES = ("training", "practice", "assessment", "feedback")
_TYPE_SHARES = (0.35, 0.35, 0.15, 0.15)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one kind of learner behaves.

    Attributes:
        share: part of the population. activity: events, as a multiple of the average.
        pace: new skills a week. revisit: chance that an event goes back to a skill already begun.
        focus: how strongly the favourite domain comes first, 0 to 1.
        fade: above 0 the events crowd towards the beginning, below 0 towards the end.
        acts: chance that feedback is followed.
    """

    share: float
    activity: float
    pace: float
    revisit: float
    focus: float
    fade: float
    acts: float


BEHAVIOURS = {
    "fast": Behaviour(0.18, 1.0, 3.2, 0.25, 0.1, -0.2, 0.75),
    "specialist": Behaviour(0.20, 0.8, 0.6, 0.55, 1.0, 0.0, 0.55),
    "power": Behaviour(0.14, 2.2, 2.0, 0.45, 0.2, 0.0, 0.65),
    "retainer": Behaviour(0.20, 0.9, 1.0, 0.90, 0.1, -0.1, 0.60),
    "generalist": Behaviour(0.18, 0.7, 1.6, 0.40, 0.0, 0.0, 0.50),
    "fading": Behaviour(0.10, 0.5, 1.2, 0.30, 0.2, 0.9, 0.30),
}


def make_population(learners: int = LEARNERS, seed: int = 7) -> tuple[Events, NDArray[np.str_]]:
    """Return made-up events (about EVENTS_EACH a learner over WEEKS weeks) and the planted behaviour of each learner.

    The same seed gives the same events. Learner ids are "demo-000000" upwards.
    """
    parts = list(make_in_parts(learners, seed))
    if len(parts) == 1:
        return parts[0]
    events = [part for part, _ in parts]
    counts = np.concatenate([np.diff(part.offsets) for part in events])
    whole = replace(
        events[0],
        learners=np.concatenate([part.learners for part in events]),
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        ts=np.concatenate([part.ts for part in events]),
        domain=np.concatenate([part.domain for part in events]),
        skill=np.concatenate([part.skill for part in events]),
        type=np.concatenate([part.type for part in events]),
        score=np.concatenate([part.score for part in events]),
        acted=np.concatenate([part.acted for part in events]),
    )
    return whole, np.concatenate([kinds for _, kinds in parts])


def make_in_parts(learners: int, seed: int = 7) -> Iterator[tuple[Events, NDArray[np.str_]]]:
    """Yield what `make_population` returns, up to PART learners at a time, in bounded memory."""
    rng = np.random.default_rng(seed)
    width = max(6, len(str(learners - 1)))
    for first in range(0, learners, PART):
        numbers = np.arange(first, min(first + PART, learners))
        yield _make(np.char.add("demo-", np.char.zfill(numbers.astype(str), width)), rng)


def _make(ids: NDArray[np.str_], rng: np.random.Generator) -> tuple[Events, NDArray[np.str_]]:
    """Make up the events of learners with these ids."""
    learners = ids.size
    kinds = np.array(list(BEHAVIOURS))
    shares = np.array([behaviour.share for behaviour in BEHAVIOURS.values()])
    kind = rng.choice(len(kinds), size=learners, p=shares / shares.sum())

    def trait(name: str) -> NDArray[np.float64]:
        return np.array([getattr(behaviour, name) for behaviour in BEHAVIOURS.values()])[kind]

    mean_activity = float(sum(b.share * b.activity for b in BEHAVIOURS.values()) / shares.sum())
    expected = EVENTS_EACH * trait("activity") / mean_activity * rng.gamma(12, 1 / 12, learners)
    count = np.maximum(3, rng.poisson(expected))

    # Each learner's curriculum: an order of the skills in which focused learners have their favourite domain first.
    domain_of_skill = np.arange(SKILLS) % len(DOMAINS)
    favourite = rng.integers(len(DOMAINS), size=learners)
    aside = domain_of_skill[None, :] != favourite[:, None]
    curriculum = (rng.random((learners, SKILLS)) + aside * trait("focus")[:, None]).argsort(axis=1)
    pace = trait("pace") * rng.gamma(16, 1 / 16, learners)

    who = np.repeat(np.arange(learners, dtype=np.int32), count)
    events = who.size
    joined = rng.random(learners) * 2.0 * WEEK_US * (rng.random(learners) < 0.3)  # three in ten came later
    power = np.exp(trait("fade"))[who]
    elapsed = (rng.random(events) ** power) * (WEEKS * WEEK_US - joined[who] - 1)
    started = np.minimum(SKILLS - 1, pace[who] * elapsed / WEEK_US).astype(np.int64)
    back = rng.random(events) < trait("revisit")[who]
    position = np.where(back, (rng.random(events) * (started + 1)).astype(np.int64), started)
    skill = curriculum[who, position]

    type_ = rng.choice(len(_TYPES), size=events, p=_TYPE_SHARES)
    practised = np.minimum(1.0, elapsed / WEEK_US / WEEKS + 0.1 * pace[who] / 3)
    score = np.clip(0.45 + 0.4 * practised + rng.normal(0, 0.08, events), 0, 1).round(2)
    feedback = type_ == 3
    followed = rng.random(events) < trait("acts")[who]

    skill_names = [f"{DOMAINS[domain]}-{number // len(DOMAINS) + 1}" for number, domain in enumerate(domain_of_skill)]
    made = from_codes(
        (who, ids),
        _END - WEEKS * WEEK_US + (joined[who] + elapsed).astype(np.int64),
        (domain_of_skill[skill], DOMAINS),
        (skill, skill_names),
        (type_, _TYPES),
        np.where((type_ == 1) | (type_ == 2), score, np.nan),
        np.where(feedback, followed, -1).astype(np.int8),
    )
    return made, kinds[kind]


def window_weeks(events: Events, weeks: int) -> int:
    """Return a window in which at least half of the learners have an event: `weeks`, or as much longer as that takes.

    Real logs often end in a thin tail (OULAD's last 12 weeks hold 7 of 23,369 learners).
    """
    last = events.ts[events.offsets[1:] - 1]
    needed = -(-int(np.median(events.as_of - last) + DAY_US) // WEEK_US)
    return max(weeks, needed)

"""Half-life of recall: how long a learner takes to forget half of what a skill's scores show, from repeated scores.

A repetition is a scored event of a skill that was scored before, more than a day earlier. With right = the sum of the
skill's earlier scores and wrong = the sum of what was missing to 1 in them, and dt the days since the last of them, the
score to expect is

    p = a(x) 2^(-dt / h(x)),   logit a = a0 + a1 log(1 + right) + a2 log(1 + wrong),
                               log h = h0 + h1 log(1 + right) + h2 log(1 + wrong)   (h in days).

Recall at dt = 0 isn't 1, hence a [Settles & Meeder 2016, with a; docs/learners.md]. The six numbers are fitted on a
population by the cross-entropy of scores between 0 and 1, with a weak pull to 0 of a1, a2, h1 and h2. A learner's own
half-lives are h(x) e^u with u drawn from a normal distribution of variance `spread` (partial pooling): u is taken from
the learner's repetitions by `STEPS` steps of Fisher scoring from 0, where scores vary `dispersion` times as much as
coin tosses would. The trait is e^u times the geometric mean of h over the skills that were repeated, each with the x
that it has at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learners.events import DAY_US, Event

STEPS = 2
SHORTEST, LONGEST = math.log(0.05), math.log(3650.0)  # of half-lives, days
FURTHEST = 3.0  # of u
SURE = 1e-6  # how near to 0 and 1 a score to expect may come

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recall:
    """A population's model.

    Attributes:
        accuracy: a0, a1, a2. log_half_life: h0, h1, h2.
        spread: variance of learners' u. dispersion: see above.
        repetitions: that it was fitted on.
    """

    accuracy: tuple[float, float, float]
    log_half_life: tuple[float, float, float]
    spread: float
    dispersion: float
    repetitions: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recall:
        """Return a model from what `dataclasses.asdict` makes of it, or JSON of that."""
        a0, a1, a2 = values["accuracy"]
        h0, h1, h2 = values["log_half_life"]
        return cls(**{**values, "accuracy": (a0, a1, a2), "log_half_life": (h0, h1, h2)})

    def numbers(self) -> Matrix:
        """Return what the compiled code needs."""
        return np.array([*self.accuracy, *self.log_half_life, self.spread, self.dispersion])


@dataclass(frozen=True, slots=True)
class Repetition:
    """A skill scored again. `days`: since it was scored last; `right`, `wrong`: of all its scores before."""

    skill: str
    days: float
    right: float
    wrong: float
    score: float


def repetitions(events: Sequence[Event]) -> tuple[list[Repetition], dict[str, tuple[float, float]]]:
    """Return the repetitions in events in order of time, and what each skill's (right, wrong) are at the end."""
    found: list[Repetition] = []
    now: dict[str, tuple[float, float]] = {}
    last: dict[str, int] = {}
    for event in events:
        if event.score is None:
            continue
        right, wrong = now.get(event.skill, (0.0, 0.0))
        if event.skill in last and event.ts - last[event.skill] > DAY_US:
            days = (event.ts - last[event.skill]) / DAY_US
            found.append(Repetition(event.skill, days, right, wrong, event.score))
        now[event.skill] = (right + event.score, wrong + 1 - event.score)
        last[event.skill] = event.ts
    return found, now


def half_life(events: Sequence[Event], model: Recall) -> float | None:
    """Return a learner's half-life of recall in days; None without a repetition. `events`: in the window, by time."""
    found, now = repetitions(events)
    if not found:
        return None
    curve = [(_accuracy(model, one.right, one.wrong), _days(model, one.right, one.wrong)) for one in found]
    u = 0.0
    for _ in range(STEPS):
        score = information = 0.0
        for one, (accuracy, days) in zip(found, curve, strict=True):
            passed = one.days / (days * math.exp(u)) * math.log(2)
            p = min(max(accuracy * math.exp(-passed), SURE), 1 - SURE)
            score += (one.score - p) / (1 - p) * passed
            information += p / (1 - p) * passed**2
        step = (score / model.dispersion - u / model.spread) / (information / model.dispersion + 1 / model.spread)
        u = min(max(u + step, -FURTHEST), FURTHEST)
    repeated = {one.skill for one in found}
    mean = sum(math.log(_days(model, *now[skill])) for skill in sorted(repeated)) / len(repeated)
    return math.exp(min(max(u + mean, SHORTEST), LONGEST))


def _accuracy(model: Recall, right: float, wrong: float) -> float:
    a0, a1, a2 = model.accuracy
    return 1 / (1 + math.exp(-(a0 + a1 * math.log(1 + right) + a2 * math.log(1 + wrong))))


def _days(model: Recall, right: float, wrong: float) -> float:
    h0, h1, h2 = model.log_half_life
    return math.exp(min(max(h0 + h1 * math.log(1 + right) + h2 * math.log(1 + wrong), SHORTEST), LONGEST))

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
import pyarrow as pa
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from core.compiled import compiled, in_blocks
from core.learners.events import DAY_US, WEEK_US, Event, Events
from core.learners.names import part_of
from core.learners.series import exp_, log_1p

STEPS = 2
ENOUGH = 200
"""Repetitions, under which no model is fitted."""

SAMPLE = 5_000
"""Learners that the population's model is fitted on, about; chosen by their ids alone."""

_PARTS = 1 << 12  # of ids, for choosing the sample
_SHORTEST, _LONGEST = math.log(0.05), math.log(3650.0)  # of half-lives, days
_FURTHEST = 3.0  # of u
_PULL = 1.0  # as strong as one repetition
_LOG_2 = math.log(2)
_SURE = 1e-6  # how near to 0 and 1 a score to expect may come

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
            p = min(max(accuracy * math.exp(-passed), _SURE), 1 - _SURE)
            score += (one.score - p) / (1 - p) * passed
            information += p / (1 - p) * passed**2
        step = (score / model.dispersion - u / model.spread) / (information / model.dispersion + 1 / model.spread)
        u = min(max(u + step, -_FURTHEST), _FURTHEST)
    repeated = {one.skill for one in found}
    mean = sum(math.log(_days(model, *now[skill])) for skill in sorted(repeated)) / len(repeated)
    return math.exp(min(max(u + mean, _SHORTEST), _LONGEST))


def _accuracy(model: Recall, right: float, wrong: float) -> float:
    a0, a1, a2 = model.accuracy
    return 1 / (1 + math.exp(-(a0 + a1 * math.log(1 + right) + a2 * math.log(1 + wrong))))


def _days(model: Recall, right: float, wrong: float) -> float:
    h0, h1, h2 = model.log_half_life
    return math.exp(min(max(h0 + h1 * math.log(1 + right) + h2 * math.log(1 + wrong), _SHORTEST), _LONGEST))


def in_sample(ids: pa.Array) -> NDArray[np.bool_]:
    """Say which of all learners a population's model is fitted on; that depends on their ids and number alone."""
    if len(ids) <= SAMPLE:
        return np.ones(len(ids), dtype=bool)
    return np.asarray(part_of(ids, _PARTS) * len(ids) < SAMPLE * _PARTS)


def sampled_repetitions(events: Events, as_of: int, weeks: int, chosen: NDArray[np.bool_]) -> Matrix:
    """Return the repetitions of some learners: days, right, wrong, score and learner, shape (n, 5)."""
    rows = np.flatnonzero(chosen)
    starts = np.repeat(events.offsets[rows], np.diff(events.offsets)[rows])
    out = np.empty((starts.size, 5))
    size = _gather(
        rows, events.offsets, events.ts, events.skill, events.score, as_of, weeks * WEEK_US, len(events.skills), out
    )
    return out[:size]


def fit_recall(found: Matrix) -> Recall | None:
    """Fit a population's model to repetitions (n, 5), see `sampled_repetitions`; None where there are too few.

    The rows may be in any order of learners.
    """
    if len(found) < ENOUGH:
        return None
    # Sums depend on the order of what is added: in order of the values the same repetitions give the same bits.
    found = found[np.lexsort(found[:, :4].T)]
    days, right, wrong, score = (np.ascontiguousarray(column) for column in found[:, :4].T)
    x = np.column_stack([np.ones(len(found)), np.log(1 + right), np.log(1 + wrong)])

    def loss(numbers: Matrix) -> tuple[float, Matrix]:
        accuracy = expit(x @ numbers[:3])
        log_days = np.clip(x @ numbers[3:], _SHORTEST, _LONGEST)
        passed = days / np.exp(log_days) * math.log(2)
        p = np.clip(accuracy * np.exp(-passed), _SURE, 1 - _SURE)
        lost = -(score * np.log(p) + (1 - score) * np.log1p(-p)).sum()
        by_log_p = -(score - p) / (1 - p)  # of the loss by log p
        slope = np.concatenate([x.T @ (by_log_p * (1 - accuracy)), x.T @ (by_log_p * passed)])
        pulled = numbers * np.array([0, 1, 1, 0, 1, 1]) * _PULL
        return float(lost + (pulled * numbers).sum() / 2), slope + pulled

    start = np.array([1.0, 0.0, 0.0, math.log(max(float(np.median(days)), 0.1)), 0.0, 0.0])
    numbers = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-12}).x
    accuracy = expit(x @ numbers[:3])
    passed = days / np.exp(np.clip(x @ numbers[3:], _SHORTEST, _LONGEST)) * math.log(2)
    p = np.clip(accuracy * np.exp(-passed), _SURE, 1 - _SURE)
    dispersion = max(float(((score - p) ** 2).sum() / (p * (1 - p)).sum()), 1e-6)
    return Recall(
        accuracy=(float(numbers[0]), float(numbers[1]), float(numbers[2])),
        log_half_life=(float(numbers[3]), float(numbers[4]), float(numbers[5])),
        spread=_spread(found[:, 4], (score - p) / (1 - p) * passed, p / (1 - p) * passed**2, dispersion),
        dispersion=dispersion,
        repetitions=len(found),
    )


def _spread(learner: Matrix, score: Matrix, information: Matrix, dispersion: float) -> float:
    """Return the variance of u by the method of moments: E(S^2) = dispersion I + variance I^2 of a learner's sums."""
    who = np.unique(learner, return_inverse=True)[1]
    total, known = np.bincount(who, weights=score), np.bincount(who, weights=information)
    # Sorted, so that the sums don't depend on the learners' order.
    excess, squares = np.sort(total**2 - dispersion * known).sum(), np.sort(known**2).sum()
    moment = float(excess / max(float(squares), 1e-12))
    return min(max(moment, 1e-4), 1.0)


def recall_of(events: Events, as_of: int, weeks: int) -> Recall | None:
    """Fit the model of a population; None where it repeats too little."""
    chosen = in_sample(pa.array(events.learners.tolist(), pa.string()))
    return fit_recall(sampled_repetitions(events, as_of, weeks, chosen))


def half_lives(
    events: Events,
    offsets: NDArray[np.int64],
    as_of: int,
    weeks: int,
    model: Recall,
    threads: int | None = None,
) -> Matrix:
    """Return half-lives of recall in days, NaN where there is none, of learners whose events lie between `offsets`."""
    out = np.full(offsets.size - 1, np.nan)
    numbers = model.numbers()

    def work(rows: slice) -> None:
        _half_lives(
            offsets[rows.start : rows.stop + 1],
            events.ts,
            events.skill,
            events.score,
            as_of,
            weeks * WEEK_US,
            len(events.skills),
            numbers,
            out[rows],
        )

    in_blocks(work, out.size, threads)
    return out


@compiled
def _gather(
    learners: NDArray[np.int64],
    offsets: NDArray[np.int64],
    ts: NDArray[np.int64],
    skill: NDArray[np.int32],
    score: Matrix,
    as_of: int,
    window: int,
    skills: int,
    out: Matrix,
) -> int:
    last = np.full(skills, -1, dtype=np.int64)
    right, wrong = np.zeros(skills), np.zeros(skills)
    size = 0
    for learner in learners:
        for e in range(offsets[learner], offsets[learner + 1]):
            ago, value, s = as_of - ts[e], score[e], skill[e]
            if ago < 0 or ago >= window or np.isnan(value):
                continue
            if last[s] >= 0 and ts[e] - last[s] > DAY_US:
                out[size, 0] = (ts[e] - last[s]) / DAY_US
                out[size, 1] = right[s]
                out[size, 2] = wrong[s]
                out[size, 3] = value
                out[size, 4] = learner
                size += 1
            right[s] += value
            wrong[s] += 1 - value
            last[s] = ts[e]
        for e in range(offsets[learner], offsets[learner + 1]):
            last[skill[e]] = -1
            right[skill[e]] = wrong[skill[e]] = 0.0
    return size


@compiled
def _half_lives(
    offsets: NDArray[np.int64],
    ts: NDArray[np.int64],
    skill: NDArray[np.int32],
    score: Matrix,
    as_of: int,
    window: int,
    skills: int,
    model: Matrix,
    out: Matrix,
) -> None:
    a0, a1, a2, h0, h1, h2, spread, dispersion = model
    per_day = _LOG_2 / DAY_US
    never = np.iinfo(np.int64).max
    last = np.full(skills, never, dtype=np.int64)
    repeated = np.zeros(skills, dtype=np.bool_)
    right, wrong = np.zeros(skills), np.zeros(skills)
    most = 0
    for learner in range(out.size):
        most = max(most, offsets[learner + 1] - offsets[learner])
    scored, seen = np.empty(most + 1, dtype=np.uint64), np.empty(most + 1, dtype=np.uint64)
    accuracy, passed, told = np.empty(most + 1), np.empty(most + 1), np.empty(most + 1)
    for learner in range(out.size):
        # Written everywhere, counted where it is so: nothing to guess wrong about for the processor.
        count = np.uint64(0)
        for e in range(np.uint64(offsets[learner]), np.uint64(offsets[learner + 1])):
            scored[count] = e
            ago = as_of - ts[e]
            count += np.uint64((score[e] == score[e]) & (ago >= 0) & (ago < window))
        n = number = np.uint64(0)
        for i in range(count):
            e = scored[i]
            s = np.uint64(skill[e])
            value, before, r, w = score[e], last[s], right[s], wrong[s]
            seen[number] = s
            number += np.uint64(before == never)
            again = ts[e] - DAY_US > before
            accuracy[n], passed[n], told[n] = r, w, value
            scored[n] = np.uint64(ts[e] - before)
            n += np.uint64(again)
            repeated[s] |= again
            right[s], wrong[s], last[s] = r + value, w + (1 - value), ts[e]
        if n > 0:
            for i in range(n):
                r, w = log_1p(accuracy[i]), log_1p(passed[i])
                log_days = min(max(h0 + h1 * r + h2 * w, _SHORTEST), _LONGEST)
                accuracy[i] = 1 / (1 + exp_(-(a0 + a1 * r + a2 * w)))
                passed[i] = np.int64(scored[i]) * exp_(-log_days) * per_day
            u = 0.0
            for _ in range(STEPS):
                score_sum = information = 0.0
                shrink = exp_(-u)
                for i in range(n):
                    z = passed[i] * shrink
                    p = min(max(accuracy[i] * exp_(-z), _SURE), 1 - _SURE)
                    odds = z / (1 - p)
                    score_sum += (told[i] - p) * odds
                    information += p * z * odds
                step = (score_sum / dispersion - u / spread) / (information / dispersion + 1 / spread)
                u = min(max(u + step, -_FURTHEST), _FURTHEST)
            logs, skills_repeated = 0.0, 0
            for i in range(number):
                s = seen[i]
                if repeated[s]:
                    logs += min(max(h0 + h1 * log_1p(right[s]) + h2 * log_1p(wrong[s]), _SHORTEST), _LONGEST)
                    skills_repeated += 1
            out[learner] = math.exp(min(max(u + logs / skills_repeated, _SHORTEST), _LONGEST))
        for i in range(number):
            s = seen[i]
            last[s] = never
            repeated[s] = False
            right[s] = wrong[s] = 0.0

"""The half-lives of recall of many learners, compiled: what `recall.half_life` says in plain Python.

The repetitions of many learners are laid side by side, and each step of the arithmetic is done for all of them before
the next: simple loops, of which the compiler does several turns at a time.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.columns import Columns
from core.learners.events import DAY_US
from core.learners.recall import FURTHEST, LONGEST, SHORTEST, STEPS, SURE, Recall
from core.learners.series import exp_, log_1p

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Count = int | np.integer[Any]

NO_MODEL: Numbers = np.empty(0)

_SKILL = np.dtype([("last", np.int64), ("right", np.float64), ("wrong", np.float64), ("repeated", np.int64)])
_NEVER = np.iinfo(np.int64).max
_PER_DAY = math.log(2) / DAY_US
_FULL = 1024
"""Repetitions that are enough to be worked on."""


class Repeated(NamedTuple):
    """What is known of each skill of the learner at hand; between learners as if nothing were."""

    skills: NDArray[np.void]
    seen: NDArray[np.uint32]


class Batch(NamedTuple):
    """Repetitions of some learners, one after the other.

    Attributes:
        right, wrong, passed, told: of each repetition; at last the accuracy to expect at once, nothing, the time as
            part of the half-life, and the score.
        factor: e^-u of its learner. slope, known: what it says of u.
        final_right, final_wrong: of each repeated skill; at last the logarithm of its half-life, and nothing.
        learner, first, final: of each learner with a repetition: which, and where theirs begin; one more at the end.
    """

    right: Numbers
    wrong: Numbers
    passed: Numbers
    told: Numbers
    factor: Numbers
    slope: Numbers
    known: Numbers
    final_right: Numbers
    final_wrong: Numbers
    learner: Places
    first: Places
    final: Places


def numbers_of(model: Recall | None) -> Numbers:
    """Return a model as compiled code takes it."""
    return NO_MODEL if model is None else model.numbers()


@compiled
def repeated_skills(skills: int) -> Repeated:
    """Return room for so many skills."""
    known = np.empty(skills, dtype=_SKILL)
    for s in range(skills):
        _forget(known[s])
    return Repeated(known, np.empty(skills + 1, dtype=np.uint32))


@compiled
def half_lives(
    offsets: Places,
    columns: Columns,
    as_of: int,
    window: int,
    repeated: Repeated,
    model: Numbers,
    out: Numbers,
) -> None:
    """Write each learner's half-life of recall in days, NaN where there is none; all are NaN without a model.

    Args:
        offsets: where each learner's events begin, shape (L + 1,). as_of, window: microseconds.
    """
    out[:] = np.nan
    if not model.size:
        return
    most = np.int64(0)
    for learner in range(out.size):
        most = max(most, offsets[learner + 1] - offsets[learner])
    scored = np.empty(most + 1, dtype=np.uint64)
    batch = _empty(_FULL + most + 1)
    n = finals = learners = np.uint64(0)
    skills, seen = repeated.skills, repeated.seen
    for learner in range(out.size):
        begin, end = offsets[learner], offsets[learner + 1]
        while begin < end and as_of - columns.ts[begin] >= window:
            begin += 1
        while end > begin and columns.ts[end - 1] > as_of:
            end -= 1
        # Written everywhere, counted where it is so: nothing to guess wrong about for the processor.
        count = np.uint64(0)
        for e in range(np.uint64(begin), np.uint64(end)):
            scored[count] = e
            count += np.uint64(columns.score[e] == columns.score[e])
        batch.learner[learners] = learner
        batch.first[learners] = n
        batch.final[learners] = finals
        number = np.uint64(0)
        for i in range(count):
            e = scored[i]
            s = columns.skill[e]
            skill = skills[s]
            value, at = columns.score[e], columns.ts[e]
            before, right, wrong = skill["last"], skill["right"], skill["wrong"]
            seen[number] = s
            number += np.uint64(before == _NEVER)
            again = at - DAY_US > before
            batch.right[n], batch.wrong[n], batch.told[n] = right, wrong, value
            batch.passed[n] = at - before
            n += np.uint64(again)
            skill["repeated"] |= np.int64(again)
            skill["right"], skill["wrong"], skill["last"] = right + value, wrong + (1 - value), at
        for i in range(number):
            skill = skills[seen[i]]
            batch.final_right[finals], batch.final_wrong[finals] = skill["right"], skill["wrong"]
            finals += np.uint64(skill["repeated"])
            _forget(skill)
        learners += np.uint64(n > batch.first[learners])
        if n >= _FULL:
            _settle(batch, learners, n, finals, model, out)
            n = finals = learners = np.uint64(0)
    _settle(batch, learners, n, finals, model, out)


@compiled
def _forget(skill: np.void) -> None:
    skill["last"] = _NEVER
    skill["right"] = skill["wrong"] = 0.0
    skill["repeated"] = 0


@compiled
def _empty(size: Count) -> Batch:
    return Batch(
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
    )


@compiled
def _settle(batch: Batch, learners: Count, n: Count, finals: Count, model: Numbers, out: Numbers) -> None:
    """Write the half-lives of the learners in a batch."""
    batch.first[learners], batch.final[learners] = n, finals
    spread, dispersion = model[6], model[7]
    _expect(batch.right[:n], batch.wrong[:n], batch.passed[:n], model)
    u = np.zeros(learners)
    factor = batch.factor[:n]
    factor[:] = 1.0
    for step in range(STEPS):
        if step:
            for i in range(learners):
                shrink = exp_(-u[i])
                for j in range(batch.first[i], batch.first[i + 1]):
                    factor[j] = shrink
        _tell(batch.right[:n], batch.passed[:n], batch.told[:n], factor, batch.slope[:n], batch.known[:n])
        for i in range(learners):
            slope = known = 0.0
            for j in range(batch.first[i], batch.first[i + 1]):
                slope += batch.slope[j]
                known += batch.known[j]
            moved = u[i] + (slope / dispersion - u[i] / spread) / (known / dispersion + 1 / spread)
            u[i] = min(max(moved, -FURTHEST), FURTHEST)
    _log_days(batch.final_right[:finals], batch.final_wrong[:finals], model)
    for i in range(learners):
        first, end = batch.final[i], batch.final[i + 1]
        logs = 0.0
        for j in range(first, end):
            logs += batch.final_right[j]
        out[batch.learner[i]] = exp_(min(max(u[i] + logs / (end - first), SHORTEST), LONGEST))


@compiled
def _expect(right: Numbers, wrong: Numbers, passed: Numbers, model: Numbers) -> None:
    """Turn `right` into the accuracy to expect at once, and `passed` from microseconds into half-lives x log 2."""
    a0, a1, a2, h0, h1, h2 = model[0], model[1], model[2], model[3], model[4], model[5]
    for i in range(right.size):
        r, w = log_1p(right[i]), log_1p(wrong[i])
        log_days = min(max(h0 + h1 * r + h2 * w, SHORTEST), LONGEST)
        right[i] = 1 / (1 + exp_(-(a0 + a1 * r + a2 * w)))
        passed[i] = passed[i] * exp_(-log_days) * _PER_DAY


@compiled
def _tell(accuracy: Numbers, passed: Numbers, told: Numbers, factor: Numbers, slope: Numbers, known: Numbers) -> None:
    """Write what each repetition says of u: the slope of its likelihood, and how much is known by it."""
    for i in range(passed.size):
        z = passed[i] * factor[i]
        p = min(max(accuracy[i] * exp_(-z), SURE), 1 - SURE)
        odds = z / (1 - p)
        slope[i] = (told[i] - p) * odds
        known[i] = p * z * odds


@compiled
def _log_days(right: Numbers, wrong: Numbers, model: Numbers) -> None:
    """Turn `right` into the logarithm of the half-life."""
    h0, h1, h2 = model[3], model[4], model[5]
    for i in range(right.size):
        right[i] = min(max(h0 + h1 * log_1p(right[i]) + h2 * log_1p(wrong[i]), SHORTEST), LONGEST)

"""A population's model of recall, see `recall`: fitted on the repetitions of a sample of its learners.

Fisher scoring: each step solves for what the slope of the likelihood and its information say, held back (Levenberg and
Marquardt) where a step would lose. The same repetitions give the same bits in any order and on any number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.compiled import BLOCK, compiled, in_blocks
from core.learners.columns import Columns, columns_of
from core.learners.events import DAY_US, WEEK_US, Events
from core.learners.names import part_of
from core.learners.recall import LONGEST, SHORTEST, SURE, Recall
from core.learners.series import exp_, log_

ENOUGH = 200
"""Repetitions, under which no model is fitted."""

SAMPLE = 5_000
"""Learners that the population's model is fitted on, about; chosen by their ids alone."""

_PARTS = 1 << 12  # of ids, for choosing the sample
_PULL = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])  # as strong as one repetition
_NUMBERS = _PULL.size
_SUMS = 1 + _NUMBERS + _NUMBERS**2
_ROUNDS = 200
_ENOUGH_GAIN = 1e-11  # of the loss, as a part of it
_LOG_2 = math.log(2)

Matrix = NDArray[np.float64]


def in_sample(ids: pa.Array | NDArray[np.str_]) -> NDArray[np.bool_]:
    """Say which of all learners a population's model is fitted on; that depends on their ids and number alone."""
    if len(ids) <= SAMPLE:
        return np.ones(len(ids), dtype=bool)
    return np.asarray(part_of(ids, _PARTS) * len(ids) < SAMPLE * _PARTS)


def recall_of(events: Events, as_of: int, weeks: int) -> Recall | None:
    """Fit the model of a population; None where it repeats too little."""
    chosen, skills = in_sample(events.learners), len(events.skills)
    return fit_recall(sampled_repetitions(columns_of(events), events.offsets, skills, as_of, weeks, chosen))


def sampled_repetitions(
    columns: Columns,
    offsets: NDArray[np.int64],
    skills: int,
    as_of: int,
    weeks: int,
    chosen: NDArray[np.bool_],
) -> Matrix:
    """Return the repetitions of some learners: days, right, wrong, score and which of them, from 0; shape (n, 5).

    Args:
        offsets: where each learner's events begin, shape (L + 1,). skills: how many there are. chosen: shape (L,).
    """
    rows = np.flatnonzero(chosen)
    out = np.empty((int((offsets[rows + 1] - offsets[rows]).sum()), 5))
    size = _gather(rows, offsets, columns, as_of, weeks * WEEK_US, skills, out)
    return out[:size]


@dataclass(frozen=True, slots=True)
class _Told:
    """Repetitions as columns: days, log(1 + right), log(1 + wrong), score, and which learner's."""

    days: Matrix
    right: Matrix
    wrong: Matrix
    score: Matrix
    learner: NDArray[np.int64]


def fit_recall(found: Matrix) -> Recall | None:
    """Fit a population's model to repetitions (n, 5), see `sampled_repetitions`; None where there are too few.

    The rows may be in any order of learners.
    """
    if len(found) < ENOUGH:
        return None
    # Sums depend on the order of what is added: in order of the values the same repetitions give the same bits.
    found = found[np.argsort(_mixed(found[:, :4]))]
    told = _Told(
        np.ascontiguousarray(found[:, 0]),
        np.log1p(found[:, 1]),
        np.log1p(found[:, 2]),
        np.ascontiguousarray(found[:, 3]),
        found[:, 4].astype(np.int64),
    )
    numbers = _most_likely(told)
    p, _, by_days = _expected(told, numbers)
    dispersion = max(float(((told.score - p) ** 2).sum() / (p * (1 - p)).sum()), 1e-6)
    return Recall(
        accuracy=(float(numbers[0]), float(numbers[1]), float(numbers[2])),
        log_half_life=(float(numbers[3]), float(numbers[4]), float(numbers[5])),
        spread=_spread(told.learner, (told.score - p) / (1 - p) * by_days, p / (1 - p) * by_days**2, dispersion),
        dispersion=dispersion,
        repetitions=len(found),
    )


def _mixed(values: Matrix) -> NDArray[np.uint64]:
    """Return one number a row that tells rows of different values apart."""
    mixed = np.zeros(len(values), dtype=np.uint64)
    for column in (values + 0.0).view(np.uint64).T:  # adding turns -0.0 into 0.0
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _most_likely(told: _Told) -> Matrix:
    """Return the six numbers that lose least."""
    numbers = np.array([1.0, 0.0, 0.0, math.log(max(float(np.median(told.days)), 0.1)), 0.0, 0.0])
    loss, slope, known = _likelihood(told, numbers)
    held = 1e-3
    for _ in range(_ROUNDS):
        diagonal = np.diag(np.maximum(np.diag(known), 1e-6))
        tried = numbers + np.linalg.solve(known + held * diagonal, slope)
        tried[3] = min(max(tried[3], SHORTEST), LONGEST)  # where nobody is seen to forget, it would go on and on
        after = _likelihood(told, tried)
        gain = loss - after[0]
        if gain > 0:
            numbers, (loss, slope, known) = tried, after
            held = max(held / 10, 1e-9)
        else:
            held *= 10
        if abs(gain) <= _ENOUGH_GAIN * loss or held > 1e9:
            break
    return numbers


def _likelihood(told: _Told, numbers: Matrix) -> tuple[float, Matrix, Matrix]:
    """Return what is lost by some numbers (the negative log-likelihood and the pull), its downward slope, and its
    expected curvature, shape (6, 6)."""
    sums = np.zeros((-(-told.days.size // BLOCK), _SUMS))

    def add(rows: slice) -> None:
        _add_block(
            told.days[rows], told.right[rows], told.wrong[rows], told.score[rows], numbers, sums[rows.start // BLOCK]
        )

    in_blocks(add, told.days.size, threads=1)  # starting others takes longer than a sample's blocks
    total = sums.sum(axis=0)
    slope = total[1 : 1 + _NUMBERS] - _PULL * numbers
    known = total[1 + _NUMBERS :].reshape(_NUMBERS, _NUMBERS) + np.diag(_PULL)
    return float(total[0] + (_PULL * numbers**2).sum() / 2), slope, known


def _expected(told: _Told, numbers: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Return of each repetition the score to expect, and the slopes of its logarithm by logit a and by log h."""
    p, by_accuracy, by_days = (np.empty(told.days.size) for _ in range(3))
    _expect(told.days, told.right, told.wrong, numbers, p, by_accuracy, by_days)
    return p, by_accuracy, by_days


def _spread(learner: NDArray[np.int64], slope: Matrix, known: Matrix, dispersion: float) -> float:
    """Return the variance of u by the method of moments: E(S^2) = dispersion I + variance I^2 of a learner's sums."""
    total, information = np.bincount(learner, weights=slope), np.bincount(learner, weights=known)
    # Sorted, so that the sums don't depend on the learners' order.
    excess = np.sort(total**2 - dispersion * information)
    moment = float(excess[excess != 0].sum() / max(float(np.sort(information**2).sum()), 1e-12))
    return min(max(moment, 1e-4), 1.0)


@compiled
def _gather(
    learners: NDArray[np.int64],
    offsets: NDArray[np.int64],
    columns: Columns,
    as_of: int,
    window: int,
    skills: int,
    out: Matrix,
) -> int:
    ts, skill, score = columns.ts, columns.skill, columns.score
    last = np.full(skills, -1, dtype=np.int64)
    right, wrong = np.zeros(skills), np.zeros(skills)
    size = 0
    for number, learner in enumerate(learners):
        for e in range(offsets[learner], offsets[learner + 1]):
            ago, value, s = as_of - ts[e], score[e], skill[e]
            if ago < 0 or ago >= window or np.isnan(value):
                continue
            if last[s] >= 0 and ts[e] - last[s] > DAY_US:
                out[size, 0] = (ts[e] - last[s]) / DAY_US
                out[size, 1] = right[s]
                out[size, 2] = wrong[s]
                out[size, 3] = value
                out[size, 4] = number
                size += 1
            right[s] += value
            wrong[s] += 1 - value
            last[s] = ts[e]
        for e in range(offsets[learner], offsets[learner + 1]):
            last[skill[e]] = -1
            right[skill[e]] = wrong[skill[e]] = 0.0
    return size


@compiled
def _expect(
    days: Matrix, right: Matrix, wrong: Matrix, numbers: Matrix, p: Matrix, by_accuracy: Matrix, by_days: Matrix
) -> None:
    """Write the score to expect, and the slopes of its logarithm by logit a and by log h; 0 at the limits of each."""
    a0, a1, a2, h0, h1, h2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    for i in range(days.size):
        accuracy = 1 / (1 + exp_(-(a0 + a1 * right[i] + a2 * wrong[i])))
        log_days = h0 + h1 * right[i] + h2 * wrong[i]
        limited = min(max(log_days, SHORTEST), LONGEST)
        passed = days[i] * exp_(-limited) * _LOG_2
        likely = accuracy * exp_(-passed)
        p[i] = min(max(likely, SURE), 1 - SURE)
        by_accuracy[i] = 1 - accuracy if p[i] == likely else 0.0
        by_days[i] = passed if (limited == log_days) & (p[i] == likely) else 0.0


@compiled
def _add_block(days: Matrix, right: Matrix, wrong: Matrix, score: Matrix, numbers: Matrix, sums: Matrix) -> None:
    """Add up the loss, its downward slope and its expected curvature, row by row of the matrix."""
    size = days.size
    p, by_accuracy, by_days, loss = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    _expect(days, right, wrong, numbers, p, by_accuracy, by_days)
    for i in range(size):
        loss[i] = -(score[i] * log_(p[i]) + (1 - score[i]) * log_(1 - p[i]))
    slopes = np.empty(_NUMBERS)
    for i in range(size):
        a, h, r, w = by_accuracy[i], by_days[i], right[i], wrong[i]
        slopes[0], slopes[1], slopes[2] = a, a * r, a * w
        slopes[3], slopes[4], slopes[5] = h, h * r, h * w
        told, odds = (score[i] - p[i]) / (1 - p[i]), p[i] / (1 - p[i])
        sums[0] += loss[i]
        for j in range(_NUMBERS):
            sums[1 + j] += told * slopes[j]
            weighted = odds * slopes[j]
            for k in range(_NUMBERS):
                sums[1 + _NUMBERS + _NUMBERS * j + k] += weighted * slopes[k]

"""Counts of two versions (errors, requests above a latency threshold), compared at every look by a mixture e-process.

In each look the bad events of both versions are split between them by chance, in the proportion of their requests where
both are as good as each other. That split knows nothing of how many bad events there were, so a rate that both versions
share may drift as it likes [conditional form of Lindon & Malek, NeurIPS 2022, arXiv:2011.03567].

Against a ratio r0 of the two rates, a ratio r gains in each look

    x ln(r / r0) - e (ln(1 + w (r - 1)) - ln(1 + w (r0 - 1))),

where x of the e bad events are the candidate's and w is its share of the requests. The mean of the likelihood ratios
over a grid of r beyond r0 is a martingale at r0, and falls on average on this side of it. Given e, the split is
binomial for rare events and hypergeometric, which varies less, for common ones: there the test errs on the side of not
acting [Hoeffding, JASA 1963, theorem 4].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LARGEST = 20.0
"""The largest ratio to the margin that is looked for; a larger one is seen at once anyway."""

_REACH = 80  # steps of the grid from the margin to LARGEST
_STEP = math.log(LARGEST) / _REACH
_ALTERNATIVES = np.arange(2, _REACH + 1, 2)  # 40 ratios, geometric, from just beyond the margin
_POINTS = np.arange(-2 * _REACH, 2 * _REACH + 1)
_MARGIN = 2 * _REACH  # place of the margin among the points


class Direction(StrEnum):
    """Which way is harm."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def sign(self) -> int:
        """+1 where more is worse, -1 where less is."""
        return 1 if self is Direction.HIGHER else -1

    @property
    def opposite(self) -> Direction:
        """The other way."""
        return Direction.LOWER if self is Direction.HIGHER else Direction.HIGHER


@dataclass(frozen=True, slots=True)
class RatioTest:
    """H0: the candidate's rate is at most `margin` times the baseline's (or, of `LOWER`, at least).

    Attributes:
        alpha: chance of acting on a candidate within its margin, over all looks together.
        margin: ratio of the two rates that is still allowed.
        direction: which way is harm.
        spread_out: evidence must not come from one look alone: the strongest one is left out. One burst of related
            failures isn't a state that lasts; it costs about one look.

    Raises:
        ValueError: alpha is not within (0, 1), or the margin not above 0.
    """

    alpha: float = 0.05
    margin: float = 1.0
    direction: Direction = Direction.HIGHER
    spread_out: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; expected a probability between 0 and 1")
        if not (math.isfinite(self.margin) and self.margin > 0):
            raise ValueError(f"margin is {self.margin}; expected a ratio above 0")

    @property
    def threshold(self) -> float:
        """Log evidence from which on it acts."""
        return -math.log(self.alpha)


@dataclass(frozen=True, slots=True, eq=False)
class RatioState:
    """All that a test knows of the looks so far: sums, which add; `peak` alone depends on their order.

    Attributes:
        test: what is asked.
        looks: how many.
        bad, trials: of the candidate. base_bad, base_trials: of the baseline.
        scores: shape (points,), log-likelihood of each ratio of the grid, up to a constant of the data.
        strongest: shape (points,), what the strongest single look has added to them.
        peak: the most log evidence at any look so far, 0 at least.
    """

    test: RatioTest
    looks: int
    bad: int
    trials: int
    base_bad: int
    base_trials: int
    scores: Floats
    strongest: Floats
    peak: float

    @staticmethod
    def begin(test: RatioTest) -> RatioState:
        """Return the state before the first look."""
        return RatioState(test, 0, 0, 0, 0, 0, np.zeros(_POINTS.size), np.zeros(_POINTS.size), 0.0)

    def after(self, bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike) -> RatioState:
        """Return the state after more looks, in order; all of shape (looks,)."""
        x, n, y, m = (np.atleast_1d(np.asarray(a)) for a in (bad, trials, base_bad, base_trials))
        if not x.size:
            return self
        gains = _gains(_ratios(self.test.margin), x, n, y, m)
        candidates = np.vstack([self.strongest, gains])
        strongest = candidates[_strongest_so_far(_towards(self.test.direction, candidates))[1:]]
        places = np.concatenate([[_MARGIN], _MARGIN + self.test.direction.sign * _ALTERNATIVES])
        course = self.scores[places] + np.cumsum(gains[:, places], axis=0)
        seen = _log_mean(course[:, 1:] - course[:, :1])
        if self.test.spread_out:
            course -= strongest[:, places]
            seen = np.minimum(seen, _log_mean(course[:, 1:] - course[:, :1]))
        return RatioState(
            self.test,
            self.looks + x.size,
            self.bad + int(x.sum()),
            self.trials + int(n.sum()),
            self.base_bad + int(y.sum()),
            self.base_trials + int(m.sum()),
            self.scores + gains.sum(axis=0),
            strongest[-1],
            max(self.peak, float(seen.max())),
        )

    def __add__(self, later: RatioState) -> RatioState:
        """Return the state after the looks of `self` and then, all at once, those of `later`.

        The same as one pass over all of them, but that the evidence within `later` isn't looked at: the peak may be
        lower, never higher. Adding the states of two regions of the same time keeps each region compared with itself.

        Raises:
            ValueError: they are of different tests.
        """
        if self.test != later.test:
            raise ValueError("states of different tests don't add")
        scores = self.scores + later.scores
        both = np.vstack([self.strongest, later.strongest])
        strongest = both[int(np.argmax(_towards(self.test.direction, both)))]
        seen = float(_evidence(self.test, self.test.direction, scores, strongest))
        return RatioState(
            self.test,
            self.looks + later.looks,
            self.bad + later.bad,
            self.trials + later.trials,
            self.base_bad + later.base_bad,
            self.base_trials + later.base_trials,
            scores,
            strongest,
            max(self.peak, seen),
        )

    @property
    def log_evidence(self) -> float:
        """Log evidence at this look."""
        return float(_evidence(self.test, self.test.direction, self.scores, self.strongest))

    @property
    def p_value(self) -> float:
        """Always-valid p: 1 / (the most evidence so far); it never rises."""
        return math.exp(-max(0.0, self.peak))

    @property
    def ratio(self) -> float | None:
        """The candidate's rate as a multiple of the baseline's; None where the baseline's is 0 or unknown."""
        if not self.trials or not self.base_bad:
            return None
        return self.bad / self.trials * self.base_trials / self.base_bad

    def bounds(self) -> tuple[float | None, float | None]:
        """Return the ratios below and above which the test at its alpha excludes the true one, at every look.

        Each bound is one-sided at alpha, by the same mixture: the harmful-side bound passes the margin at the look at
        which the evidence reaches 1 / alpha. None: no bound within a factor of `LARGEST` of the margin.
        """
        places = np.arange(_REACH, 3 * _REACH + 1)
        ratios = _ratios(self.test.margin)[places]
        low, high = (
            _evidence(self.test, direction, self.scores, self.strongest, places) >= self.test.threshold
            for direction in (Direction.HIGHER, Direction.LOWER)
        )
        # Evidence that the true ratio is above one of the grid falls with that one; that it is below it, rises.
        return (
            float(ratios[np.flatnonzero(low)[-1]]) if low.any() else None,
            float(ratios[np.flatnonzero(high)[0]]) if high.any() else None,
        )

    def more_needed(self) -> float | None:
        """Return how many times the data so far it takes, on top, to decide, were the ratio to stay as it is.

        To decide is to act, or to show that the candidate is within its margin. 0: it is decided. None: the ratio is so
        near the margin that a hundred times the data wouldn't do.
        """
        best = float(self.scores.max()) - float(self.scores[_MARGIN])
        if not self.looks or best <= 0:
            return None
        direction = Direction.HIGHER if int(np.argmax(self.scores)) > _MARGIN else Direction.LOWER
        lacking = self.test.threshold - float(_evidence(self.test, direction, self.scores, self.strongest))
        return max(0.0, lacking / best) if lacking / best <= 100 else None


def log_evidence(
    test: RatioTest, bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike
) -> Floats:
    """Return the log evidence at each look, all of shape (..., looks), oldest first; many series at once."""
    x, n, y, m = (np.asarray(a) for a in (bad, trials, base_bad, base_trials))
    ratios = _ratios(test.margin)[np.concatenate([[_MARGIN], _MARGIN + test.direction.sign * _ALTERNATIVES])]
    gains = _gains(ratios, x, n, y, m)
    gains = gains[..., 1:] - gains[..., :1]
    scores = np.cumsum(gains, axis=-2)
    seen = _log_mean(scores)
    if test.spread_out:
        single = _log_mean(gains)
        strongest = np.take_along_axis(gains, _strongest_so_far(single)[..., None], axis=-2)
        some = np.maximum.accumulate(single, axis=-1)[..., None] > 0
        seen = np.minimum(seen, _log_mean(np.subtract(scores, strongest, out=scores, where=some)))
    return seen


def looks_until_seen(test: RatioTest, ratio: float, bad_a_look: float, share: float) -> float | None:
    """Return about how many looks it takes until a ratio is seen in half of all roll-outs.

    Computed on the average course of the data, not simulated: within a fifth, or a look, of the median of simulations.

    Args:
        test: what is asked.
        ratio: of the candidate's rate to the baseline's.
        bad_a_look: bad events that all requests of a look would bring at the baseline's rate.
        share: of the requests that the candidate answers, 0 to 1, both excluded.

    Returns:
        None where it is never seen: the ratio is within the margin, or nothing happens that could be compared.
    """
    if bad_a_look <= 0 or not 0 < share < 1 or (ratio - test.margin) * test.direction.sign <= 0:
        return None
    x, e = bad_a_look * share * ratio, bad_a_look * (share * ratio + 1 - share)
    ratios = _ratios(test.margin)[_MARGIN + test.direction.sign * np.concatenate([[0], _ALTERNATIVES])]
    gains = x * np.log(ratios) - e * np.log1p(share * (ratios - 1))
    gains = gains[1:] - gains[0]
    low, high = 0.0, 1.0
    while _log_mean(high * gains) < test.threshold:
        low, high = high, 2 * high
        if high > 1e12:
            return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _log_mean(middle * gains) >= test.threshold else (middle, high)
    # Chance carries half of the runs there a little sooner than their average; leaving out the strongest look takes
    # longer. By how much is from simulations (tests/experiments/sequential).
    return float(math.ceil(1.2 * high + 1 if test.spread_out else 0.87 * high))


def _ratios(margin: float) -> Floats:
    return np.asarray(margin * np.exp(_STEP * _POINTS), dtype=np.float64)


def _gains(
    ratios: Floats, bad: NDArray[np.generic], trials: NDArray[np.generic], base_bad: NDArray[np.generic],
    base_trials: NDArray[np.generic],
) -> Floats:  # fmt: skip
    """Return what each look adds to the log-likelihood of each ratio; shape (..., looks, ratios)."""
    x = np.asarray(bad, dtype=np.float64)[..., None]
    e = x + np.asarray(base_bad, dtype=np.float64)[..., None]
    n = np.asarray(trials, dtype=np.float64)[..., None]
    both = n + np.asarray(base_trials, dtype=np.float64)[..., None]
    # A look in which one version, or neither, had requests says nothing: its gains cancel, whatever the ratio.
    w = np.divide(n, both, out=np.zeros_like(n), where=both > 0)
    said = (w > 0) & (w < 1)
    return np.asarray(np.where(said, x * np.log(ratios) - e * np.log1p(w * (ratios - 1)), 0.0), dtype=np.float64)


def _evidence(
    test: RatioTest, direction: Direction, scores: Floats, strongest: Floats, at: int | NDArray[np.int64] = _MARGIN
) -> Floats:
    """Log evidence that the true ratio is beyond those at places of the grid, to one side."""
    seen = _towards(direction, scores, at)
    return np.minimum(seen, _towards(direction, scores - strongest, at)) if test.spread_out else seen


def _towards(direction: Direction, scores: Floats, at: int | NDArray[np.int64] = _MARGIN) -> Floats:
    at = np.asarray(at)
    beyond = scores[..., at[..., None] + direction.sign * _ALTERNATIVES]
    return _log_mean(beyond - scores[..., at][..., None])


def _log_mean(logs: Floats) -> Floats:
    """Log of the mean of exponentials over the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(logs - top).mean(axis=-1)) + top[..., 0], dtype=np.float64)


def _strongest_so_far(single: Floats) -> NDArray[np.int64]:
    """Index of the largest value up to each place, along the last axis."""
    top = np.maximum.accumulate(single, axis=-1)
    places = np.where(single >= top, np.arange(single.shape[-1]), 0)
    return np.asarray(np.maximum.accumulate(places, axis=-1), dtype=np.int64)

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

A fault may begin late, when every ratio beyond the margin has lost much over the healthy looks before. So half of the
evidence is a mixture over the look at which it begins (`horizon`). And a burst of related failures isn't a state that
lasts: no look's gain counts for more than its part of what it takes to act (`spread_out`, `lasts`: half, unless said).
Both keep it a supermartingale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

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
        spread_out: evidence must not come from one look alone, or few: each counts for its part of what is needed.
        horizon: looks at any of which a fault is expected to begin; 0: at the first one only.
        lasts: looks that a fault lasts at least, where evidence is spread out.

    Raises:
        ValueError: alpha is not within (0, 1), the margin not above 0, the horizon below 0, or `lasts` below 1.
    """

    alpha: float = 0.05
    margin: float = 1.0
    direction: Direction = Direction.HIGHER
    spread_out: bool = False
    horizon: int = 0
    lasts: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; expected a probability between 0 and 1")
        if not (math.isfinite(self.margin) and self.margin > 0):
            raise ValueError(f"margin is {self.margin}; expected a ratio above 0")
        if self.lasts < 1:
            raise ValueError(f"a fault lasts {self.lasts}; expected a number of looks, 1 at least")
        if self.horizon < 0:
            raise ValueError(f"horizon is {self.horizon}; expected a number of looks")

    @property
    def threshold(self) -> float:
        """Log evidence from which on it acts."""
        return -math.log(self.alpha)

    @property
    def most(self) -> float:
        """The most that one look may add to the log evidence."""
        return self.threshold / self.lasts if self.spread_out else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class RatioState:
    """All that a test knows of the looks so far: sums, which add; `peak` alone depends on how they were looked at.

    Attributes:
        test: what is asked.
        looks: how many.
        bad, trials: of the candidate. base_bad, base_trials: of the baseline.
        scores: shape (points,), log-likelihood of each ratio of the grid, up to a constant of the data.
        gained: shape (alternatives,), what each ratio beyond the margin has gained on it, look by look.
        late: shape (alternatives,), log of the same from each look of the horizon on, weighted.
        peak: the most log evidence at any look so far, 0 at least.
    """

    test: RatioTest
    looks: int
    bad: int
    trials: int
    base_bad: int
    base_trials: int
    scores: Floats
    gained: Floats
    late: Floats
    peak: float

    @staticmethod
    def begin(test: RatioTest) -> RatioState:
        """Return the state before the first look."""
        none = np.zeros(_ALTERNATIVES.size)
        return RatioState(test, 0, 0, 0, 0, 0, np.zeros(_POINTS.size), none, none - np.inf, 0.0)

    def after(self, bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike) -> RatioState:
        """Return the state after more looks, in order; all of shape (looks,)."""
        x, n, y, m = (np.atleast_1d(np.asarray(a)) for a in (bad, trials, base_bad, base_trials))
        if not x.size:
            return self
        gains = _gains(_ratios(self.test.margin), x, n, y, m)
        counted = _beyond(self.test, gains)
        gained, late = _courses(self.test, counted, self.looks, self.gained, self.late)
        seen = _evidence(self.test, gained, late, self.looks + np.arange(1, x.size + 1))
        return RatioState(
            self.test,
            self.looks + x.size,
            self.bad + int(x.sum()),
            self.trials + int(n.sum()),
            self.base_bad + int(y.sum()),
            self.base_trials + int(m.sum()),
            self.scores + gains.sum(axis=0),
            gained[-1],
            late[-1],
            max(self.peak, float(seen.max())),
        )

    def __add__(self, later: RatioState) -> RatioState:
        """Return the state after the looks of `self` and then, all at once, those of `later`.

        The same as one pass over all of them within the horizon, but that the evidence within `later` isn't looked at:
        the peak may be lower, never higher.

        Raises:
            ValueError: they are of different tests.
        """
        if self.test != later.test:
            raise ValueError("states of different tests don't add")
        looks, gained = self.looks + later.looks, self.gained + later.gained
        late = self.late + later.gained
        if looks <= self.test.horizon:  # beyond it the starts within `later` have no weight left
            late = np.logaddexp(late, later.late)
        seen = float(_evidence(self.test, gained, late, np.array(looks)))
        return RatioState(
            self.test,
            looks,
            self.bad + later.bad,
            self.trials + later.trials,
            self.base_bad + later.base_bad,
            self.base_trials + later.base_trials,
            self.scores + later.scores,
            gained,
            late,
            max(self.peak, seen),
        )

    @property
    def log_evidence(self) -> float:
        """Log evidence at this look."""
        return float(_evidence(self.test, self.gained, self.late, np.array(self.looks)))

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

    def bounds(self, dispersion: float = 1.0) -> tuple[float | None, float | None]:
        """Return the ratios below and above which the true one, over all looks so far, is excluded, at every look.

        Each bound is one-sided at alpha, by the plain mixture from the first look on: a fault that began late, or a
        single look, may show in the evidence and not yet in the bound of the whole, or the other way round. None: no
        bound within a factor of `LARGEST` of the margin. `dispersion` as of `log_evidence`.
        """
        places = np.arange(_REACH, 3 * _REACH + 1)
        ratios = _ratios(self.test.margin)[places]
        low, high = (
            _towards(direction, self.scores / dispersion, places) >= self.test.threshold
            for direction in (Direction.HIGHER, Direction.LOWER)
        )
        # Evidence that the true ratio is above one of the grid falls with that one; that it is below it, rises.
        return (
            float(ratios[np.flatnonzero(low)[-1]]) if low.any() else None,
            float(ratios[np.flatnonzero(high)[0]]) if high.any() else None,
        )

    def more_needed(self, dispersion: float = 1.0) -> float | None:
        """Return how many times the data so far it takes, on top, to decide, were the ratio to stay as it is.

        To decide is to act, or to show that the candidate is within its margin. 0: it is decided. None: the ratio is so
        near the margin that a hundred times the data wouldn't do. `dispersion` as of `log_evidence`.
        """
        best = float(self.scores.max()) - float(self.scores[_MARGIN])
        if not self.looks or best <= 0:
            return None
        beyond = (int(np.argmax(self.scores)) - _MARGIN) * self.test.direction.sign > 0
        seen = self.log_evidence if beyond else float(_towards(self.test.direction.opposite, self.scores))
        # What a mixture costs is about the same at any dispersion: the best ratio's evidence less that of all.
        lacking = self.test.threshold - (best / dispersion - (best - seen))
        best /= dispersion
        return max(0.0, lacking / best) if lacking / best <= 100 else None


def log_evidence(
    test: RatioTest,
    bad: ArrayLike,
    trials: ArrayLike,
    base_bad: ArrayLike,
    base_trials: ArrayLike,
    *,
    dispersion: float = 1.0,
) -> Floats:
    """Return the log evidence at each look, all of shape (..., looks), oldest first; many series at once.

    `dispersion`: how many times as much as by chance counts vary; each look then gains so many times less.
    """
    x, n, y, m = (np.asarray(a) for a in (bad, trials, base_bad, base_trials))
    if not x.shape[-1]:
        return np.zeros(x.shape)
    ratios = _ratios(test.margin)[_MARGIN + test.direction.sign * np.concatenate([[0], _ALTERNATIVES])]
    gains = _gains(ratios, x, n, y, m)
    counted = np.minimum((gains[..., 1:] - gains[..., :1]) / dispersion, test.most)
    gained, late = _courses(test, counted, 0, 0.0, -np.inf)
    return _evidence(test, gained, late, np.arange(1, x.shape[-1] + 1))


def looks_until_seen(test: RatioTest, ratio: float, bad_a_look: float, share: float) -> float | None:
    """Return about how many looks it takes until a ratio that is there from the start is seen in half of all roll-outs.

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
    own, both = np.log(ratios[1:] / ratios[0]), np.log1p(share * (ratios[1:] - 1)) - math.log1p(share * (ratios[0] - 1))
    gains = x * own - e * both
    if test.spread_out:  # what is cut off above is cut off the average, too
        spread = np.sqrt(x * (own - both) ** 2 + (e - x) * both**2)
        over = (gains - test.most) / spread
        gains = gains - spread * (over * special.ndtr(over) + np.exp(-(over**2) / 2) / math.sqrt(2 * math.pi))
    needed = test.threshold + (math.log(2) if test.horizon else 0.0)
    low, high = 0.0, 1.0
    while _log_mean(high * gains) < needed:
        low, high = high, 2 * high
        if high > 1e12:
            return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _log_mean(middle * gains) >= needed else (middle, high)
    # Chance carries half of the runs there a little sooner than their average; by how much is from simulations.
    return float(max(math.ceil(0.87 * high), 2 if test.spread_out else 1))


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


def _beyond(test: RatioTest, gains: Floats) -> Floats:
    """What the ratios beyond the margin gain on it in each look, as far as that counts."""
    places = _MARGIN + test.direction.sign * _ALTERNATIVES
    return np.minimum(gains[..., places] - gains[..., _MARGIN : _MARGIN + 1], test.most)


def _courses(
    test: RatioTest, counted: Floats, looks: int, gained: float | Floats, late: float | Floats
) -> tuple[Floats, Floats]:
    """Return gains so far, from the first look and from any of the horizon, at each of more looks.

    Args:
        test: what is asked. counted: shape (..., looks, alternatives). looks: before these.
        gained, late: before these, shape (alternatives,).
    """
    upto = np.cumsum(counted, axis=-2)
    if not test.horizon:
        return gained + upto, np.full_like(upto, -np.inf)
    begins = np.where(looks + np.arange(counted.shape[-2]) < test.horizon, -math.log(test.horizon), -np.inf)
    from_each = begins[:, None] - (upto - counted)
    from_each[..., 0, :] = np.logaddexp(from_each[..., 0, :], late)
    return gained + upto, upto + np.logaddexp.accumulate(from_each, axis=-2)


def _evidence(test: RatioTest, gained: Floats, late: Floats, looks: NDArray[np.int64]) -> Floats:
    seen = _log_mean(gained)
    if not test.horizon:
        return seen
    to_come = np.maximum(0.0, 1 - looks / test.horizon)
    with np.errstate(divide="ignore"):
        later = np.logaddexp(_log_mean(late), np.log(to_come))
    return np.asarray(np.logaddexp(seen, later) - math.log(2), dtype=np.float64)


def _towards(direction: Direction, scores: Floats, at: int | NDArray[np.int64] = _MARGIN) -> Floats:
    """Log evidence, by the plain mixture, that the true ratio is beyond those at places of the grid, to one side."""
    at = np.asarray(at)
    beyond = scores[..., at[..., None] + direction.sign * _ALTERNATIVES]
    return _log_mean(beyond - scores[..., at][..., None])


def _log_mean(logs: Floats) -> Floats:
    """Log of the mean of exponentials over the last axis."""
    top = np.maximum(logs.max(axis=-1, keepdims=True), -1e300)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - top).mean(axis=-1)) + top[..., 0], dtype=np.float64)

"""When figures are evidence: the breach rule of triggers, the intervals of criteria, the quorum of gauges.

All take arrays and look at many moments (and many simulated runs) at once: the judge asks for one look, the simulation
that measures the rule's false alarms asks for all of them, and both run the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.delivery.series import TOLERANCE_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes a share of bad events a breach.

    Attributes:
        share: the limit, as a share of bad events.
        window_s: plan seconds a window spans at least: the hold time, and no less than two sample intervals.
        minimum: trials a window holds at least.
        evidence: the exact binomial tail P(X >= bad | trials, share) must be below this.
        inclusive: a share right at the limit is beyond it, too.
    """

    share: float
    window_s: float
    minimum: int
    evidence: float
    inclusive: bool = False

    def beyond(self, bad: Ints, trials: Ints) -> Bools:
        """Say whether pooled shares are beyond the limit; never of nothing."""
        excess = bad - self.share * trials
        slack = 1e-9 * trials  # 29 of 100 is not beyond 29 %, though 0.29 * 100 is 28.999...
        return (trials > 0) & ((excess >= -slack) if self.inclusive else (excess > slack))


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What a rule says at each look; all arrays of shape (..., looks).

    Attributes:
        first: index of the first span in the window. begin: plan time at which the window begins.
        bad, trials: pooled over the window.
        old_enough: the phase is as old as the window must be long. enough: and the window holds the minimum.
        beyond: the share is beyond the limit in the window and in each half of it.
        tail: P(X >= bad | trials, limit) where `beyond`, else 1.
        breached: all of these, and the tail below the evidence asked for.
    """

    first: Ints
    begin: Floats
    bad: Ints
    trials: Ints
    old_enough: Bools
    enough: Bools
    beyond: Bools
    tail: Floats
    breached: Bools


def look(
    rule: Rule, start: Floats, seconds: Floats, bad: Ints, trials: Ints, *, since: float, at: Ints | None = None
) -> Looks:
    """Apply a rule to the window that ends with each of some spans.

    The window is `rule.window_s` long and grows back in time, span by span, until it holds the minimum, but not beyond
    `since`. A span belongs to the half of the window that its middle lies in; the middle one of an odd number to the
    later half.

    Args:
        rule: what makes a breach.
        start, seconds: shape (n,), n >= 1, spans sorted by their ends.
        bad, trials: shape (..., n).
        since: plan time before which no window reaches (the phase's start).
        at: shape (looks,), index of the span that each look's window ends with; by default the last one only.
    """
    at = np.array([start.size - 1]) if at is None else at
    end = start + seconds
    until = end[at]
    upto_bad, upto_trials = _running(bad), _running(trials)

    by_time = np.minimum(np.searchsorted(start, until - rule.window_s - TOLERANCE_S), at)
    old_enough = np.broadcast_to(until - rule.window_s >= since - TOLERANCE_S, (*bad.shape[:-1], at.size))
    by_count = _last_at_most(upto_trials, upto_trials[..., at + 1] - rule.minimum)
    first = np.maximum(np.minimum(by_time, by_count), 0)
    begin = np.where(first < by_time, start[first], until - rule.window_s)
    later = np.searchsorted(start + seconds / 2, (begin + until) / 2 - TOLERANCE_S)
    later = np.clip(later, first, at + 1)

    def pooled(upto: Ints, low: Ints, high: Ints) -> Ints:
        return np.take_along_axis(upto, high, -1) - np.take_along_axis(upto, low, -1)

    last = np.broadcast_to(at + 1, first.shape)
    x, n = pooled(upto_bad, first, last), pooled(upto_trials, first, last)
    beyond = rule.beyond(x, n)
    for low, high in ((first, later), (later, last)):
        beyond &= rule.beyond(pooled(upto_bad, low, high), pooled(upto_trials, low, high))
    enough = old_enough & (by_count >= 0)
    tail = np.ones(x.shape)
    tail[beyond] = binomial_tail(x[beyond], n[beyond], rule.share)
    return Looks(first, begin, x, n, old_enough, enough, beyond, tail, enough & beyond & (tail < rule.evidence))


def binomial_tail(x: Ints, n: Ints, share: float) -> Floats:
    """Return P(X >= x) of X ~ Binomial(n, share), exact, by the regularised incomplete beta function; 1 where x = 0."""
    tail = special.betainc(np.maximum(x, 1), np.maximum(n - x + 1, 1), share)
    return np.asarray(np.where(x > 0, tail, 1.0), dtype=np.float64)


def bounds(x: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the Clopper-Pearson bounds of a share, lower and upper, one-sided at `confidence` each; (0, 1) of none."""
    low = float(special.betaincinv(x, n - x + 1, 1 - confidence)) if x > 0 else 0.0
    high = float(special.betaincinv(x + 1, n - x, confidence)) if x < n else 1.0
    return low, high


def settles_after(x: int, n: int, share: float, confidence: float) -> float | None:
    """Return how many times the data it would take for a bound to clear a limit, were the share to stay as it is.

    Looked for up to 100 times the data; None beyond.
    """
    factor = np.geomspace(1, 100, 200)
    more = factor * n
    bad = factor * x
    clear = (special.betaincinv(bad + 1, more - bad + 1e-12, confidence) < share) | (
        special.betaincinv(bad + 1e-12, more - bad + 1, 1 - confidence) > share
    )
    return float(factor[int(np.argmax(clear))]) if clear.any() else None


def quantile_ranks(n: int, q: float, confidence: float) -> tuple[int, int]:
    """Return the ranks (from 1) of the order statistics that bound the q-quantile from below and from above.

    Distribution-free, one-sided at `confidence` each [Conover, Practical Nonparametric Statistics, 3.2]. Rank 0 or
    n + 1: there are too few for a bound on that side.
    """
    return _binomial_quantile(1 - confidence, n, q), _binomial_quantile(confidence, n, q) + 1


def _binomial_quantile(p: float, n: int, share: float) -> int:
    """Return the smallest k with P(X <= k) >= p of X ~ Binomial(n, share)."""
    k = math.ceil(float(special.bdtrik(p, n, share)))
    # The inverse is rounded: it may be one too high where P(X <= k - 1) is p to the last digit.
    return k - 1 if k > 0 and special.bdtr(k - 1, n, share) >= p else max(k, 0)


def is_worse(bad: int, trials: int, baseline_bad: int, baseline_trials: int, evidence: float) -> bool:
    """Say whether a share is higher than the baseline's, by Fisher's exact test, one-sided at `evidence`."""
    from scipy import stats  # only where a trigger is beyond its limit: to import it takes longer than a command may

    tail = stats.hypergeom.sf(bad - 1, trials + baseline_trials, bad + baseline_bad, trials)
    return bool(tail < evidence)


def are_worse(values: Floats, baseline: Floats, *, high_is_bad: bool, level: float) -> bool:
    """Say whether gauges are worse than the baseline's, by the Mann-Whitney test, one-sided at `level`.

    The level is wider than that of counts: five samples against five can't be more significant than 0.004.
    """
    if not values.size or not baseline.size or np.ptp(np.concatenate([values, baseline])) == 0:
        return False
    from scipy import stats  # as in `is_worse`

    test = stats.mannwhitneyu(values, baseline, alternative="greater" if high_is_bad else "less")
    return bool(test.pvalue < level)


def quorum(needed: int, of: int, window_s: float, interval_s: float) -> tuple[int, int]:
    """Return N and M for a hold time: M samples span it at least, and N keeps its proportion, rounded up."""
    spanning = math.ceil(window_s / interval_s - 1e-9) if interval_s > 0 else of
    return (needed, of) if spanning <= of else (math.ceil(needed * spanning / of), spanning)


def _running(values: Ints) -> Ints:
    """Cumulative sums with a leading 0; shape (..., n + 1)."""
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=np.int64)
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out


def _last_at_most(running: Ints, target: Ints) -> Ints:
    """Return, row by row, the last index at which non-decreasing sums are at most a target; -1 where none is."""
    rows = running.reshape(-1, running.shape[-1])
    targets = np.maximum(target.reshape(rows.shape[0], -1), -1)
    # One sorted array for all rows: each row is lifted above all of the one before.
    lift = (np.arange(rows.shape[0]) * (int(rows[:, -1].max()) + 2))[:, None]
    found = np.searchsorted((rows + lift).ravel(), (targets + lift).ravel(), side="right").reshape(targets.shape)
    return (found - np.arange(rows.shape[0])[:, None] * rows.shape[1] - 1).reshape(target.shape)

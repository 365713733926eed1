"""Figures that come ready-made (a p99 without its latencies), compared at every look by ranks alone.

A gauge has no counts to split and no known distribution. What remains is order. Two tests, each anytime-valid:

*Signs*, of pairs taken at the same time: where the candidate is no worse, it is worse than the baseline in at most half
of the looks, whatever the looks before were. A day that gets slower for both does no harm.

*Ranks*, among all values before: where candidate and baseline are alike, each new value is as likely to be the largest
of n as any other, so its rank from the top, over n, is a p-value independent of those before [Vovk, Nouretdinov &
Gammerman, ICML 2003]. It takes two or three looks where signs take seven, but an hour that is slow for both counts
against the candidate until the baseline's values of that hour are among those compared with.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

_POWERS = (np.arange(50) + 0.5) / 50  # of the calibrators k p^(k - 1), mixed evenly


def sign_evidence(
    candidate: ArrayLike, baseline: ArrayLike, *, high_is_bad: bool = True, margin: float = 1.0
) -> Floats:
    """Return the log evidence at each look, shape (..., looks), that the candidate exceeds `margin` x the baseline.

    Pairs of which either is NaN, or that tie, add nothing.
    """
    excess = np.asarray(candidate, dtype=np.float64) - margin * np.asarray(baseline, dtype=np.float64)
    excess = excess if high_is_bad else -excess
    pairs = np.cumsum(np.nan_to_num(excess) != 0, axis=-1)
    return _sign_evidence(np.cumsum(np.nan_to_num(excess) > 0, axis=-1), pairs)


def rank_evidence(
    candidate: ArrayLike,
    baseline: ArrayLike,
    before: ArrayLike = (),
    *,
    high_is_bad: bool = True,
    margin: float = 1.0,
) -> Floats:
    """Return the log evidence at each look, shape (..., looks), that the candidate exceeds `margin` x the baseline.

    Args:
        candidate, baseline: shape (..., looks); NaN where not told. A look's own baseline is compared with, too.
        before: shape (..., n), the baseline's values before the first look: the more, the sooner a fault is seen.
        high_is_bad: larger is worse.
        margin: by which the baseline's values are multiplied.
    """
    sign = 1.0 if high_is_bad else -1.0
    mine = sign * np.asarray(candidate, dtype=np.float64)
    theirs = sign * margin * np.asarray(baseline, dtype=np.float64)
    known = np.broadcast_to(
        sign * margin * np.asarray(before, dtype=np.float64), (*mine.shape[:-1], np.shape(before)[-1])
    )
    earlier = known.shape[-1]
    # In the order of arrival: those before, then of each look the baseline's value and the candidate's.
    pool = np.concatenate([known, np.stack([theirs, mine], axis=-1).reshape(*mine.shape[:-1], -1)], axis=-1)
    told = np.cumsum(~np.isnan(pool), axis=-1)
    log_p = np.zeros(mine.shape)
    for look in range(mine.shape[-1]):
        value, place = mine[..., look], earlier + 2 * look + 1
        # Ties count as worse ones: the p-value errs upward. NaN is never at least anything.
        at_least = (pool[..., :place] >= value[..., None]).sum(axis=-1)
        log_p[..., look] = np.where(np.isnan(value), 0.0, np.log((1 + at_least) / (1 + told[..., place - 1])))
    return _rank_evidence(np.cumsum(~np.isnan(mine), axis=-1), np.cumsum(log_p, axis=-1))


def _sign_evidence(worse: NDArray[np.generic], pairs: NDArray[np.generic]) -> Floats:
    # The integral over (1/2, 1) of 2 (2p)^s (2 - 2p)^(n - s): an incomplete beta function, in logs.
    s, n = np.asarray(worse, dtype=np.float64), np.asarray(pairs, dtype=np.float64)
    a, b = s + 1, n - s + 1
    upper = np.maximum(special.betainc(b, a, 0.5), 1e-300)
    return np.asarray((n + 1) * math.log(2) + special.betaln(a, b) + np.log(upper), dtype=np.float64)


def _rank_evidence(ranked: NDArray[np.generic], log_p: NDArray[np.generic]) -> Floats:
    k, s = np.asarray(ranked, dtype=np.float64)[..., None], np.asarray(log_p, dtype=np.float64)[..., None]
    return np.asarray(
        special.logsumexp(k * np.log(_POWERS) + (_POWERS - 1) * s, axis=-1) - math.log(_POWERS.size), dtype=np.float64
    )

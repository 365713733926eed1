"""Means and ratios of totals (revenue, ROI), compared at every look by an asymptotic confidence sequence.

The unit is the learner: what goes in is the estimate over all learners so far, from per-learner totals, and its
variance between learners. Sums over looks would take a returning learner for a new one and, where learners differ
strongly, reject a true null most of the time.

The sequence is an ordinary interval with a wider critical value: value +- c sqrt(variance), where c depends on how much
is known compared with what was planned for [Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, arXiv:2103.06476]. With n of
n* planned learners, s^2 = n variance and rho^2 = k / n*, it is

    c^2 = 2 (1 + 1 / (n rho^2)) ln(sqrt(n rho^2 + 1) / alpha),

and one-sided the logarithm is that of 1 + sqrt(n rho^2 + 1) / (2 alpha). k makes it tightest at n*.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def critical(known: ArrayLike, alpha: float, *, sides: int = 1) -> Floats:
    """Return how many standard errors the interval is wide to a side.

    Args:
        known: what is known as a part of what was planned for: n / n*, or information (1 / variance) over planned
            information. Any shape, above 0. The interval is tightest near 1 and valid everywhere.
        alpha: chance that the interval ever misses the truth; on one side, of `sides` = 1.
        sides: 1 or 2.

    Raises:
        ValueError: alpha is not within (0, 1), or sides not 1 or 2.
    """
    t = _tuning(alpha, sides) * np.asarray(known, dtype=np.float64)
    root = np.sqrt(t + 1)
    log = np.log(root / alpha) if sides == 2 else np.log1p(root / (2 * alpha))
    return np.asarray(np.sqrt(2 * (1 + 1 / t) * log), dtype=np.float64)


def half_width(n: ArrayLike, s: ArrayLike, planned: float, alpha: float, *, sides: int = 1) -> Floats:
    """Return the half-width of the sequence at n observations of standard deviation s, tuned for `planned` of them."""
    n = np.asarray(n, dtype=np.float64)
    known = n / planned
    return np.asarray(critical(known, alpha, sides=sides) * np.asarray(s) / np.sqrt(n), dtype=np.float64)


def mean_evidence(z: ArrayLike, known: ArrayLike, alpha: float) -> Floats:
    """Return the log evidence of a deviation of z standard errors to the harmful side; 0 at least.

    It reaches ln(1 / alpha) where the one-sided interval at alpha excludes the deviation's zero.
    """
    z = np.maximum(np.asarray(z, dtype=np.float64), 0.0)
    t = _tuning(alpha, 1) * np.asarray(known, dtype=np.float64)
    exponent = z**2 / (2 * (1 + 1 / t))
    # p solves c(p) = z: p = sqrt(t + 1) / (2 (e^exponent - 1)); expm1 in logs, as it may be huge.
    with np.errstate(divide="ignore"):
        log_expm1 = np.where(exponent > 30, exponent, np.log(np.expm1(np.minimum(exponent, 30))))
    return np.asarray(np.maximum(0.0, log_expm1 + math.log(2) - np.log(t + 1) / 2), dtype=np.float64)


def more_needed(z: float, known: float, alpha: float) -> float | None:
    """Return how many times the data so far it takes, on top, until z standard errors are beyond the interval.

    Were the deviation to stay as it is, z grows with the root of the data. 0: it is beyond. None: not in 1,000 times.
    """
    factor = np.geomspace(1, 1001, 600)
    beyond = z * np.sqrt(factor) >= critical(known * factor, alpha)
    return float(factor[int(np.argmax(beyond))] - 1) if beyond.any() else None


def _tuning(alpha: float, sides: int) -> float:
    """Return n* rho^2 that makes the sequence tightest at n*."""
    if not 0 < alpha < 1 or sides not in (1, 2):
        raise ValueError(f"alpha is {alpha}, sides {sides}; expected a probability between 0 and 1, and 1 or 2")
    a = min(alpha if sides == 2 else 2 * alpha, 0.999)
    return -2 * math.log(a) + math.log1p(-2 * math.log(a))

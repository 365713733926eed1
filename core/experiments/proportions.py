"""Score intervals of the difference and the ratio of two shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.experiments.aggregates import Floats

_HALVINGS = 60


def score_difference(
    control: Floats, n_control: Floats, treatment: Floats, n_treatment: Floats, z: float
) -> tuple[Floats, Floats]:
    """Return the interval of treatment - control: differences that the score test at z doesn't reject [Mee 1984].

    Args:
        control, treatment: shares. n_control, n_treatment: learners, shape (...).
    """
    p0, n0, p1, n1 = np.broadcast_arrays(control, n_control, treatment, n_treatment)
    known, n0, n1 = (n0 > 0) & (n1 > 0), np.maximum(n0, 1), np.maximum(n1, 1)
    observed = p1 - p0

    def score(delta: Floats) -> Floats:
        null0 = _under_difference(p0, n0, p1, n1, delta)
        null1 = np.clip(null0 + delta, 0, 1)
        return _z(observed - delta, null1 * (1 - null1) / n1 + null0 * (1 - null0) / n0)

    low = _edge(lambda d: score(d) > z, np.full(p0.shape, -1.0), observed)
    high = _edge(lambda d: score(d) < -z, np.full(p0.shape, 1.0), observed)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def score_ratio(
    control: Floats, n_control: Floats, treatment: Floats, n_treatment: Floats, z: float
) -> tuple[Floats, Floats]:
    """Return the interval of treatment / control: ratios that the score test at z doesn't reject [Koopman 1984].

    NaN where the control is zero: nothing is relative to it.
    """
    p0, n0, p1, n1 = np.broadcast_arrays(control, n_control, treatment, n_treatment)
    known, n0, n1 = (n0 > 0) & (n1 > 0) & (p0 > 0), np.maximum(n0, 1), np.maximum(n1, 1)

    def score(ratio: Floats) -> Floats:
        null0 = _under_ratio(p0, n0, p1, n1, ratio)
        null1 = np.clip(null0 * ratio, 0, 1)
        return _z(p1 - ratio * p0, null1 * (1 - null1) / n1 + ratio**2 * null0 * (1 - null0) / n0)

    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.where(p0 > 0, p1 / p0, 1.0)
        # Ratios are looked for as t in t / (1 - t), which takes them all in.
        middle = observed / (1 + observed)
        low = _edge(lambda t: score(_odds(t)) > z, np.zeros(p0.shape), middle)
        high = _edge(lambda t: score(_odds(t)) < -z, np.ones(p0.shape), middle)
    return np.where(known, _odds(low), np.nan), np.where(known, _odds(high), np.nan)


def _odds(t: Floats) -> Floats:
    return np.asarray(t / np.maximum(1 - t, 1e-100))


def _z(distance: Floats, variance: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = distance / np.sqrt(np.maximum(variance, 0))
    return np.where(distance == 0, 0.0, found)


def _edge(rejected: Callable[[Floats], NDArray[np.bool_]], outside: Floats, inside: Floats) -> Floats:
    """Return where rejection begins between a value outside and one inside, by halving."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        out = rejected(middle)
        outside, inside = np.where(out, middle, outside), np.where(out, inside, middle)
    return (outside + inside) / 2


def _under_difference(p0: Floats, n0: Floats, p1: Floats, n1: Floats, delta: Floats) -> Floats:
    """Return the control's likeliest share if the difference were delta: a root of a cubic, in closed form."""
    n = np.maximum(n0 + n1, 1)
    x0, x1 = p0 * n0, p1 * n1
    # Miettinen & Nurminen 1985, appendix, divided by n.
    l2 = ((n1 + 2 * n0) * delta - n - x0 - x1) / n
    l1 = ((n0 * delta - n - 2 * x0) * delta + x0 + x1) / n
    l0 = x0 * delta * (1 - delta) / n
    q = l2**3 / 27 - l2 * l1 / 6 + l0 / 2
    p = np.where(q < 0, -1.0, 1.0) * np.sqrt(np.maximum(l2**2 / 9 - l1 / 3, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(p != 0, q / p**3, 0.0)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    found: Floats = np.clip(2 * p * np.cos(angle) - l2 / 3, np.maximum(0, -delta), np.minimum(1, 1 - delta))
    return found


def _under_ratio(p0: Floats, n0: Floats, p1: Floats, n1: Floats, ratio: Floats) -> Floats:
    """Return the control's likeliest share if the ratio were `ratio`: a root of a quadratic."""
    x0, x1 = p0 * n0, p1 * n1
    a = (n0 + n1) * ratio
    b = n1 * ratio + x1 + n0 + x0 * ratio
    c = x0 + x1
    # The smaller root, written so that nothing cancels.
    return np.asarray(2 * c / np.maximum(b + np.sqrt(np.maximum(b**2 - 4 * a * c, 0)), 1e-300))

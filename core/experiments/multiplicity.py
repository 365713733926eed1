"""p-values of many tests, adjusted: Holm for "none is by chance", Benjamini-Hochberg for "few are"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from core.experiments.aggregates import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Return adjusted p-values that hold the chance of any false rejection [Holm 1979]; NaN stays, uncounted."""
    return _adjusted(p_values, lambda p, n: np.maximum.accumulate(p * np.arange(n, 0, -1)))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return adjusted p-values that hold the expected share of false rejections [Benjamini & Hochberg 1995]."""
    return _adjusted(p_values, lambda p, n: np.minimum.accumulate((p * n / np.arange(1, n + 1))[::-1])[::-1])


def _adjusted(p_values: ArrayLike, adjust: Callable[[Floats, int], Floats]) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    if order.size:
        out[order] = np.minimum(adjust(p[order], order.size), 1.0)
    return out

"""Intervals of relative effects that carry the baseline's own noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from core.experiments.aggregates import Floats


def fieller(
    treatment: ArrayLike, treatment_variance: ArrayLike, control: ArrayLike, control_variance: ArrayLike, z: ArrayLike
) -> tuple[Floats, Floats]:
    """Return the interval of treatment / control, of two independent estimates.

    All ratios r at which treatment - r x control isn't told from zero [Fieller 1954]. Unlike that of the log ratio it
    stands a treatment of zero or below, and it holds 1 exactly when the test of the difference doesn't reject.

    Args:
        treatment, control: estimates. treatment_variance, control_variance: of the estimates.
        z: how many standard errors, such as 1.96.

    Returns:
        Low and high; NaN where the control is not clearly above zero, so that nothing is relative to it.
    """
    t, vt, c, vc, q = (
        np.asarray(v, dtype=np.float64) for v in (treatment, treatment_variance, control, control_variance, z)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = t / c
        g = q**2 * vc / c**2
        half = q * np.sqrt(vt / c**2 * (1 - g) + ratio**2 * vc / c**2) / (1 - g)
        centre = ratio / (1 - g)
    clear = (c > 0) & (g < 1)
    return np.where(clear, centre - half, np.nan), np.where(clear, centre + half, np.nan)

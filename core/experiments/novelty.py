"""Does the effect change with the day on which learners came in? New things often please for a while only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from core.experiments.estimates import Effect


@dataclass(frozen=True, slots=True)
class Trend:
    """The effect by day.

    Attributes:
        days: that could be compared.
        slope: change of the effect a day, in the metric's unit. low, high: its interval.
        p_value: of no slope. q_p_value: of the same effect on all days (Cochran's Q).
    """

    days: int
    slope: float
    low: float
    high: float
    p_value: float
    q_p_value: float


def trend(effect: Effect, days: np.ndarray) -> Trend | None:
    """Fit a line through the daily effects, weighted by how well each is known; None of fewer than three days.

    Args:
        effect: of each day, shape (days,).
        days: their numbers.
    """
    usable = np.isfinite(effect.difference) & (effect.variance > 0)
    if usable.sum() < 3:
        return None
    d, w, t = effect.difference[usable], 1 / effect.variance[usable], days[usable].astype(np.float64)
    centred = t - (w * t).sum() / w.sum()
    spread = float((w * centred**2).sum())
    if spread == 0:
        return None
    slope, se = float((w * centred * d).sum() / spread), float(1 / np.sqrt(spread))
    z = float(special.ndtri(1 - effect.alpha / 2))
    q = float((w * (d - (w * d).sum() / w.sum()) ** 2).sum())
    return Trend(
        days=int(usable.sum()),
        slope=slope,
        low=slope - z * se,
        high=slope + z * se,
        p_value=float(2 * special.ndtr(-abs(slope) / se)),
        q_p_value=float(special.chdtrc(usable.sum() - 1, q)),
    )

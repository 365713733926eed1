"""Do segments differ in their effect? Tests, shrunken estimates, and what "segment spread under 5 %" means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from core.experiments.aggregates import Floats
from core.experiments.estimates import Effect

SPREAD = 0.05
"""How far a segment's effect may lie from the overall one, as a share of the baseline's mean, to be "the same"."""


class SpreadState(StrEnum):
    """Whether the effect is about the same in all segments."""

    WITHIN = "within"
    HETEROGENEOUS = "heterogeneous"
    UNKNOWN = "not enough data"


@dataclass(frozen=True, slots=True, eq=False)
class Heterogeneity:
    """How much L segments differ in their effect.

    Attributes:
        q: Cochran's. df: L - 1. q_p_value: of it, by chi-square.
        p_value: of the interaction: Q with Welch's correction for variances that are estimated, by F [Welch 1951].
        relative_p_value: of the same in per cent of each level's own control: a lift that is the same in per cent
            differs in units where controls do. NaN where a control isn't above zero.
        tau: standard deviation of the true effects, in the metric's unit [DerSimonian & Laird 1986].
        i_squared: share of the segments' variation that isn't noise [Higgins & Thompson 2002].
        shrunken: each segment's effect drawn towards their mean as far as its noise asks (empirical Bayes), in the
            metric's unit; shrunken_low, shrunken_high: its interval.
        deviation: (segment's effect - overall effect) / baseline's mean; low, high: its interval, Holm's:
            the k-th surest to lie within the spread has one at 1 - alpha / (L - k + 1).
        spread_ok: whether all of them lie within the spread.
    """

    q: float
    df: int
    q_p_value: float
    p_value: float
    relative_p_value: float
    tau: float
    i_squared: float
    shrunken: Floats
    shrunken_low: Floats
    shrunken_high: Floats
    deviation: Floats
    low: Floats
    high: Floats
    spread: float
    spread_ok: bool


def heterogeneity(effect: Effect, spread: float = SPREAD) -> Heterogeneity | None:
    """Compare the effects in L segments; None where fewer than two can be compared.

    The overall effect here is the mean of the segments' effects, weighted by their shares of learners, and the
    baseline's mean likewise: so a difference in the arms' make-up is not taken for one in effect.

    Args:
        effect: of L segments, shape (L,).
        spread: a share of the baseline's mean.
    """
    d, v = effect.difference, effect.variance
    if d.size < 2 or not (np.isfinite(d) & (v > 0)).all():
        return None
    w = 1 / v
    mean = (w * d).sum() / w.sum()
    q, df = float((w * (d - mean) ** 2).sum()), d.size - 1
    tau2 = max(0.0, (q - df) / (w.sum() - (w**2).sum() / w.sum()))
    pull = tau2 / (tau2 + v)
    weights = 1 / (v + tau2)
    centre = (weights * d).sum() / weights.sum()
    shrunken = centre + pull * (d - centre)
    se = np.sqrt(pull * v + (1 - pull) ** 2 / weights.sum())
    z = special.ndtri(1 - effect.alpha / 2)
    deviation, low, high = _deviations(effect, spread)
    return Heterogeneity(
        q=q,
        df=df,
        q_p_value=float(special.chdtrc(df, q)),
        p_value=_interaction(w, q, effect.df),
        relative_p_value=_relative(effect),
        tau=float(np.sqrt(tau2)),
        i_squared=max(0.0, (q - df) / q) if q > 0 else 0.0,
        shrunken=shrunken,
        shrunken_low=shrunken - z * se,
        shrunken_high=shrunken + z * se,
        deviation=deviation,
        low=low,
        high=high,
        spread=spread,
        spread_ok=bool((low > -spread).all() and (high < spread).all()),
    )


def spread_state(found: Heterogeneity, p_adjusted: float, alpha: float) -> SpreadState:
    """Return one of three answers: all intervals within the spread, else heterogeneous if shown to be, else unknown."""
    if found.spread_ok:
        return SpreadState.WITHIN
    return SpreadState.HETEROGENEOUS if p_adjusted < alpha else SpreadState.UNKNOWN


def _interaction(w: Floats, q: float, dfs: Floats) -> float:
    """Return the p-value of equal effects by Welch's test for means with unequal, estimated variances."""
    k = w.size
    lack = float((((1 - w / w.sum()) ** 2) / dfs).sum())
    if lack == 0:
        return float(special.chdtrc(k - 1, q))
    f = q / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * lack)
    return float(special.fdtrc(k - 1, (k**2 - 1) / (3 * lack), f))


def _relative(effect: Effect) -> float:
    """Return the interaction's p-value of the relative effects, by the delta method."""
    if not (effect.control > 0).all():
        return float("nan")
    ratio = effect.treatment / effect.control
    w = effect.control**2 / (effect.treatment_variance + ratio**2 * effect.control_variance)
    return _interaction(w, float((w * (ratio - (w * ratio).sum() / w.sum()) ** 2).sum()), effect.df)


def _deviations(effect: Effect, spread: float) -> tuple[Floats, Floats, Floats]:
    """Return (segment's effect - overall effect) / baseline's mean, with Holm's intervals."""
    n = effect.n_control + effect.n_treatment
    share = n / n.sum()
    away = np.eye(share.size) - share  # row: a segment's deviation, as weights of the segments' effects
    base = float((share * effect.control).sum())
    if base <= 0:
        unknown = np.full(share.size, np.nan)
        return unknown, unknown, unknown
    deviation = away @ effect.difference / base
    # The baseline's mean is measured, too, and from the same controls (delta method).
    control = -away - deviation[:, None] * share
    variance = (away**2 @ effect.treatment_variance + control**2 @ effect.control_variance) / base**2
    se = np.sqrt(np.maximum(variance, 1e-300))
    # How surely each lies within the spread; Holm gives the surest the widest interval.
    far = special.ndtr((np.abs(deviation) - spread) / se)
    level = np.empty(share.size)
    level[np.argsort(far, kind="stable")] = effect.alpha / np.arange(share.size, 0, -1)
    z = special.ndtri(1 - level / 2)
    return deviation, deviation - z * se, deviation + z * se

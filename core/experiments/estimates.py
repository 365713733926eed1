"""Aggregates of two arms -> an effect with its interval. All arithmetic is over arrays of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from core.experiments.aggregates import Aggregates, Floats
from core.experiments.intervals import fieller
from core.experiments.proportions import score_difference, score_ratio

POWER = 0.80
"""With which smallest detectable effects are stated."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One arm's value of a metric.

    Attributes:
        value: shape (...). variance: of the value, not of one learner. n: learners, or clusters.
        raw: the value without what a covariate explains. raw_variance: the variance it would have without one.
    """

    value: Floats
    variance: Floats
    n: Floats
    raw: Floats
    raw_variance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """Treatment against control on one metric; every number an array of cells, a plain one for one cell.

    Attributes:
        control, treatment: the metric in each arm, adjusted for the covariate if there is one.
        difference: treatment - control, in the metric's unit. low, high: its interval at 1 - alpha.
        relative: difference / control; NaN where the control is zero. relative_low, relative_high: its interval, which
            carries the control's noise; NaN where the control is not clearly above zero.
        p_value: two-sided, of no difference. NaN where nothing varies.
        statistic: the test's t or z. df: of t; infinite for z.
        mde: the smallest difference that would be seen with a power of `POWER`.
        control_variance, treatment_variance: of the two values. n_control, n_treatment: units.
        reduction: share of the variance that the covariate took away; zero without one.
        alpha: of the intervals. method: the test in words.
    """

    control: Floats
    treatment: Floats
    difference: Floats
    low: Floats
    high: Floats
    relative: Floats
    relative_low: Floats
    relative_high: Floats
    p_value: Floats
    statistic: Floats
    df: Floats
    mde: Floats
    control_variance: Floats
    treatment_variance: Floats
    n_control: Floats
    n_treatment: Floats
    reduction: Floats
    alpha: float
    method: str

    @property
    def variance(self) -> Floats:
        """The variance of the difference."""
        return self.control_variance + self.treatment_variance

    def __getitem__(self, cells: object) -> Effect:
        """Return the effect in some cells."""
        numbers = {name: getattr(self, name)[cells] for name in self.__slots__ if name not in ("alpha", "method")}
        return Effect(**numbers, alpha=self.alpha, method=self.method)


def quantile(alpha: float, df: Floats) -> Floats:
    """Return how many standard errors a two-sided interval at 1 - alpha reaches, by Student's t."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isinf(df), special.ndtri(1 - alpha / 2), special.stdtrit(df, 1 - alpha / 2)))


def two_sided(statistic: Floats, df: Floats) -> Floats:
    """Return the two-sided p-value of t; exact far out in the tail, where 2 (1 - cdf) gives zero."""
    far = -np.abs(statistic)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * np.where(np.isinf(df), special.ndtr(far), special.stdtr(df, far)))


def ratio_of_totals(
    numerator: str,
    denominator: str | None,
    covariate: tuple[str, str | None] | None,
    arms: Sequence[Aggregates],
) -> tuple[Estimate, ...]:
    """Return each arm's ratio of totals, adjusted for a covariate; with no denominator, the mean.

    Delta method: the ratio R = mean(y) / mean(d) varies as the mean of (y - R d) / mean(d) does. The covariate's
    coefficient comes from all arms together, so that arms are adjusted alike.
    """
    total = arms[0]
    for arm in arms[1:]:
        total = total + arm
    raw = [_ratio(arm, numerator, denominator) for arm in arms]
    own = (numerator, denominator)
    variances = [_covariance(arm, own, own) / np.maximum(arm.n, 1) for arm in arms]
    if covariate is None:
        return tuple(Estimate(r, v, arm.n, r, v) for r, v, arm in zip(raw, variances, arms, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = _covariance(total, own, covariate) / _covariance(total, covariate, covariate)
    theta = np.where(np.isfinite(theta), theta, 0.0)
    centre = _ratio(total, *covariate)
    found = []
    for arm, value, variance in zip(arms, raw, variances, strict=True):
        adjusted = value - theta * (_ratio(arm, *covariate) - centre)
        less = theta**2 * _covariance(arm, covariate, covariate) - 2 * theta * _covariance(arm, own, covariate)
        found.append(Estimate(adjusted, np.maximum(variance + less / np.maximum(arm.n, 1), 0), arm.n, value, variance))
    return tuple(found)


def _ratio(arm: Aggregates, over: str, under: str | None) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        if under is None:
            return np.where(arm.n > 0, arm.average(over), np.nan)
        return np.where(arm.average(under) != 0, arm.average(over) / arm.average(under), np.nan)


def _covariance(arm: Aggregates, left: tuple[str, str | None], right: tuple[str, str | None]) -> Floats:
    """Return the covariance between learners of two ratios of totals, each made linear about its value."""

    def weights(column: str, under: str | None) -> list[tuple[str, Floats]]:
        if under is None:
            return [(column, np.asarray(1.0))]
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / np.where(arm.average(under) != 0, arm.average(under), np.nan)
        return [(column, scale), (under, -_ratio(arm, column, under) * scale)]

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            sum(a * b * arm.covariance(one, other) for one, a in weights(*left) for other, b in weights(*right))
        )


def compare_means(control: Estimate, treatment: Estimate, alpha: float, method: str) -> Effect:
    """Compare two independent estimates by Welch's t [Welch 1947]; the degrees of freedom are Satterthwaite's."""
    difference = treatment.value - control.value
    variance = control.variance + treatment.variance
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / (control.variance**2 / (control.n - 1) + treatment.variance**2 / (treatment.n - 1))
        se = np.sqrt(variance)
        statistic = difference / se
        reduction = 1 - variance / (control.raw_variance + treatment.raw_variance)
    q = quantile(alpha, df)
    return _effect(
        control,
        treatment,
        (difference - q * se, difference + q * se),
        fieller(treatment.value, treatment.variance, control.value, control.variance, q),
        (two_sided(statistic, df), statistic, df),
        (q + special.ndtri(POWER)) * se,
        np.where(np.isfinite(reduction), reduction, 0.0),
        alpha,
        method,
    )


def compare_rates(control: Floats, n_control: Floats, treatment: Floats, n_treatment: Floats, alpha: float) -> Effect:
    """Compare two shares: z with pooled variance, without continuity correction, and the intervals that belong to it.

    The intervals are the score intervals of the difference [Mee 1984] and of the ratio [Koopman 1984]: they hold no
    difference exactly when the test doesn't reject, and never leave what is possible.
    """
    z = float(special.ndtri(1 - alpha / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (control * n_control + treatment * n_treatment) / (n_control + n_treatment)
        statistic = (treatment - control) / np.sqrt(pooled * (1 - pooled) * (1 / n_control + 1 / n_treatment))
        statistic = np.where((n_control > 0) & (n_treatment > 0), statistic, np.nan)
        variances = [p * (1 - p) / n for p, n in ((control, n_control), (treatment, n_treatment))]
    infinite = np.full(np.shape(statistic), np.inf)
    arms = [
        Estimate(np.where(n > 0, p, np.nan), v, n, p, v)
        for p, v, n in ((control, variances[0], n_control), (treatment, variances[1], n_treatment))
    ]
    return _effect(
        arms[0],
        arms[1],
        score_difference(control, n_control, treatment, n_treatment, z),
        score_ratio(control, n_control, treatment, n_treatment, z),
        (two_sided(statistic, infinite), statistic, infinite),
        (z + special.ndtri(POWER)) * np.sqrt(variances[0] + variances[1]),
        np.zeros(np.shape(statistic)),
        alpha,
        "two-proportion z",
    )


def _effect(
    control: Estimate,
    treatment: Estimate,
    interval: tuple[Floats, Floats],
    ratio: tuple[Floats, Floats],
    test: tuple[Floats, Floats, Floats],
    mde: Floats,
    reduction: Floats,
    alpha: float,
    method: str,
) -> Effect:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(control.value != 0, treatment.value / control.value - 1, np.nan)
    return Effect(
        control=control.value,
        treatment=treatment.value,
        difference=treatment.value - control.value,
        low=interval[0],
        high=interval[1],
        relative=relative,
        relative_low=ratio[0] - 1,
        relative_high=ratio[1] - 1,
        p_value=test[0],
        statistic=test[1],
        df=test[2],
        mde=mde,
        control_variance=control.variance,
        treatment_variance=treatment.variance,
        n_control=control.n,
        n_treatment=treatment.n,
        reduction=reduction,
        alpha=alpha,
        method=method,
    )

"""How many learners are needed to see an effect, how small an effect is seen with so many, and how surely."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import special

from core.experiments.aggregates import Aggregates
from core.experiments.estimates import POWER, ratio_of_totals
from core.experiments.metrics import Metric, Rate

_FEWEST, _MOST = 4.0, 1e12


def power_of(
    difference: float, n: float, variances: tuple[float, float], share: float = 0.5, alpha: float = 0.05, t: bool = True
) -> float:
    """Return the chance that a two-sided test rejects.

    Args:
        difference: the true one, in the metric's unit.
        n: learners in both arms together.
        variances: between learners, of control and treatment.
        share: of learners who are in the treatment.
        t: by Welch's (noncentral) t; else by the normal distribution, as for rates.
    """
    sizes = (n * (1 - share), n * share)
    parts = [v / size for v, size in zip(variances, sizes, strict=True)]
    se = math.sqrt(sum(parts))
    if se == 0:
        return 1.0 if difference else alpha
    effect = difference / se
    if not t:
        z = float(special.ndtri(1 - alpha / 2))
        return float(special.ndtr(effect - z) + special.ndtr(-effect - z))
    df = sum(parts) ** 2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True) if size > 1)
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    return float(1 - special.nctdtr(df, effect, critical) + special.nctdtr(df, effect, -critical))


def smallest_difference(
    n: float,
    variances: tuple[float, float],
    share: float = 0.5,
    alpha: float = 0.05,
    power: float = POWER,
    t: bool = True,
) -> float:
    """Return the smallest difference that is seen with a given power: the minimum detectable effect."""
    se = math.sqrt(variances[0] / (n * (1 - share)) + variances[1] / (n * share))
    if se == 0:
        return 0.0
    return _root(lambda d: power_of(d, n, variances, share, alpha, t) - power, se * 1e-6, se * 4)


def learners_needed(
    difference: float,
    variances: tuple[float, float],
    share: float = 0.5,
    alpha: float = 0.05,
    power: float = POWER,
    t: bool = True,
) -> int:
    """Return how many learners in both arms together see a difference with a given power.

    Raises:
        ValueError: the difference is zero, which no number of learners shows.
    """
    if difference == 0:
        raise ValueError("a difference of zero is seen by no number of learners")
    fewest = max(_FEWEST, 2.0 / min(share, 1 - share) + 1e-9)
    if power_of(difference, fewest, variances, share, alpha, t) >= power:
        return math.ceil(fewest)
    return math.ceil(_root(lambda n: power_of(difference, n, variances, share, alpha, t) - power, fewest, fewest * 10))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function is zero, from a low value up."""
    from scipy import optimize  # takes its time to load, and the judge needs none of it

    while rising(high) < 0:
        low, high = high, high * 4
        if high > _MOST * max(1.0, low):
            break
    return float(optimize.brentq(rising, low, high, xtol=1e-12, rtol=1e-10))


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of a metric before an experiment.

    Attributes:
        value: of the metric. variance: between learners. learners: it was seen on; None where the figure was stated.
        t: means and ratios go by t, rates by z.
    """

    name: str
    value: float
    variance: float
    learners: int | None = None
    t: bool = True

    def variances(self, difference: float) -> tuple[float, float]:
        """Return the variances of control and treatment; that of a rate moves with it."""
        if self.t:
            return self.variance, self.variance
        moved = min(max(self.value + difference, 0.0), 1.0)
        return self.variance, moved * (1 - moved)


def baseline(metric: Metric, all_learners: Aggregates) -> Baseline:
    """Return the baseline of a metric from learners who are all treated alike."""
    covariate = (metric.covariate, metric.denominator_of_covariate) if metric.covariate else None
    (found,) = ratio_of_totals(metric.numerator, metric.denominator, covariate, [all_learners])
    n = float(found.n)
    t = not isinstance(metric, Rate) or metric.covariate is not None or metric.clustered
    value = float(found.value)
    variance = float(found.variance) * n if t else value * (1 - value)
    return Baseline(metric.name, value, variance, int(n), t)

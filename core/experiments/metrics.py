"""Metrics: which columns each needs the moments of, and how two arms are compared on it. A new metric is one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from core.experiments.aggregates import Aggregates, Floats
from core.experiments.estimates import Effect, compare_means, compare_rates, ratio_of_totals
from core.experiments.observations import Observations

ROWS = "(rows)"
"""A column of ones: learners within clusters."""


@dataclass(frozen=True, slots=True)
class Cap:
    """Where values are cut off, so that a few learners don't carry the result; state it before the data are seen.

    Attributes:
        value: in the column's unit; None until a quantile has been looked up.
        quantile: of all arms' values together, between 0 and 1; None for a stated value.
    """

    value: float | None = None
    quantile: float | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.quantile is None) and self.value is None:
            raise ValueError("a cap is a value or a quantile")
        if self.quantile is not None and not 0 < self.quantile < 1:
            raise ValueError(f"a cap's quantile is between 0 and 1, not {self.quantile}")


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse than the control is still acceptable (non-inferiority). Its sign says which way is worse.

    Attributes:
        size: -0.03 with `relative`: 3 % of the control's value less is acceptable, no more; +0.01: 1 % more is.
        relative: a share of the control's value; else in the metric's unit.
    """

    size: float
    relative: bool = False

    def __post_init__(self) -> None:
        if self.size == 0 or not np.isfinite(self.size):
            raise ValueError("a margin is a number other than zero; its sign says which way is worse")

    def __str__(self) -> str:
        return f"{100 * self.size:+g} %" if self.relative else f"{self.size:+g}"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What all metrics share. Use a subclass.

    Attributes:
        name: how people call it.
        covariate: a column from before the experiment that predicts the metric; takes its share of the variance away
            (CUPED) [Deng, Xu, Kohavi & Walker, WSDM 2013].
        margin: for "not worse than".
        lower_is_better: as of churn or cost.
        clustered: whole clusters were randomised: totals of clusters are the units.
    """

    name: str
    covariate: str | None = None
    margin: Margin | None = None
    lower_is_better: bool = False
    clustered: bool = False

    @property
    def numerator(self) -> str:
        """The column whose total is looked at."""
        raise NotImplementedError

    @property
    def denominator(self) -> str | None:
        """The column whose total it is divided by; None: the number of learners."""
        return ROWS if self.clustered else None

    @property
    def denominator_of_covariate(self) -> str | None:
        """The column whose total the covariate's is divided by; None: the number of learners."""
        return ROWS if self.clustered else None

    @property
    def cap(self) -> Cap | None:
        """Where the numerator is cut off."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns whose counts, means and products it needs, the numerator first, each once."""
        covariate = (self.covariate, self.denominator_of_covariate) if self.covariate else ()
        return tuple(dict.fromkeys(c for c in (self.numerator, self.denominator, *covariate) if c is not None))

    def cap_of(self, column: str) -> float:
        """Return where a column is cut off, infinity if it isn't."""
        if self.cap is None or column != self.numerator:
            return np.inf
        if self.cap.value is None:
            raise ValueError(f"{self.name}: look up the cap's quantile first (settled)")
        return self.cap.value

    def settled(self, observations: Observations) -> Self:
        """Return the metric with its cap as a value: the quantile of all arms' values together."""
        if self.cap is None or self.cap.quantile is None:
            return self
        values = observations.column(self.numerator)
        values = values[~np.isnan(values)]
        found = float(np.quantile(values, self.cap.quantile)) if values.size else np.inf
        return replace(self, limit=Cap(found, self.cap.quantile))  # type: ignore[call-arg]

    def in_clusters(self) -> Self:
        """Return the metric for data whose clusters were randomised as a whole."""
        return replace(self, clustered=True)

    def values(self, observations: Observations) -> Floats:
        """Return its columns, shape (rows, columns), capped."""
        return np.stack(
            [
                np.ones(len(observations)) if name == ROWS else np.minimum(observations.column(name), self.cap_of(name))
                for name in self.columns
            ],
            axis=1,
        )

    def effect(self, control: Aggregates, treatment: Aggregates, alpha: float = 0.05) -> Effect:
        """Compare two arms, in all cells at once."""
        covariate = (self.covariate, self.denominator_of_covariate) if self.covariate else None
        arms = ratio_of_totals(self.numerator, self.denominator, covariate, (control, treatment))
        method = "delta method" if self.denominator else "Welch"
        method += ", clusters as units" if self.clustered else ""
        method += ", CUPED" if covariate else ""
        return compare_means(arms[0], arms[1], alpha, method)


@dataclass(frozen=True, kw_only=True)
class Mean(Metric):
    """Mean of a column over learners: Welch's t."""

    column: str

    @property
    def numerator(self) -> str:
        """The column."""
        return self.column


@dataclass(frozen=True, kw_only=True)
class Rate(Mean):
    """Share of learners for whom a column is 1, not 0: two-proportion z with pooled variance, no continuity correction.

    With a covariate or clusters it is the mean of a column, or a ratio of totals.
    """

    def effect(self, control: Aggregates, treatment: Aggregates, alpha: float = 0.05) -> Effect:
        """Compare two arms, in all cells at once."""
        if self.covariate or self.clustered:
            return super().effect(control, treatment, alpha)
        rates = [arm.average(self.column) for arm in (control, treatment)]
        return compare_rates(rates[0], control.n, rates[1], treatment.n, alpha)


@dataclass(frozen=True, kw_only=True)
class Ratio(Metric):
    """Ratio of two columns' totals, its unit the learner: delta method [Deng, Knoblich & Lu, KDD 2018].

    ROI is revenue / cost, a ratio of totals, here and everywhere in this product: never (revenue - cost) / cost, which
    makes 17.4 % of the same 5.8 % at a ROI of 1.5, and never a mean of learners' ratios.
    """

    over: str
    under: str

    @property
    def numerator(self) -> str:
        """The column whose total is divided."""
        return self.over

    @property
    def denominator(self) -> str:
        """The column whose total it is divided by."""
        return self.under


@dataclass(frozen=True, kw_only=True)
class Revenue(Mean):
    """Mean of a column with a long tail, cut off at a cap (winsorised above): Welch's t."""

    limit: Cap | None = None

    @property
    def cap(self) -> Cap | None:
        """Where the column is cut off."""
        return self.limit


def settled(metrics: Sequence[Metric], observations: Observations) -> tuple[Metric, ...]:
    """Return metrics whose caps are values: quantiles are looked up in all arms' values together."""
    return tuple(metric.settled(observations) for metric in metrics)

"""Inputs -> what the new version is worth: annual benefit, payback, three-year value, multiple. Pure.

Uncertain inputs are drawn by Latin hypercube sampling [McKay, Beckman & Conover, Technometrics 21(2), 1979], `DRAWS` of
them with a fixed seed: the draws of each input are its quantiles at (i + u) / DRAWS, shuffled, so that an input alone
is reproduced almost exactly and the same inputs always give the same answer. Inputs are independent of each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.experiments.business_case.inputs import Field, Inputs
from core.experiments.business_case.uncertain import LEVEL, Uncertain

DRAWS = 100_000
SEED = 20251102
YEARS = 3
MONTHS = 12
DAYS = 365
WHAT_IF = 0.10
"""By how much an input that is exact is varied in the tornado chart, either way."""

Array = NDArray[np.float64]
Numbers = Mapping[str, Any]  # by field: all floats, or all arrays of one shape


class Measure(StrEnum):
    """What is asked of a case."""

    ANNUAL = "annual_benefit"
    PAYBACK = "payback"
    VALUE = "three_year_value"
    MULTIPLE = "multiple"

    @property
    def label(self) -> str:
        """Its name on screens."""
        return _LABELS[self]


_LABELS = {
    Measure.ANNUAL: "Annual benefit",
    Measure.PAYBACK: "Payback",
    Measure.VALUE: "Three-year value",
    Measure.MULTIPLE: "Multiple",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the annual benefit comes from, in currency a year.

    Attributes:
        revenue: learners x revenue per learner x 12 x lift. kept: `counted` x lifetime value. operations: savings.
        saved: learners x churn saved, whether counted or not. counted: the part of them that is.
    """

    revenue: float
    kept: float
    operations: float
    saved: float
    counted: float

    @property
    def annual(self) -> float:
        """The annual benefit."""
        return self.revenue + self.kept + self.operations


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure, with what the inputs' uncertainty makes of it.

    Attributes:
        value: at the inputs' own values; infinite where the costs never come back, NaN where it is not defined.
        low, median, high: 2.5 %, 50 % and 97.5 % of the draws; equal to `value` where every input is exact.
        draws: of the measure, shape (DRAWS,), or one where every input is exact.
    """

    value: float
    low: float
    median: float
    high: float
    draws: Array


@dataclass(frozen=True, slots=True)
class Bar:
    """One input's bar in a tornado chart: every other input at its own value.

    Attributes:
        given: the input is uncertain, and goes from end to end of its interval; else it is varied by `WHAT_IF`.
        low, high: values of the input. at_low, at_high: of the measure there.
    """

    field: Field
    given: bool
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """How far the measure moves."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case is worth.

    Attributes:
        parts: of the annual benefit, at the inputs' own values.
        all_saved: the annual benefit if every learner saved were counted.
        estimates, tornado: by measure; a tornado's bars are the longest first.
        loss: part of the draws in which three years don't bring back the costs.
        break_even: lift at which three years bring back just the costs; None where lift makes no difference.
    """

    inputs: Inputs
    parts: Parts
    all_saved: float
    estimates: Mapping[Measure, Estimate]
    tornado: Mapping[Measure, tuple[Bar, ...]]
    loss: float
    break_even: float | None


def evaluate(inputs: Inputs, *, draws: int = DRAWS, seed: int = SEED) -> Outcome:
    """Compute a case.

    Args:
        inputs: checked by `Field.read`. draws, seed: of the simulation; not used where every input is exact.
    """
    values = {field.name: quantity.value for field, quantity in inputs}
    drawn = _draw(inputs, draws, seed)
    measured = {measure: np.atleast_1d(measure_of(measure, drawn)) for measure in Measure}
    estimates = {m: _estimate(float(measure_of(m, values)), measured[m]) for m in Measure}
    net = measured[Measure.VALUE] - np.asarray(drawn["costs"])
    return Outcome(
        inputs,
        _parts(values),
        float(measure_of(Measure.ANNUAL, values | {"churn_counted": 1.0})),
        estimates,
        {measure: _tornado(measure, inputs, values) for measure in Measure},
        float(np.mean(net < 0)),
        _break_even(values),
    )


def _parts(of: Numbers) -> Parts:
    saved = of["learners"] * of["churn_saved"]
    counted = saved * of["churn_counted"]
    return Parts(_revenue(of), counted * of["lifetime_value"], of["savings"], saved, counted)


def _revenue(of: Numbers) -> Any:
    return of["learners"] * of["revenue"] * MONTHS * of["lift"]


def measure_of(measure: Measure, of: Numbers) -> Any:
    """Return a measure of numbers, or of arrays of them.

    Payback is in days of 365 a year, infinite where the benefit is not above zero. The multiple is net: what three
    years bring beyond the costs, as a multiple of them; NaN where there are none.
    """
    annual = (
        _revenue(of) + of["learners"] * of["churn_saved"] * of["churn_counted"] * of["lifetime_value"] + of["savings"]
    )
    if measure is Measure.ANNUAL:
        return annual
    costs = of["costs"]
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure is Measure.PAYBACK:
            return np.where(annual > 0, np.divide(costs, annual) * DAYS, np.where(np.equal(costs, 0), 0.0, np.inf))
        value = annual * _years(of["discount"])
        if measure is Measure.VALUE:
            return value
        return np.where(np.greater(costs, 0), np.divide(value - costs, costs), np.nan)


def _years(discount: Any) -> Any:
    """Return what a benefit of 1 a year is worth over three years, each counted at its end."""
    return sum((1 + discount) ** -year for year in range(1, YEARS + 1))


def _draw(inputs: Inputs, draws: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    drawn: dict[str, Any] = {}
    for field, quantity in inputs:
        # Drawn for exact inputs too, so that making one input uncertain leaves the draws of the others as they were.
        u = (rng.permutation(draws) + rng.random(draws)) / draws
        exact = quantity.exact
        drawn[field.name] = quantity.value if exact else np.clip(quantity.quantiles(u), field.least, field.most)
    return drawn


def _estimate(value: float, draws: Array) -> Estimate:
    if draws.size == 1 or np.isnan(draws).any():
        return Estimate(value, value, value, value, draws)
    tails = (0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2)
    # Not interpolated: between a payback of days and "never" there is nothing.
    low, median, high = np.quantile(draws, tails, method="inverted_cdf")
    return Estimate(value, float(low), float(median), float(high), draws)


def _tornado(measure: Measure, inputs: Inputs, values: Mapping[str, float]) -> tuple[Bar, ...]:
    bars = []
    for field, quantity in inputs:
        low, high = _ends(field, quantity)
        ends = [float(measure_of(measure, {**values, field.name: end})) for end in (low, high)]
        if ends[0] != ends[1] and not np.isnan(ends).any():
            bars.append(Bar(field, not quantity.exact, low, high, *ends))
    return tuple(sorted(bars, key=lambda bar: -bar.swing))


def _ends(field: Field, quantity: Uncertain) -> tuple[float, float]:
    if quantity.exact:
        by = abs(quantity.value) * WHAT_IF
        ends = quantity.value - by, quantity.value + by
    else:
        ends = quantity.ends()
    return max(field.least, ends[0]), min(field.most, ends[1])


def _break_even(values: Mapping[str, float]) -> float | None:
    without = float(measure_of(Measure.VALUE, {**values, "lift": 0.0}))
    per_lift = float(measure_of(Measure.VALUE, {**values, "lift": 1.0})) - without
    return (values["costs"] - without) / per_lift if per_lift > 0 else None

"""A computed business case -> what its page says and draws. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.experiments.business_case import (
    Bar,
    Case,
    Lift,
    Measure,
    Outcome,
    Unit,
    interval,
    money,
    number,
    say,
    verdict,
    written,
)
from core.web.views.marks import Headline, Mark, Tone

CASE = Mark(Tone.CALM, "calculate", "computed from the inputs below")
SIMULATED = Mark(Tone.WATCH, "science", "simulated")
AGREES = Mark(Tone.GOOD, "check_circle", "agrees")
DIFFERS = Mark(Tone.WATCH, "difference", "differs")
_BINS = 60
_REPORTED = {
    Measure.ANNUAL: "annual_benefit",
    Measure.PAYBACK: "payback_days",
    Measure.VALUE: "three_year_value",
    Measure.MULTIPLE: "multiple",
}


@dataclass(frozen=True, slots=True)
class Spread:
    """How a measure is spread over the draws.

    Attributes:
        edges: of the bins, shape (n + 1,). parts: of the draws in each, shape (n,).
        value, low, high: the figure and its interval. reported: somebody else's; None where there is none.
        beyond: part of the draws that isn't drawn, at the ends or as "never".
    """

    measure: Measure
    edges: NDArray[np.float64]
    parts: NDArray[np.float64]
    value: float
    low: float
    high: float
    reported: float | None
    beyond: float


@dataclass(frozen=True, slots=True)
class TornadoBar:
    """A bar to draw: `at` are the measure's values at the input's low and high end, `ends` how those are said."""

    label: str
    given: bool
    at: tuple[float, float]
    ends: tuple[str, str]
    said: tuple[str, str]


def summary(case: Case, outcome: Outcome) -> Headline:
    """Say what the case comes to."""
    annual = outcome.estimates[Measure.ANNUAL]
    within = interval(Measure.ANNUAL, annual, case.currency)
    title = say(Measure.ANNUAL, annual.value, case.currency)
    title += f", {within} in 95 of 100 draws" if within else ""
    costs = outcome.inputs.costs.value
    payback, multiple = (outcome.estimates[m].value for m in (Measure.PAYBACK, Measure.MULTIPLE))
    detail = f"{money(costs, case.currency)} spent once"
    if math.isinf(payback):
        detail += " never come back."
    elif costs:
        detail += f" come back after {say(Measure.PAYBACK, payback, case.currency)}"
        detail += f", and three years bring {say(Measure.MULTIPLE, multiple, case.currency)} of it, net."
    else:
        detail = "Nothing is spent."
    if case.lift_source:
        detail += f" The lift is that of {case.lift_source}."
    detail += f" {verdict(outcome)}"
    if case.simulated:
        detail += f" Simulated: {case.simulated}."
    return Headline(SIMULATED if case.simulated else CASE, title, detail)


def spread(case: Case, outcome: Outcome, measure: Measure) -> Spread | None:
    """Return how a measure is spread; None where every input is exact or the measure is not defined."""
    estimate = outcome.estimates[measure]
    draws = estimate.draws[np.isfinite(estimate.draws)]
    if estimate.draws.size == 1 or draws.size < estimate.draws.size / 2:
        return None
    low, high = np.quantile(draws, [0.001, 0.999])
    if measure is Measure.PAYBACK:  # a benefit near zero takes it to thousands of years
        high = min(high, max(20 * estimate.median, estimate.median - low))
    if not high > low:
        return None
    counts, edges = np.histogram(draws, bins=_BINS, range=(low, high))
    parts = counts / estimate.draws.size
    reported = case.reported.get(_REPORTED[measure])
    return Spread(measure, edges, parts, estimate.value, estimate.low, estimate.high, reported, 1 - float(parts.sum()))


def tornado(case: Case, outcome: Outcome, measure: Measure) -> tuple[TornadoBar, ...]:
    """Return the bars of a measure, the longest first."""

    def bar_of(bar: Bar) -> TornadoBar:
        ends = tuple(number(bar.field.unit, end, case.currency) for end in (bar.low, bar.high))
        said = tuple(say(measure, at, case.currency) for at in (bar.at_low, bar.at_high))
        return TornadoBar(bar.field.label, bar.given, (bar.at_low, bar.at_high), (ends[0], ends[1]), (said[0], said[1]))

    return tuple(bar_of(bar) for bar in outcome.tornado[measure])


def lift_query(lift: Lift) -> dict[str, str]:
    """Return the part of the page's address that gives it a lift, with its interval and where it is from."""
    query = {"lift": written(lift.lift, Unit.SHARE), "lift_source": lift.source}
    return query | ({"simulated": lift.simulated} if lift.simulated else {})


def hint(unit: Unit) -> str:
    """Say how an input may be written."""
    examples = {
        Unit.COUNT: "500,000, or 450,000 to 550,000",
        Unit.MONEY: "2.4 M, or 2.4 M (2 M to 3 M), or 180 K + 25 K",
        Unit.SHARE: "5.8 %, or 5.8 % (5.4 % to 6.3 %), or 50 % to 100 %",
    }
    return f"{examples[unit]}. In brackets a 95 % interval; without, a range in which nothing is likelier."


def changed(case: Case, base: Case) -> Mapping[str, str]:
    """Return the inputs in which a case differs from the one it began as, for the page's address."""
    return {name: text for name, text in case.texts.items() if text != base.texts[name]}

"""A computed case as sentences and as JSON: how each figure comes about, and what was reported beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.experiments.business_case.case import REPORTED, Case
from core.experiments.business_case.outcome import DAYS, DRAWS, SEED, WHAT_IF, Bar, Estimate, Measure, Outcome
from core.experiments.business_case.uncertain import LEVEL, Unit, money

METHOD = (
    f"Latin hypercube simulation, {DRAWS:,} draws, seed {SEED}; inputs independent of each other; low and high are the "
    f"{0.5 - LEVEL / 2:.1%} and {0.5 + LEVEL / 2:.1%} quantiles"
)


def say(measure: Measure, value: float, currency: str) -> str:
    """Say a measure's value: "$72.6 M a year", "1.08 days", "never", "1,012 ×"."""
    if math.isnan(value):
        return "not defined"
    if measure is Measure.ANNUAL:
        return f"{money(value, currency)} a year"
    if measure is Measure.VALUE:
        return money(value, currency)
    if measure is Measure.MULTIPLE:
        return f"{value:,.0f} ×" if abs(value) >= 100 else f"{value:.3g} ×"
    if math.isinf(value):
        return "never"
    if value > 2 * DAYS:
        return f"{value / DAYS:,.1f} years"
    return f"{value:,.0f} days" if value >= 100 else f"{value:.3g} days"


def interval(measure: Measure, estimate: Estimate, currency: str) -> str:
    """Say the 95 % interval of a measure; "" where every input is exact."""
    if estimate.low == estimate.high or math.isnan(estimate.low):
        return ""
    low, high = (say(measure, value, currency).removesuffix(" a year") for value in (estimate.low, estimate.high))
    return f"{low} to {high}"


def sentences(case: Case, outcome: Outcome) -> tuple[str, ...]:
    """Return how the figures come about, step by step, and what is to be borne in mind."""
    i, parts, currency = outcome.inputs, outcome.parts, case.currency
    annual, value, multiple = (outcome.estimates[m].value for m in (Measure.ANNUAL, Measure.VALUE, Measure.MULTIPLE))
    said = [
        f"Revenue: {i.learners.value:,.0f} learners × {money(i.revenue.value, currency)} × 12 months × "
        f"{_percent(i.lift.value)} = {money(parts.revenue, currency)} a year.",
    ]
    if parts.saved:
        counted = f" × {_percent(i.churn_counted.value)} counted" if i.churn_counted.value != 1 else ""
        said.append(
            f"Learners kept: {_percent(i.churn_saved.value)} of {i.learners.value:,.0f} are {parts.saved:,.0f} learners"
            f"{counted}{f' = {parts.counted:,.0f}' if counted else ''} × {money(i.lifetime_value.value, currency)} = "
            f"{money(parts.kept, currency)} a year."
        )
        if counted:
            all_kept = parts.saved * i.lifetime_value.value
            said.append(
                f"All {parts.saved:,.0f} counted, it would be {money(all_kept, currency)}, and "
                f"{money(outcome.all_saved, currency)} a year in all."
            )
    if parts.operations:
        said.append(f"Operations: {money(parts.operations, currency)} a year.")
    said.append(f"Together {money(annual, currency)} a year.")
    if i.costs.value:
        days = say(Measure.PAYBACK, outcome.estimates[Measure.PAYBACK].value, currency)
        said.append(
            f"Payback: {money(i.costs.value, currency)} ÷ {money(annual, currency)} × {DAYS} days = {days}."
            if annual > 0
            else f"Payback: never, for the {money(i.costs.value, currency)} bring nothing."
        )
    discounted = f", discounted by {_percent(i.discount.value)} a year" if i.discount.value else ""
    said.append(f"Three years: {money(value, currency)}{discounted}.")
    if not math.isnan(multiple):
        said.append(
            f"Multiple, net: ({money(value, currency)} - {money(i.costs.value, currency)}) ÷ "
            f"{money(i.costs.value, currency)} = {say(Measure.MULTIPLE, multiple, currency)}"
        )
    return tuple(said)


def verdict(outcome: Outcome) -> str:
    """Say in a sentence how sure it is that three years bring back the costs."""
    if outcome.break_even is None:
        lift = "The lift makes no difference to it."
    elif outcome.break_even <= 0:
        lift = "It would pay for itself in three years without any lift."
    else:
        lift = f"It takes a lift of {_percent(outcome.break_even)} to pay for itself in three years."
    if outcome.estimates[Measure.VALUE].draws.size == 1:
        return lift + " Every input is exact, so nothing here says how sure that is."
    if outcome.loss == 0:
        return f"Three years bring back the costs in all {DRAWS:,} draws. {lift}"
    return f"Three years do not bring back the costs in {_percent(outcome.loss)} of {DRAWS:,} draws. {lift}"


def assumptions(case: Case) -> tuple[str, ...]:
    """Return what the computation supposes."""
    said = [
        "The lift found in the experiment lasts all year, and holds for all learners.",
        "Learners kept bring their lifetime value once, in the year in which they are kept, beside the lift.",
        "Inputs vary independently of each other.",
    ]
    return (*said, *case.notes)


def bar_said(bar: Bar, measure: Measure, currency: str) -> str:
    """Say a tornado's bar."""
    low, high = (number(bar.field.unit, value, currency) for value in (bar.low, bar.high))
    how = "its interval" if bar.given else f"{_percent(WHAT_IF)} either way, to see what if"
    ends = f"{say(measure, bar.at_low, currency)} to {say(measure, bar.at_high, currency)}"
    return f"{bar.field.label} from {low} to {high} ({how}): {ends}"


def number(unit: Unit, value: float, currency: str) -> str:
    """Say an input's value."""
    if unit is Unit.MONEY:
        return money(value, currency)
    return _percent(value) if unit is Unit.SHARE else f"{value:,.0f}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def computed(outcome: Outcome) -> dict[str, float]:
    """Return what was computed under the names of `REPORTED`."""
    parts, estimates = outcome.parts, outcome.estimates
    return {
        "annual_benefit": estimates[Measure.ANNUAL].value,
        "revenue": parts.revenue,
        "kept": parts.kept,
        "operations": parts.operations,
        "saved_learners": parts.saved,
        "costs": outcome.inputs.costs.value,
        "payback_days": estimates[Measure.PAYBACK].value,
        "three_year_value": estimates[Measure.VALUE].value,
        "multiple": estimates[Measure.MULTIPLE].value,
    }


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure, as computed and as reported.

    Attributes:
        note: on what was computed; "" where there is none. reported: "" where it wasn't.
        agrees: it rounds to what was reported, at that figure's digits; None where nothing was.
    """

    label: str
    computed: str
    note: str
    interval: str
    reported: str
    agrees: bool | None


_ROWS = {
    "revenue": "Revenue",
    "saved_learners": "Learners saved",
    "kept": "Learners kept",
    "operations": "Operations",
    "annual_benefit": "Annual benefit",
    "costs": "Costs",
    "payback_days": "Payback",
    "three_year_value": "Three-year value",
    "multiple": "Multiple, net",
}
_MEASURES = {
    "annual_benefit": Measure.ANNUAL,
    "payback_days": Measure.PAYBACK,
    "three_year_value": Measure.VALUE,
    "multiple": Measure.MULTIPLE,
}


def beside(case: Case, outcome: Outcome) -> tuple[Beside, ...]:
    """Return every figure with its interval, and what was reported beside it."""
    values, rows = computed(outcome), []
    for name, label in _ROWS.items():
        measure, value, reported = _MEASURES.get(name), values[name], case.reported.get(name)
        within = "" if measure is None else interval(measure, outcome.estimates[measure], case.currency)
        rows.append(
            Beside(
                label,
                _said(name, value, case.currency),
                _counted(name, outcome),
                within,
                "" if reported is None else _said(name, reported, case.currency),
                None if reported is None else _agrees(value, reported),
            )
        )
    return tuple(rows)


def _said(name: str, value: float, currency: str) -> str:
    measure = _MEASURES.get(name)
    if measure is not None:
        return say(measure, value, currency)
    return number(REPORTED[name], value, currency)


def _counted(name: str, outcome: Outcome) -> str:
    parts = outcome.parts
    return f"{parts.counted:,.0f} of them counted" if name == "saved_learners" and parts.counted != parts.saved else ""


def _agrees(value: float, reported: float) -> bool:
    """Say whether a figure rounds to the reported one, at that one's own digits."""
    if not math.isfinite(value):
        return False
    digits = Decimal(repr(reported)).normalize()
    step = Decimal(1).scaleb(int(digits.as_tuple().exponent))
    return abs(Decimal(repr(value)) - digits) <= step / 2


def as_json(case: Case, outcome: Outcome) -> dict[str, Any]:
    """Return a computed case as one JSON document; what is infinite or not defined is null."""
    return {
        "name": case.name,
        "currency": case.currency,
        "simulated": case.simulated,
        "lift_source": case.lift_source,
        "method": METHOD,
        "inputs": {
            field.name: {"value": q.value, "interval": None if q.low is None else [q.low, q.high], "even": q.even}
            for field, q in outcome.inputs
        },
        "parts": {
            "revenue": outcome.parts.revenue,
            "kept": outcome.parts.kept,
            "operations": outcome.parts.operations,
            "saved_learners": outcome.parts.saved,
            "counted_learners": outcome.parts.counted,
            "annual_benefit_all_saved": outcome.all_saved,
        },
        "measures": {
            ("payback_days" if measure is Measure.PAYBACK else str(measure)): {
                "value": _finite(e.value),
                "ci": [_finite(e.low), _finite(e.high)],
                "median": _finite(e.median),
            }
            for measure, e in outcome.estimates.items()
        },
        "loss_probability": outcome.loss,
        "break_even_lift": outcome.break_even,
        "tornado": {
            str(measure): [
                {
                    "input": bar.field.name,
                    "given": bar.given,
                    "from": bar.low,
                    "to": bar.high,
                    "at": [_finite(bar.at_low), _finite(bar.at_high)],
                }
                for bar in bars
            ]
            for measure, bars in outcome.tornado.items()
        },
        "reported": dict(case.reported),
        "reported_by": case.reported_by,
        "computed": {name: _finite(value) for name, value in computed(outcome).items()},
        "steps": list(sentences(case, outcome)),
        "assumptions": list(assumptions(case)),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

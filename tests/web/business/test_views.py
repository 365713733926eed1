"""What the Business case page says and draws of a case."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from core.experiments.business_case import Case, Measure, Outcome, beside, evaluate, load_case, with_texts
from core.web.business import figures, html
from core.web.palette import DARK, LIGHT
from core.web.views import business


@pytest.fixture(scope="module")
def case() -> Case:
    return load_case(Path(__file__).resolve().parents[3] / "data" / "business" / "first-user.yaml")


def changed(case: Case, **texts: str) -> tuple[Case, Outcome]:
    made = with_texts(case, {**case.texts, **texts})
    return made, evaluate(made.inputs)


def test_the_summary_says_value_and_interval(case):
    view = business.summary(case, evaluate(case.inputs))
    assert view.title == "$72.6 M a year, $69 M to $77.1 M in 95 of 100 draws"
    assert view.detail.startswith("$215 K spent once come back after 1.08 days, and three years bring 1,012 ×")


def test_a_simulated_lift_says_so(case):
    from dataclasses import replace

    made = replace(case, lift_source="experiment x, metric ROI", simulated="made-up learners")
    view = business.summary(made, evaluate(made.inputs))
    assert view.mark is business.SIMULATED
    assert "Simulated: made-up learners." in view.detail


def test_costs_that_never_come_back(case):
    view = business.summary(*changed(case, lift="-20 %"))
    assert "never come back" in view.detail
    assert view.title.startswith("-$159.6 M a year")
    assert "Nothing is spent" in business.summary(*changed(case, costs="0")).detail


def test_all_draws_are_drawn_or_counted_as_beyond(case):
    made, found = changed(case, lift="1 % (-9 % to 9 %)", churn_saved="0 %", savings="0")
    for measure in Measure:
        spread = business.spread(made, found, measure)
        assert spread is not None
        assert spread.parts.sum() + spread.beyond == pytest.approx(1.0)
    payback = business.spread(made, found, Measure.PAYBACK)
    assert payback is not None
    assert payback.beyond > 0.3  # "never" is not drawn


def test_exact_inputs_have_no_spread(case):
    assert business.spread(*changed(case, lift="5.8 %"), Measure.ANNUAL) is None


def test_the_reported_figure_is_in_the_picture(case):
    spread = business.spread(case, evaluate(case.inputs), Measure.PAYBACK)
    assert spread is not None
    drawing, told = figures.spread(spread, "USD", LIGHT)
    assert "Reported: 0.9 days" in told
    low, high = drawing["layout"]["xaxis"]["range"]
    assert low < 0.9 < 1.08 < high


@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("texts", [{}, {"lift": "0 % (-9 % to 9 %)", "churn_saved": "0 %", "savings": "0"}])
def test_charts_hold_finite_numbers(case, measure, texts):
    made, found = changed(case, **texts)
    bars = business.tornado(made, found, measure)
    value = found.estimates[measure].value
    if math.isfinite(value):
        drawing, told = figures.tornado(bars, measure, value, "USD", DARK)
        assert all(math.isfinite(x) for trace in drawing["data"] for x in trace["x"])
        assert all(bar.label in told for bar in bars)


def test_hatched_bars_are_those_that_were_given_exactly(case):
    bars = business.tornado(case, evaluate(case.inputs), Measure.ANNUAL)
    drawing, _ = figures.tornado(bars, Measure.ANNUAL, 72.6e6, "USD", LIGHT)
    shapes = dict(zip(drawing["data"][0]["y"], drawing["data"][0]["marker"]["pattern"]["shape"], strict=True))
    assert shapes["Lift"] == ""
    assert shapes["Learners"] == "/"


def test_reported_figures_are_marked_by_words(case):
    text = html.beside(beside(case, evaluate(case.inputs)), case.reported_by)
    assert "Reported by the first user" in text
    assert text.count("agrees</span>") == 5
    assert text.count("differs</span>") == 3


def test_what_is_written_is_escaped(case):
    assert "<b>x</b>" not in html.wrong([("Lift", "<b>x</b>", "a percentage")])

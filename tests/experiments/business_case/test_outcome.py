"""What a case is worth: the first user's figures, closed forms where there are any, and awkward cases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from core.experiments.business_case import Inputs, Measure, Uncertain, evaluate


def inputs(**changed: Uncertain) -> Inputs:
    """Return the first user's inputs, all exact, but for some."""
    first = Inputs(
        learners=Uncertain(500_000), revenue=Uncertain(150), lift=Uncertain(0.058), churn_saved=Uncertain(0.03),
        churn_counted=Uncertain(0.5), lifetime_value=Uncertain(2_400), savings=Uncertain(2.4e6),
        costs=Uncertain(215_000), discount=Uncertain(0.0),
    )  # fmt: skip
    return replace(first, **changed)


def test_the_first_users_figures():
    found = evaluate(inputs())
    assert (found.parts.revenue, found.parts.kept, found.parts.operations) == pytest.approx((52.2e6, 18e6, 2.4e6))
    assert found.parts.annual == pytest.approx(72.6e6)
    assert (found.parts.saved, found.parts.counted) == pytest.approx((15_000, 7_500))
    assert found.all_saved == pytest.approx(90.6e6)
    values = {measure: estimate.value for measure, estimate in found.estimates.items()}
    assert values[Measure.ANNUAL] == pytest.approx(72.6e6)
    assert values[Measure.PAYBACK] == pytest.approx(215_000 / 72.6e6 * 365)  # 1.08 days
    assert values[Measure.PAYBACK] == pytest.approx(1.08, abs=0.005)
    assert values[Measure.VALUE] == pytest.approx(217.8e6)
    assert values[Measure.MULTIPLE] == pytest.approx(1012.02, abs=0.005)


def test_exact_inputs_have_no_spread():
    for estimate in evaluate(inputs()).estimates.values():
        assert estimate.low == estimate.median == estimate.high == estimate.value
        assert estimate.draws.size == 1


def test_one_uncertain_input_is_propagated_exactly():
    """The benefit is linear in the lift, so its quantiles are those of the lift."""
    found = evaluate(inputs(lift=Uncertain(0.058, 0.054, 0.063))).estimates
    annual, payback = found[Measure.ANNUAL], found[Measure.PAYBACK]
    ends = [500_000 * 150 * 12 * lift + 20.4e6 for lift in (0.054, 0.063)]
    assert (annual.low, annual.high) == pytest.approx(ends, rel=1e-4)
    assert annual.median == pytest.approx(72.6e6, rel=1e-4)
    assert (payback.low, payback.high) == pytest.approx([215_000 / end * 365 for end in reversed(ends)], rel=1e-4)


def test_several_uncertain_inputs_agree_with_the_closed_form():
    """Revenue from a normal lift plus normal savings is normal; the simulation's quantiles are within 0.02 sd."""
    only = inputs(
        lift=Uncertain(0.05, 0.03, 0.07), savings=Uncertain(5e6, 0.0, 10e6), churn_saved=Uncertain(0.0)
    )  # fmt: skip
    annual = evaluate(only).estimates[Measure.ANNUAL]
    z = stats.norm.ppf(0.975)
    sd = math.hypot(0.02 / z * 9e8, 5e6 / z)
    wanted = stats.norm(0.05 * 9e8 + 5e6, sd).ppf([0.025, 0.5, 0.975])
    assert np.array([annual.low, annual.median, annual.high]) == pytest.approx(wanted, abs=0.02 * sd)


def test_the_same_inputs_give_the_same_answer_and_another_seed_a_near_one():
    uncertain = inputs(lift=Uncertain(0.058, 0.054, 0.063), churn_counted=Uncertain(0.75, 0.5, 1.0, even=True))
    one, two, other = (evaluate(uncertain, seed=seed).estimates[Measure.ANNUAL] for seed in (1, 1, 2))
    assert np.array_equal(one.draws, two.draws)
    assert other.low != one.low
    assert other.low == pytest.approx(one.low, rel=2e-3)


def test_a_benefit_that_may_be_a_loss():
    found = evaluate(inputs(lift=Uncertain(0.0, -0.1, 0.1), churn_saved=Uncertain(0.0), savings=Uncertain(0.0)))
    # Half of the lifts are below zero, and a little more do not bring back the costs.
    z = stats.norm.ppf(0.975)
    assert found.loss == pytest.approx(stats.norm.cdf(215_000 / 3 / 9e8 / (0.1 / z)), abs=2e-3)
    assert found.estimates[Measure.PAYBACK].high == math.inf
    assert found.estimates[Measure.PAYBACK].value == math.inf
    assert found.break_even == pytest.approx(215_000 / 3 / 9e8)


def test_no_costs_have_no_multiple_and_come_back_at_once():
    found = evaluate(inputs(costs=Uncertain(0.0))).estimates
    assert math.isnan(found[Measure.MULTIPLE].value)
    assert found[Measure.PAYBACK].value == 0.0


def test_discounting_counts_each_year_at_its_end():
    found = evaluate(inputs(discount=Uncertain(0.1))).estimates[Measure.VALUE].value
    assert found == pytest.approx(72.6e6 * (1 / 1.1 + 1 / 1.21 + 1 / 1.331))


def test_draws_stay_within_bounds():
    found = evaluate(inputs(lift=Uncertain(-0.9, -1.0, 0.5), churn_saved=Uncertain(0.0), savings=Uncertain(0.0)))
    assert found.estimates[Measure.ANNUAL].draws.min() == pytest.approx(-9e8)  # nobody loses more than all revenue


def test_a_tornado_has_the_longest_bar_first_and_says_what_is_given():
    found = evaluate(inputs(lift=Uncertain(0.058, 0.054, 0.063))).tornado
    annual = found[Measure.ANNUAL]
    swings = [bar.swing for bar in annual]
    assert swings == sorted(swings, reverse=True)
    lift = next(bar for bar in annual if bar.field.name == "lift")
    assert lift.given
    assert (lift.at_low, lift.at_high) == pytest.approx((48.6e6 + 20.4e6, 56.7e6 + 20.4e6))
    learners = annual[0]
    assert learners.field.name == "learners"
    assert not learners.given
    assert (learners.low, learners.high) == pytest.approx((450_000, 550_000))
    assert learners.at_high - learners.at_low == pytest.approx(0.2 * 70.2e6)
    assert "costs" not in {bar.field.name for bar in annual}
    assert found[Measure.PAYBACK][0].field.name == "costs"

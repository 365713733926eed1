"""Revenue and return on investment against the baseline: triggers at every look, criteria at a phase's end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.delivery.judge import judge
from core.delivery.model import FigureState, Finding
from core.delivery.plan import Figure, Limit, Trigger
from core.store import BusinessSums
from tests.delivery.recordings import CANARY, PLAN, series, steady

TRIGGER = PLAN.relative_triggers()[0]
ROI = Trigger(Limit(Figure.ROI, "<", -0.05), 600.0)


def sums_of(version: str, revenue: np.ndarray, cost: np.ndarray) -> BusinessSums:
    columns = {"cost": cost, "requests": np.ones(revenue.size), "revenue": revenue}
    products = {(a, b): float(columns[a] @ columns[b]) for a in columns for b in columns if a <= b}
    return BusinessSums(version, revenue.size, {k: float(v.sum()) for k, v in columns.items()}, products)


def business(
    lift: float, learners: int = 2000, *, seed: int = 1, buys: float = 1.0, costs: float = 1.0
) -> dict[str, BusinessSums]:
    """Learners who differ by a log-normal of 0.5; a share of them brings anything."""
    rng = np.random.default_rng(seed)
    out = {}
    for version, factor, n in (("fast", 1 + lift, learners), ("original", 1.0, 5 * learners)):
        revenue = factor * rng.lognormal(0, 0.5, n) * (rng.random(n) < buys)
        cost = (costs if version == "fast" else 1.0) * rng.lognormal(-0.5, 0.2, n)
        out[version] = sums_of(version, revenue, cost)
    return out


def watched(told: dict[str, BusinessSums], *, trigger: Trigger = TRIGGER, at: float = 1800.0, **more) -> Finding:
    plan = replace(PLAN, triggers=(trigger,))
    spans = series(steady(int(at / 30)))
    [finding] = judge(
        plan, more.pop("phase", CANARY), spans, spans, at, phase_started=0.0, business=told, **more
    ).triggers
    return finding


def test_a_loss_beyond_the_limit_rolls_back():
    finding = watched(business(-0.3))
    assert (finding.state, finding.then) == (FigureState.FAIL, "roll back")
    assert finding.low < finding.high < -0.05
    assert finding.p_value < finding.alpha == PLAN.alpha_of(TRIGGER)
    assert "per learner, 2,000 learners against 10,000, " in finding.sentence
    assert "at every look together; limit -5 %; all of it is beyond the limit" in finding.sentence


@pytest.mark.parametrize("lift", [0.0, 0.2, -0.04])
def test_within_the_limit_it_doesnt(lift):
    finding = watched(business(lift, 20_000))
    assert (finding.state, finding.then) == (FigureState.PASS, "")
    assert finding.low < lift < finding.high


def test_beyond_it_but_not_surely_is_told_with_what_is_lacking():
    finding = watched(business(-0.1, 150))
    assert (finding.state, finding.then) == (FigureState.INCONCLUSIVE, "")
    assert "could still be chance, about" in finding.sentence
    assert finding.wait_s > 0


def test_it_needs_its_hold_time_and_enough_learners():
    early = watched(business(-0.3), at=300.0)
    assert (early.state, early.then, early.wait_s) == (FigureState.COLLECTING, "", 300.0)
    few = watched(business(-0.9, 60))
    assert (few.state, "60 of 100 learners needed" in few.sentence) == (FigureState.COLLECTING, True)
    buyers = watched(business(-0.9, 1000, buys=0.01))
    assert (buyers.state, "count as" in buyers.sentence) == (FigureState.COLLECTING, True)


def test_evidence_that_was_there_once_does_not_go_away():
    """p is the least since the hold time was over, at whichever look; before that, nothing could be acted on."""
    plan, spans = replace(PLAN, triggers=(TRIGGER,)), series(steady(60))

    def judged(lift, at, earlier=None):
        more = {"phase_started": 0.0, "business": business(lift, 1000), "earlier": earlier}
        return judge(plan, CANARY, spans, spans, at, **more)

    def p_of(verdict):
        return verdict.triggers[0].p_value

    ill = judged(-0.15, 900.0)
    well, alone = judged(0.0, 930.0, ill), judged(0.0, 930.0)
    assert p_of(ill) < p_of(alone)
    assert p_of(well) == p_of(ill)
    early = judged(-0.15, 300.0)
    assert p_of(judged(0.0, 900.0, early)) == p_of(alone)


def test_for_everybody_nothing_is_relative():
    finding = watched(business(-0.3), phase=replace(CANARY, share=1.0))
    assert (finding.state, finding.then) == (FigureState.NOT_MEASURED, "")


def test_a_baseline_without_revenue_is_no_reason_to_roll_back():
    nothing = business(0.0)
    nothing["original"] = sums_of("original", np.zeros(5000), np.ones(5000))
    assert watched(nothing).then == ""
    assert watched({}).state is FigureState.NOT_MEASURED
    assert watched({"fast": business(0.0)["fast"]}).state is FigureState.COLLECTING


def test_return_on_investment_sees_costs():
    dear = business(0.0, costs=1.5)
    assert watched(dear).then == ""
    finding = watched(dear, trigger=ROI)
    assert finding.then == "roll back"
    assert finding.value == pytest.approx(1 / 1.5 - 1, abs=0.03)
    assert finding.sentence.startswith("ROI against baseline -3")


def test_return_on_investment_as_a_criterion_is_no_evidence_of_harm():
    phase = replace(CANARY, criteria=(Limit(Figure.ROI, ">", -0.03),))
    spans = series(steady(240))

    def at_end(told):
        more = {"phase_started": 0.0, "ended": True, "business": told}
        [finding] = judge(PLAN, phase, spans, spans, 7200.0, **more).criteria
        return finding

    assert at_end(business(0.0)).state is FigureState.PASS
    assert "could have seen a difference of" in at_end(business(0.0)).sentence
    assert at_end(business(0.0, costs=1.5)).state is FigureState.FAIL

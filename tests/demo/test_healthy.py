"""A healthy candidate reaches everyone: a thousand roll-outs on a simulated clock, at rates measured in the demo."""

import json

from core.delivery import load_plan
from tests.demo.healthy import RATES, roll_out


def test_a_thousand_of_a_thousand_healthy_rollouts_reach_everyone(root):
    plan = load_plan(root / "data" / "plans" / "demo.yaml")
    assert roll_out(plan, json.loads(RATES.read_text()), runs=1000, seed=20251031) == {"completed": 1000}


def test_a_candidate_that_is_worse_than_the_baseline_and_within_every_limit_is_not_let_through(root):
    """0.4 % errors against 0.02 %: no fixed limit of canary and ramp is touched."""
    plan = load_plan(root / "data" / "plans" / "demo.yaml")
    rates = json.loads(RATES.read_text())
    for phase in rates["phases"]:
        phase["fast"]["errors"] = round(0.004 * phase["fast"]["requests"])
        phase["original"]["errors"] = round(0.0002 * phase["original"]["requests"])
    outcomes = roll_out(plan, rates, runs=40, seed=2)
    assert outcomes["a trigger fired in canary"] + outcomes["a trigger fired in ramp"] >= 20, outcomes


def test_the_simulation_can_fail(root):
    """With 5 % errors nobody is reached: the thousand above are not won by a simulation that never loses."""
    plan = load_plan(root / "data" / "plans" / "demo.yaml")
    rates = json.loads(RATES.read_text())
    for phase in rates["phases"]:
        phase["fast"]["errors"] = round(0.05 * phase["fast"]["requests"])
    assert roll_out(plan, rates, runs=20, seed=1)["completed"] == 0

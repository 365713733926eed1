"""False rollbacks and time to detect, simulated with the judge's own rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.delivery.evidence import Rule, bounds, look
from core.delivery.judge import judge
from core.delivery.plan import Figure
from core.delivery.series import Series
from core.delivery.simulate import FAULTS, HEALTHY, false_rollback_table
from core.store import SampleFrame
from tests.delivery.recordings import CANARY, NOTHING, PLAN, sample

LOOKS = 240  # two hours of 30 s


def acted(rate: float, evidence: float, runs: int = 1500) -> tuple[float, np.ndarray]:
    """Part of two-hour canaries of 20 requests a sample that "error rate > 1.5 % for 2 min" rolls back, and when."""
    rng = np.random.default_rng(20251031)
    trials = np.full((runs, LOOKS), 20)
    bad = rng.binomial(trials, rate)
    start, seconds = 30.0 * np.arange(LOOKS), np.full(LOOKS, 30.0)
    rule = Rule(0.015, 120.0, 100, evidence)
    fired = look(rule, start, seconds, bad, trials, since=0.0, at=np.arange(LOOKS)).breached
    fires = fired.any(axis=1)
    return float(fires.mean()), 30.0 * (fired.argmax(axis=1)[fires] + 1)


def test_without_the_tail_healthy_canaries_are_rolled_back():
    assert 0.10 < acted(0.00074, evidence=1.1)[0] < 0.22
    assert acted(0.004, evidence=1.1)[0] > 0.95


def test_with_the_tail_none_is():
    for healthy in (0.00074, 0.004):
        runs = 3000
        count = round(acted(healthy, evidence=0.001, runs=runs)[0] * runs)
        assert bounds(count, runs, 0.95)[1] < 0.002


def test_what_is_sick_is_still_seen():
    part, times = acted(0.05, evidence=0.001)
    assert part == 1.0
    assert np.median(times) <= 330.0
    part, times = acted(0.20, evidence=0.001)
    assert part == 1.0
    assert np.quantile(times, 0.9) <= 180.0


def test_the_table_of_the_plan():
    rows = false_rollback_table(PLAN, 150.0, runs=1000)
    healthy = [row for row in rows if row.healthy]
    assert [row.condition for row in healthy] == [c.name for c in HEALTHY]
    assert all(row.acted == 0 and row.bound < 0.004 for row in healthy)
    sick = {row.condition: row for row in rows if not row.healthy}
    assert set(sick) == {c.name for c in FAULTS}
    assert sick["20 % errors"].median_s <= sick["5 % errors"].median_s <= 300.0
    assert sick["2 % errors"].p90_s is None  # 45 requests a sample can't tell 2 % from 1.5 % within an hour
    assert sick["50 % served by the fallback"].then == "hold"
    assert rows[0].requests_per_sample == 45.0
    for row in rows:
        assert all(isinstance(cell, str) for cell in row.cells())
        assert row.as_json()["probability"] == row.acted / row.runs


def test_the_same_seed_gives_the_same_table():
    first, again, other = (false_rollback_table(PLAN, 20.0, runs=100, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_faults_within_the_plans_limits_are_left_out():
    lenient = replace(PLAN, triggers=tuple(t for t in PLAN.triggers if t.limit.figure is Figure.AVAILABILITY))
    named = {row.condition for row in false_rollback_table(lenient, 150.0, runs=100) if not row.healthy}
    assert named == {"5 % of probes lost", "all probes lost"}


@pytest.mark.parametrize("traffic", [0.0, -1.0])
def test_traffic_has_to_be_positive(traffic):
    with pytest.raises(ValueError, match="positive"):
        false_rollback_table(PLAN, traffic)


def test_the_judge_acts_at_the_look_that_the_simulation_says():
    rng = np.random.default_rng(11)
    trials = rng.poisson(30, 40)
    bad = rng.binomial(trials, np.where(np.arange(40) < 15, 0.001, 0.06))
    told = [sample(30.0 * i, requests=int(n), errors=int(x)) for i, (n, x) in enumerate(zip(trials, bad, strict=True))]
    whole = Series.of(SampleFrame.of(told), "fast")
    start, seconds = 30.0 * np.arange(40), np.full(40, 30.0)
    simulated = look(Rule(0.015, 120.0, 100, 0.001), start, seconds, bad, trials, since=0.0, at=np.arange(40)).breached
    judged = [bool(judge(PLAN, CANARY, whole, NOTHING, 30.0 * (i + 1), phase_started=0.0).breached) for i in range(40)]
    assert judged == simulated.tolist()
    assert any(judged)

"""Rehearsal: what a plan would have done with what was recorded, and exactly when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.delivery.plan import Figure, Limit, Phase, Plan
from core.delivery.planfile import load_plan
from core.delivery.rehearse import Rehearsal, rehearse, rehearse_groups
from core.metrics import Group, read_recorded
from core.store import Sample, SampleFrame
from tests.delivery.recordings import PLAN, gauged, sample, steady

ROOT = Path(__file__).resolve().parents[2]
PETSHOP = ROOT.parent / "shared" / "data" / "petshop" / "petsite_metrics.csv"
BEGIN = 1_761_912_000.0  # 2025-10-31 12:00 UTC
QUIET = (Limit(Figure.ERROR_RATE, "<", 0.01),)


def phase(name: str, share: float, lasts_s: float, starts: float | None = None) -> Phase:
    return Phase(name, share, starts, lasts_s, (lasts_s / 2, lasts_s), QUIET)


TWO = replace(PLAN, phases=(phase("canary", 0.01, 1200.0), phase("rollout", 1.0, 1200.0)), skip_gaps=True)


def group(samples: list[Sample], seconds: float = 30.0, untold: frozenset[str] = frozenset()) -> Group:
    return Group(None, SampleFrame.of(samples), seconds, untold)


def run(plan: Plan, samples: list[Sample], baseline: list[Sample] | None = None) -> Rehearsal:
    return rehearse(plan, group(samples), None if baseline is None else group(baseline))


def healthy(spans: int, **more) -> list[Sample]:
    return steady(spans, begin=more.pop("begin", BEGIN), **more)


def test_a_healthy_record_completes_the_plan():
    told = run(TWO, healthy(100))
    assert (told.decision, told.at) == ("completed", BEGIN + 2400.0)
    assert told.samples == 100
    assert [v.at - BEGIN for v in told.verdicts] == [600.0, 1200.0, 1800.0, 2400.0]
    assert told.metric is None


def test_a_fault_rolls_back_at_the_sample_that_proves_it():
    told = run(TWO, [*healthy(20), *healthy(10, begin=BEGIN + 600.0, errors=60)])
    assert (told.decision, told.metric) == ("rolled_back", "error_rate")
    # The window of 2 min has two bad samples in its later half and, from the third on, one in its earlier half.
    assert told.at == BEGIN + 600.0 + 90.0
    assert told.reason == "error rate 15 % over 2 min, 180 of 1,200 requests; limit 1.5 %"
    assert told.verdicts[-1].at == told.at


def test_a_fault_after_completion_still_rolls_back():
    told = run(TWO, [*healthy(100), *healthy(10, begin=BEGIN + 3000.0, errors=60)])
    assert (told.decision, told.at) == ("rolled_back", BEGIN + 3090.0)


def test_a_criterion_that_fails_at_the_end_holds():
    told = run(TWO, healthy(100, errors=4))  # 1.3 %: under the trigger's 1.5, over the criterion's 1
    assert (told.decision, told.metric, told.at) == ("held", "error_rate", BEGIN + 1200.0)


def test_a_record_that_ends_within_the_first_phase_is_held():
    told = run(TWO, healthy(10))
    assert (told.decision, told.at, told.metric) == ("held", None, None)
    assert told.reason == "the record ends 5 min into canary, which lasts 20 min: its end was never judged"


def test_a_record_that_ends_within_a_later_phase_has_advanced():
    told = run(TWO, healthy(60))
    assert (told.decision, told.at) == ("advanced", BEGIN + 1200.0)
    assert told.reason.endswith("the record ends 10 min into rollout")


def test_a_later_phase_waits_for_its_planned_time():
    dated = replace(
        TWO, skip_gaps=False, phases=(phase("canary", 0.01, 1200.0, 0.0), phase("rollout", 1.0, 1200.0, 3600.0))
    )
    assert run(dated, healthy(60)).decision == "advanced"
    told = run(dated, healthy(200))
    assert (told.decision, told.at) == ("completed", BEGIN + 3600.0 + 1200.0)


@pytest.mark.parametrize("starts", [0.0, 4e9])
def test_the_plans_clock_starts_at_the_first_row_wherever_its_dates_lie(starts):
    dated = replace(TWO, phases=(phase("canary", 0.01, 1200.0, starts), phase("rollout", 1.0, 1200.0, starts + 1200.0)))
    assert run(replace(dated, skip_gaps=False), healthy(100)).at == BEGIN + 2400.0


def test_a_gap_in_the_record_is_silence():
    told = run(TWO, [*healthy(10), *healthy(10, begin=BEGIN + 700.0)])
    assert (told.decision, told.at) == ("held", BEGIN + 300.0 + 90.0)
    assert told.reason == "no sample for 1 min 30 s"
    told = run(TWO, [*healthy(10), *healthy(10, begin=BEGIN + 3000.0)])
    assert (told.decision, told.at) == ("rolled_back", BEGIN + 300.0 + 600.0)


def test_a_hold_can_still_become_a_rollback():
    told = run(TWO, [*healthy(45, errors=4), *healthy(10, begin=BEGIN + 45 * 30.0, errors=100)])
    assert (told.decision, told.metric) == ("rolled_back", "error_rate")


def test_a_baseline_as_bad_halts():
    bad = healthy(30, errors=60)
    told = run(TWO, bad, healthy(30, version="original", errors=60))
    assert told.decision == "held"
    assert "the baseline is as bad" in told.reason
    assert run(TWO, bad, healthy(30, version="original")).decision == "rolled_back"


def test_a_baseline_of_another_time_is_laid_beside():
    told = run(TWO, healthy(30, errors=60), healthy(30, begin=1000.0, version="original", errors=60))
    assert told.decision == "held"
    assert any("recorded at another time" in w for w in told.warnings)


def test_a_source_coarser_than_the_plan_is_said_and_not_taken_for_silent():
    coarse = [replace(s, seconds=300.0, start=BEGIN + 300.0 * i) for i, s in enumerate(healthy(10, requests=3000))]
    told = rehearse(TWO, group(coarse, 300.0))
    assert told.decision == "completed"
    [warning] = told.warnings
    assert "hold after 15 min, roll back after 1 h 40 min" in warning


def test_figures_the_record_lacks_dont_gate():
    told = rehearse(TWO, group(gauged("latency_p99", [40.0 + i for i in range(60)]), untold=frozenset({"errors"})))
    assert told.decision == "held"
    assert "no measurement is not success" in told.reason


def test_recorded_incidents_count():
    plan = replace(
        TWO, phases=tuple(replace(p, criteria=(*QUIET, Limit(Figure.INCIDENTS, "==", 0.0))) for p in TWO.phases)
    )
    assert run(plan, healthy(100)).decision == "completed"  # not told: not measured
    assert run(plan, healthy(100, gauges={"incidents": 0.0})).decision == "completed"
    told = run(
        plan, [*healthy(10, gauges={"incidents": 1.0}), *healthy(90, begin=BEGIN + 300.0, gauges={"incidents": 0.0})]
    )
    assert (told.decision, told.metric) == ("held", "incidents")


def test_it_is_told_as_json_and_as_text():
    told = run(TWO, [*healthy(20), *healthy(10, begin=BEGIN + 600.0, errors=60)])
    document = told.as_json()
    assert list(document)[:5] == ["decision", "at", "reason", "metric", "samples"]
    assert document["at"] == "2025-10-31T12:11:30Z"
    assert document["verdicts"][-1]["triggers"][0]["state"] == "fail"
    assert told.cells()[1:5] == ("30", "rolled back", "2025-10-31T12:11:30Z", "error_rate")
    assert replace(told, group="a").as_json()["group"] == "a"


# --- the pet shop's recorded figures

petshop = pytest.mark.skipif(not PETSHOP.exists(), reason="the pet shop's figures are not beside the project")


def shop(plan_name: str) -> list[Rehearsal]:
    plan = load_plan(ROOT / "data" / "plans" / plan_name)
    return rehearse_groups(plan, read_recorded(PETSHOP, version=plan.candidate, by="scenario"))


@petshop
@pytest.mark.parametrize("plan_name", ["default.yaml", "petshop.yaml"])
def test_the_documented_results_are_what_comes_out(plan_name):
    text = (ROOT / "docs" / "rehearsal.md").read_text()
    section = text.split(f"## With {plan_name}")[1].split("\n## ")[0]
    for told in shop(plan_name):
        name, _, decision, at, figure, _ = told.cells()
        assert f"| {name} | {decision} | {at} | {figure} |" in section.replace("|  |", "| |").replace("| |", "|  |")


@petshop
@pytest.mark.slow
def test_how_many_healthy_canaries_each_plan_kills():
    text = (ROOT / "docs" / "rehearsal.md").read_text()
    for plan_name in ("default.yaml", "petshop.yaml"):
        plan = load_plan(ROOT / "data" / "plans" / plan_name)
        for record in ("high_traffic/healthy", "low_traffic/healthy"):
            [whole] = read_recorded(PETSHOP, version=plan.candidate, where=("scenario", record)).groups
            decisions = []
            for first in range(0, len(whole.frame) - 24 + 1, 12):  # a canary of 2 h begins every hour
                hours = np.arange(first, first + 24)
                decisions.append(rehearse(plan, replace(whole, frame=whole.frame.select(hours))).decision)
            killed, held = decisions.count("rolled_back"), decisions.count("held")
            assert f"| {plan_name} | {record} | {len(decisions)} | {killed} | {held} |" in text


@petshop
def test_the_limits_of_the_calibrated_plan_are_what_its_rule_gives():
    worst = {"latency_p99": 0.0, "latency_p95": 0.0}
    for record in ("high_traffic/healthy", "low_traffic/healthy"):
        [whole] = read_recorded(PETSHOP, version="next", where=("scenario", record)).groups
        for name in worst:
            values = np.array([g[name] for g in whole.frame.gauges[:294]])
            windows = np.sort(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
            worst[name] = max(worst[name], float(windows[:, -2].max()))
    limits = {t.limit.figure.value: t.limit.value for t in load_plan(ROOT / "data" / "plans" / "petshop.yaml").triggers}
    for name, value in worst.items():
        assert abs(1.1 * value - limits[name]) <= 2.5


def test_an_unfinished_span_at_the_end_of_the_record_counts_to_its_end():
    told = run(TWO, [*healthy(39), sample(BEGIN + 39 * 30.0, requests=300)])
    assert told.decision == "advanced"

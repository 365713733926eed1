"""Guardrails: what is compared with the baseline, when it acts, and when it doesn't."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from core.delivery.judge import judge
from core.delivery.looks import edges, looks_of
from core.delivery.machine import decide
from core.delivery.model import Action, FigureState, Role, State, Status
from core.delivery.plan import Figure, Guardrail, Limit, Plan
from core.delivery.series import Series
from core.delivery.wire import verdict_from_json, verdict_to_json
from core.store import Sample, SampleFrame
from tests.delivery.recordings import CANARY, NOTHING, PLAN, sample, series, steady

PASS, FAIL, SILENT = FigureState.PASS, FigureState.FAIL, FigureState.SILENT
COLLECTING, INCONCLUSIVE, NOT_MEASURED = FigureState.COLLECTING, FigureState.INCONCLUSIVE, FigureState.NOT_MEASURED

ERRORS = Guardrail(Limit(Figure.ERROR_RATE, ">", 1.25))
SLOW = Guardrail(Limit(Figure.SLOW_REQUESTS, ">", 1.5))
P99 = Guardrail(Limit(Figure.LATENCY_P99, ">", 1.1), then="hold")


def with_(*guardrails: Guardrail, **more) -> Plan:
    return replace(PLAN, guardrails=guardrails, **more)


def old(spans: int, **told) -> Series:
    return series(steady(spans, version="original", **{"requests": 2700, **told}), "original")


def one(plan: Plan, candidate: Series, baseline: Series, now: float | None = None, **more):
    at = float(candidate.end[-1]) if now is None else now
    verdict = judge(plan, more.pop("phase", CANARY), candidate, baseline, at, **{"phase_started": 0.0, **more})
    [finding] = verdict.guardrails
    assert verdict_from_json(json.loads(json.dumps(verdict_to_json(verdict)))) == verdict
    assert finding.role is Role.GUARDRAIL
    assert (finding in verdict.breached) == bool(finding.then)
    return finding


# --- what is said and done


def test_a_breach_is_said_with_estimate_interval_and_p():
    finding = one(with_(ERRORS), series(steady(60, errors=3)), old(60, errors=9))
    assert (finding.state, finding.then) == (FAIL, "roll back")
    assert finding.sentence.startswith("error rate 1 % against original's 0.33 % over 30 min, 3.00 times (")
    assert "; allowed up to 1.25 times; p = " in finding.sentence
    assert finding.ratio == pytest.approx(3.0)
    assert 1.25 < finding.ratio_low < 3.0 < finding.ratio_high
    assert finding.p_value <= finding.alpha == pytest.approx(0.025)  # of two, with the revenue trigger


def test_it_rolls_back():
    plan = with_(ERRORS)
    verdict = judge(plan, CANARY, series(steady(60, errors=3)), old(60, errors=9), 1800.0, phase_started=0.0)
    status = Status("d", plan, State.RUNNING, 3, 0.0, phase=0, phase_started=0.0, share=0.01)
    command = decide(status, verdict, 1800.0)
    assert command is not None
    assert (command.action, command.figure, command.value) == (Action.ROLL_BACK, "error_rate", 0.01)
    assert command.reason == verdict.guardrails[0].sentence


def test_a_healthy_candidate_passes_and_says_what_is_left_to_learn():
    finding = one(with_(ERRORS), series(steady(60, errors=1)), old(60, errors=9))
    assert (finding.state, finding.then, finding.p_value) == (PASS, "", 1.0)
    assert finding.ratio_low < 1.0 < finding.ratio_high
    assert "more at this traffic would tell" in finding.sentence
    later = one(
        with_(ERRORS), series(steady(3000, errors=1)), old(3000, errors=9), phase=replace(CANARY, lasts_s=90_000)
    )
    assert later.ratio_high < 1.25
    assert "shown to be within it" in later.sentence
    assert later.wait_s is None


def test_worse_but_not_surely_is_inconclusive():
    plan = with_(ERRORS, dispersion=1.0)
    hardly = one(plan, series(steady(10, errors=2)), old(10, errors=12))
    assert (hardly.state, "could still be chance, about" in hardly.sentence) == (PASS, True)  # 20 for 14
    finding = one(plan, series(steady(30, errors=2)), old(30, errors=9))
    assert (finding.state, finding.then) == (INCONCLUSIVE, "")
    assert "could still be chance, about" in finding.sentence
    spans = 2 * (30 + math.ceil(finding.wait_s / 30))
    assert one(plan, series(steady(spans, errors=2)), old(spans, errors=9)).state is FAIL


def test_one_burst_alone_never_acts():
    plan = with_(ERRORS, dispersion=1.0)
    calm = steady(40)
    calm[20] = sample(600.0, requests=300, errors=60, probes=30, probes_ok=30)
    assert one(plan, series(calm), old(40, errors=2)).then == ""
    calm[21:25] = steady(4, begin=630.0, errors=60)
    assert one(plan, series(calm), old(40, errors=2)).then == "roll back"


def test_slow_requests_are_counted_by_the_p99_triggers_limit():
    finding = one(with_(SLOW), series(steady(40, slow=6)), old(40, slow=9))
    assert (finding.state, finding.then) == (FAIL, "roll back")
    assert (finding.value, finding.baseline) == (pytest.approx(0.02), pytest.approx(9 / 2700))
    without = replace(PLAN, guardrails=(SLOW,), triggers=PLAN.triggers[:1])
    said = one(without, series(steady(40, slow=6)), old(40, slow=9))
    assert (said.state, "no trigger on latency_p99" in said.sentence) == (NOT_MEASURED, True)


def test_a_figure_without_a_bad_event_passes():
    finding = one(with_(ERRORS), series(steady(40)), old(40))
    assert (finding.state, finding.ratio, finding.p_value) == (PASS, None, pytest.approx(1.0))


# --- what there is nothing to compare of


def test_for_everybody_it_is_not_measured_without_a_hold_back():
    everybody = replace(CANARY, share=1.0)
    finding = one(with_(ERRORS), series(steady(40, errors=30)), NOTHING, phase=everybody)
    assert (finding.state, finding.then) == (NOT_MEASURED, "")
    assert "hold-back" in finding.sentence
    held_back = replace(CANARY, share=0.99, hold_back=0.01)
    finding = one(with_(ERRORS), series(steady(40, errors=30)), old(40, requests=300, errors=1), phase=held_back)
    assert finding.then == "roll back"


def test_too_little_is_collecting():
    finding = one(with_(ERRORS), series(steady(4, requests=10, errors=5)), old(4))
    assert (finding.state, finding.then) == (COLLECTING, "")
    assert finding.wait_s == pytest.approx(120 * (100 / 40 - 1))
    assert one(with_(ERRORS), NOTHING, NOTHING, 30.0).state is COLLECTING


def test_silence_of_either_version_says_nothing_of_the_other():
    ill = series(steady(60, errors=9))
    heard = one(with_(ERRORS), ill, old(30, errors=9), 1800.0)
    assert (heard.state, heard.then) == (SILENT, "")
    assert heard.sentence == "error rate: no sample of original for 15 min"
    assert one(with_(ERRORS), series(steady(30, errors=9)), old(60, errors=9), 1800.0).state is SILENT


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_an_unhealthy_baseline_never_rolls_the_candidate_back(share):
    """However bad: as bad as the candidate, worse, or gone."""
    sick = round(300 * share)
    for baseline in (
        old(60, requests=300, errors=sick),
        old(60, requests=300, errors=300),
        old(60, requests=0, errors=0),
        NOTHING,
    ):
        assert one(with_(ERRORS), series(steady(60, errors=sick)), baseline, 1800.0).then == ""


def test_a_baseline_that_fails_beyond_the_trigger_as_the_candidate_does_halts():
    plan = with_(ERRORS)
    both = judge(plan, CANARY, series(steady(60, errors=30)), old(60, errors=270), 1800.0, phase_started=0.0)
    assert {f.then for f in both.breached} == {"halt"}


# --- segments, regions, gauges


def test_a_guardrail_of_one_segment_sees_that_segment():
    guardrail = replace(ERRORS, segment="new", region="eu")
    healthy = (series(steady(60, errors=1)), old(60, errors=9))
    ill = (series(steady(60, errors=6)), old(60, errors=9))
    plan = with_(guardrail)
    finding = one(plan, *healthy, places={("new", "eu"): ill})
    assert finding.then == "roll back"
    assert finding.sentence.startswith("error rate in segment new in region eu 2 % against")
    assert one(plan, *ill, places={("new", "eu"): healthy}).then == ""
    assert one(plan, *ill).then == ""  # nothing is known of the segment


def gauged(spans: int, values, version: str = "fast", begin: float = 0.0) -> Series:
    made = [
        Sample(f"{version}{begin}{i}", begin + 30.0 * i, 30.0, version, gauges={"latency_p99": float(v)})
        for i, v in zip(range(spans), values, strict=True)
    ]
    return Series.of(SampleFrame.of(made), version)


def test_quantiles_without_latencies_are_compared_by_rank():
    rng = np.random.default_rng(1)
    usual = gauged(240, rng.normal(100, 10, 240), "original", -7200.0) + gauged(8, rng.normal(100, 10, 8), "original")
    slow = one(with_(P99), gauged(8, rng.normal(170, 10, 8)), usual)
    assert (slow.state, slow.then) == (FAIL, "hold")
    assert slow.sentence.startswith("p99 latency 1")
    alike = one(with_(P99), gauged(8, rng.normal(100, 10, 8)), usual)
    assert (alike.state, alike.then) == (PASS, "")
    soon = one(with_(P99), gauged(3, rng.normal(170, 10, 3)), usual, 90.0)
    assert soon.p_value < 0.03  # three of the worst values ever seen
    anew = one(with_(P99), gauged(8, rng.normal(170, 10, 8)), gauged(8, rng.normal(100, 10, 8), "original"))
    assert anew.then == ""  # by eight pairs alone it can't be told from chance at this alpha
    assert anew.state is INCONCLUSIVE


def test_latencies_that_are_told_are_not_compared_by_rank():
    finding = one(with_(P99), series(steady(20)), old(20))
    assert (finding.state, "slow_requests" in finding.sentence) == (NOT_MEASURED, True)


# --- holding, and going on


def test_what_a_person_let_go_on_takes_new_evidence_to_hold_again():
    plan = with_(replace(ERRORS, then="hold"), dispersion=1.0)
    ill_then_well = series([*steady(30, errors=4), *steady(30, begin=900.0, errors=1)])
    usual = old(60, errors=9)
    assert one(plan, ill_then_well, usual).then == "hold"
    assert one(plan, ill_then_well, usual, since_resumed=900.0).then == ""
    still_ill = series(steady(60, errors=4))
    assert one(plan, still_ill, usual, since_resumed=900.0).then == "hold"
    rolls_back = with_(ERRORS, dispersion=1.0)
    assert one(rolls_back, ill_then_well, usual, since_resumed=900.0).then == "roll back"


# --- over-dispersion


def bursty(rng, spans, version, requests, rate, sigma, begin=0.0):
    level = np.exp(sigma * rng.standard_normal(spans) - sigma**2 / 2)
    errors = rng.binomial(requests, np.minimum(1.0, rate * level))
    made = [
        Sample(f"{version}{begin}{i}", begin + 30.0 * i, 30.0, version, requests=requests, errors=int(e))
        for i, e in enumerate(errors)
    ]
    return Series.of(SampleFrame.of(made), version)


def test_where_counts_come_in_bursts_more_is_asked():
    """On the baseline's time before the phase: with it few bursty healthy candidates are rolled back."""
    rng = np.random.default_rng(4)
    acted = {True: 0, False: 0}
    for _ in range(40):
        before = bursty(rng, 240, "original", 13500, 0.005, 0.7, -7200.0)
        usual = bursty(rng, 240, "original", 13500, 0.005, 0.7)
        same = bursty(rng, 240, "fast", 1500, 0.005, 0.7)
        plan = with_(replace(ERRORS, limit=Limit(Figure.ERROR_RATE, ">", 1.0)), guardrail_alpha=0.1)
        acted[True] += bool(one(plan, same, before + usual).then)
        acted[False] += bool(one(replace(plan, dispersion=1.0), same, usual).then)
    assert acted[True] <= 3
    assert acted[False] >= 8
    known = one(plan, bursty(rng, 240, "fast", 1500, 0.02, 0.7), before + usual)
    assert known.then == "roll back"
    assert "times as much as chance" in known.sentence


def test_where_little_is_known_from_before_nobody_is_rolled_back_for_bursts():
    rng = np.random.default_rng(5)
    plan = with_(replace(ERRORS, limit=Limit(Figure.ERROR_RATE, ">", 1.0)), guardrail_alpha=0.1)
    healthy = [
        one(plan, bursty(rng, 240, "fast", 1500, 0.005, 0.7), bursty(rng, 240, "original", 13500, 0.005, 0.7))
        for _ in range(40)
    ]
    assert sum(bool(finding.then) for finding in healthy) <= 1
    doubted = next(f for f in healthy if f.ratio > 1)
    assert "; too little is known from before: counts may vary up to " in doubted.sentence
    worse = bursty(rng, 240, "fast", 1500, 0.03, 0.7)
    assert one(plan, worse, bursty(rng, 240, "original", 13500, 0.005, 0.7)).then == "roll back"
    early = one(plan, series(steady(20, errors=6)), old(20, errors=9))
    assert (early.state, early.then) == (COLLECTING, "")
    assert early.sentence.endswith("; not known yet how much counts vary, about 6 min to go")
    # A plan that knows how much, but not how long bursts last, asks for that much at least.
    steadily = series(steady(60, errors=3)), old(60, errors=9)
    known, stated = (one(replace(plan, dispersion=d), *steadily) for d in (1.0, 20.0))
    assert (known.then, stated.then, stated.state) == ("roll back", "", INCONCLUSIVE)
    assert stated.p_value > known.p_value
    assert "vary up to 20 times as much as chance" in stated.sentence


def test_half_an_hour_before_the_phase_is_a_head_start():
    """Of the baseline: then bursts show in it before the candidate has had any traffic."""
    mine, usual = series(steady(20, errors=8)), old(20, errors=9)
    before = series(steady(60, begin=-1800.0, version="original", requests=2700, errors=9), "original")
    assert one(with_(ERRORS), mine, usual).then == ""
    assert one(with_(ERRORS), mine, before + usual).then == "roll back"


@pytest.mark.parametrize("errors", [15, 300], ids=["5 %", "all requests"])
def test_a_baseline_without_a_failure_is_no_shelter(errors):
    plan = with_(ERRORS)
    early = one(plan, series(steady(20, errors=errors)), old(20))
    assert (early.state, early.then) == (COLLECTING, "")
    assert early.sentence.endswith("; not known yet how much counts vary, about 6 min to go")
    assert one(plan, series(steady(40, errors=errors)), old(40)).then == "roll back"
    before = series(steady(480, begin=-14400.0, version="original", requests=2700), "original")
    assert one(plan, series(steady(16, errors=errors)), before + old(16)).then == "roll back"


def test_where_time_alone_does_not_tell_what_is_missing_is_said():
    one_outage = steady(60)
    one_outage[58:] = steady(2, begin=1740.0, errors=60)
    finding = one(with_(ERRORS), series(one_outage), old(60))
    assert (finding.state, finding.then, finding.wait_s) == (COLLECTING, "", None)
    assert finding.sentence.endswith(
        "; not known yet how much counts vary: there are 0 of the 30 bad requests of original that it takes,"
        " and fast's bad requests are too few yet, or too near each other"
    )


# --- looks


def test_looks_end_where_both_versions_samples_do():
    fine = series(steady(10))
    coarse = series(steady(2, version="original", seconds=150.0, requests=1000, errors=4), "original")
    assert edges(fine, coarse).tolist() == [150.0, 300.0]
    looks = looks_of(fine, coarse, lambda s: (s.column("errors"), s.column("requests")))
    assert looks.trials.tolist() == [1500, 1500]
    assert looks.base_bad.tolist() == [4, 4]
    assert edges(fine, NOTHING).size == 10
    assert edges(NOTHING, NOTHING).size == 0


def test_a_span_that_the_other_version_has_not_told_yet_counts_once_it_has():
    mine, theirs = series(steady(10, errors=1)), old(9, errors=9)
    looks = looks_of(mine, theirs, lambda s: (s.column("errors"), s.column("requests")))
    assert (looks.trials[-1], looks.base_trials[-1]) == (300, 0)
    assert looks.until.size == 10


def test_compacted_samples_give_nearly_the_same_evidence():
    rng = np.random.default_rng(9)
    mine = bursty(rng, 480, "fast", 1500, 0.0065, 0.0)
    theirs = bursty(rng, 480, "original", 13500, 0.005, 0.0)

    def compacted(of: Series) -> Series:
        sums = of.column("errors").reshape(-1, 10).sum(axis=1), of.column("requests").reshape(-1, 10).sum(axis=1)
        made = [
            Sample(f"c{i}", 300.0 * i, 300.0, of.version, requests=int(n), errors=int(x))
            for i, (x, n) in enumerate(zip(*sums, strict=True))
        ]
        return Series.of(SampleFrame.of(made), of.version)

    phase = replace(CANARY, lasts_s=14400.0)
    plan = with_(replace(ERRORS, limit=Limit(Figure.ERROR_RATE, ">", 1.0)))
    exact = one(plan, mine, theirs, phase=phase)
    summed = one(plan, compacted(mine), compacted(theirs), phase=phase)
    assert summed.ratio == pytest.approx(exact.ratio)
    assert summed.ratio_low == pytest.approx(exact.ratio_low, rel=0.08)
    assert (summed.then, exact.then) == ("roll back", "roll back")
    part = one(plan, compacted(mine), theirs, phase=phase)
    assert part.ratio == pytest.approx(exact.ratio)


# --- alpha


def test_alpha_is_split_over_comparisons_and_phases():
    plan = replace(
        PLAN,
        phases=(CANARY, replace(CANARY, name="ramp", share=0.1), replace(CANARY, name="all", share=1.0)),
        guardrails=(ERRORS, SLOW, replace(P99, alpha=0.01)),
        guardrail_alpha=0.05,
    )
    parts = [plan.alpha_of(g) for g in plan.guardrails] + [plan.alpha_of(t) for t in plan.relative_triggers()]
    assert parts == pytest.approx([0.04 / 3 / 2, 0.04 / 3 / 2, 0.005, 0.04 / 3 / 2])
    assert 2 * sum(parts) == pytest.approx(0.05)

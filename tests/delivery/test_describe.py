"""What is said of a plan is what the judge will do: numbers are checked against the judge, not against themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery.describe import PlanDescription, describe
from core.delivery.judge import judge
from core.delivery.model import FigureState
from core.delivery.plan import Figure, Plan
from core.delivery.planfile import load_plan, parse_plan
from core.delivery.quantities import (
    Misread,
    read_duration,
    read_moment,
    read_share,
    say_duration,
    say_moment,
    say_share,
)
from core.delivery.series import Series
from core.store import Sample, SampleFrame

PLANS = Path(__file__).resolve().parents[2] / "data" / "plans"
DEFAULT = load_plan(PLANS / "default.yaml")
DEMO = load_plan(PLANS / "demo.yaml")


def plan_of(criteria: list[str], triggers: tuple[str, ...] = ("error_rate > 5 % for 2 min",), extra: str = "") -> Plan:
    """A plan with one phase of an hour for half of the learners."""
    lines = ["name: p", "flag: f", "baseline: old", "candidate: new", "triggers:", *(f"  - {t}" for t in triggers)]
    lines += ["phases:", "  - name: half", "    traffic: 50 %", "    lasts: 1 h", "    criteria:"]
    return parse_plan("\n".join([*lines, *(f"      - {c}" for c in criteria), extra]))


def said(description: PlanDescription) -> str:
    return " ".join(description.text().split())


def test_each_phase_is_told_with_learners_dates_samples_and_requests() -> None:
    description = describe(DEFAULT, requests_per_s=500, learners=500_000)
    canary, ramp, rollout = description.phases
    assert [p.learners for p in description.phases] == [5_000, 50_000, 500_000]
    assert canary.starts == "2025-10-31 12:00 UTC"
    assert (canary.samples, canary.requests, canary.probes) == (240, 36_000, 7_200)
    assert (ramp.samples, ramp.requests) == (480, 720_000)
    assert rollout.permanent
    text = said(description)
    assert "1 % of the learners (5,000 of 500,000) get fast, the others original." in text
    assert "Record original for 2 h before the start" in text
    assert "a phase is held when they don't get the versions in its shares (0.001 at every look together)" in text
    assert "planned shares isn't checked" in said(describe(DEMO, requests_per_s=500))
    assert "Begins 2025-10-31 12:00 UTC, lasts 2 h." in text
    assert "240 samples; fast answers about 36,000 requests (150 a sample) and 7,200 health probes." in text
    assert "Judged after 15 min, 30 min, 1 h, 1 h 30 min and 2 h; the last one decides." in text
    assert "stays for good; completed after 13 d, and triggers stay armed." in text
    assert "Judged every 1 d, 13 times" in text
    assert "Rolls back when more than 1.5 % of requests fail, for 2 min." in text
    assert "Holds when more than 20 % of fast's requests are served by the fallback, for 2 min." in text


def test_the_default_plan_says_what_is_not_measured() -> None:
    warned = describe(DEFAULT, requests_per_s=500).warnings
    assert any(w.startswith("rollout: segment spread") and "nobody is left with original" in w for w in warned)
    assert any(w.startswith("rollout: revenue") and "nobody is left with original" in w for w in warned)
    assert not any(w.startswith(("trigger revenue", "guardrail")) for w in warned)
    assert any(w.startswith("rollout: guardrails") and "hold_back" in w for w in warned)
    assert not any("can't be shown" in w or "can't act" in w for w in warned)


def test_the_demo_is_told_as_simulated_and_without_gaps() -> None:
    text = said(describe(DEMO, requests_per_s=2, candidate_per_s=0.375))
    assert "Simulated: learners and revenue are made up." in text
    assert "Begins as soon as canary is passed, lasts 4 h." in text
    assert "requests 2 (0.375 at least to fast)" in text
    assert "fast answers about 2,700 requests (11 a sample)" in text


def test_a_plan_at_a_traffic_too_small_says_so() -> None:
    description = describe(DEFAULT, requests_per_s=0.5)
    canary = description.phases[0].criteria[0]
    assert (canary.needs, canary.expected, canary.allowed) == (299, 36, None)
    assert any(
        w.startswith("canary: error rate under 1 % can't be shown: it needs 299 requests") for w in description.warnings
    )
    assert any(
        "can't act in canary: its window takes 5 h 33 min 30 s, the phase 2 h" in w for w in description.warnings
    )


def test_99_95_percent_in_an_hour_takes_5990_probes() -> None:
    plan = plan_of(["availability > 99.95 %", "error_rate < 0.1 %"])
    availability, errors = describe(plan, requests_per_s=2).phases[0].criteria
    assert (availability.needs, availability.expected, availability.allowed) == (5_990, 3_600, None)
    assert (errors.needs, errors.expected) == (2_995, 3_600)
    assert errors.allowed == 0


def _state(plan: Plan, figure: Figure, bad: int, trials: int) -> FigureState:
    """What the judge says of one criterion at the phase's end, of so many bad events among so many trials."""
    counts = {"requests": trials, "errors": bad}
    if figure is Figure.AVAILABILITY:
        counts = {"requests": 1, "probes": trials, "probes_ok": trials - bad}
    if figure is Figure.DISAGREEMENT:
        counts = {"requests": 20 * trials, "compared": trials, "disagreed": bad}
    if figure.quantile is not None:
        counts = {"requests": trials, "slow": bad}
    phase = plan.phases[0]
    frame = SampleFrame.of(
        [
            Sample(id="1", start=0.0, seconds=phase.lasts_s, version=plan.candidate, **counts),
            Sample(id="2", start=0.0, seconds=phase.lasts_s, version=plan.baseline, requests=trials),
        ]
    )
    series = [Series.of(frame, version) for version in (plan.candidate, plan.baseline)]
    verdict = judge(plan, phase, *series, phase.lasts_s, phase_started=0.0, ended=True)
    return next(f for f in verdict.criteria if f.figure is figure).state


@pytest.mark.parametrize("criterion", ["error_rate < 1 %", "availability > 99.9 %", "disagreement < 1 %"])
@pytest.mark.parametrize("requests_per_s", [2, 30, 400])
def test_what_a_criterion_allows_is_what_the_judge_lets_pass(criterion: str, requests_per_s: float) -> None:
    plan = plan_of([criterion])
    figure = plan.phases[0].criteria[0].figure
    told = describe(plan, requests_per_s=requests_per_s, probes_per_s=requests_per_s).phases[0].criteria[0]
    assert told.needs is not None
    assert told.expected is not None
    assert _state(plan, figure, 0, told.needs) is FigureState.PASS
    assert _state(plan, figure, 0, told.needs - 1) in {FigureState.COLLECTING, FigureState.INCONCLUSIVE}
    if told.allowed is None:
        assert told.expected < told.needs
        return
    assert _state(plan, figure, told.allowed, told.expected) is FigureState.PASS
    assert _state(plan, figure, told.allowed + 1, told.expected) is not FigureState.PASS


def test_a_trigger_says_from_how_many_bad_ones_it_acts() -> None:
    """600 requests at a limit of 1.5 %: P(X >= 20) = 0.00094, P(X >= 19) = 0.0020 [binomial, exact]."""
    errors = describe(DEFAULT, requests_per_s=500).triggers[0]
    assert (errors.window_s, errors.trials, errors.acts_from) == (120, 600, 20)


def test_a_window_grows_until_it_holds_the_minimum() -> None:
    errors = describe(DEFAULT, requests_per_s=50).triggers[0]  # 0.5 requests a second: 100 take 200 s, 7 samples
    assert (errors.window_s, errors.trials) == (210, 105)
    assert "this window, grown to 3 min 30 s, holds about 105 requests" in errors.sentence


@pytest.mark.parametrize(
    ("criteria", "triggers", "extra", "expected"),
    [
        (
            ["error_rate < 6 %"],
            (),
            "",
            "half: error rate under 6 % is looser than the trigger that acts at once, over 5 %",
        ),
        (["availability > 98 %"], ("availability < 99 % for 5 min",), "", "is looser than the trigger"),
        (
            ["memory < 1 GB"],
            (),
            "",
            "half: its criteria only warn; no measurement is not success, so that it will hold",
        ),
        (["slow_requests < 1 %"], (), "", "half: none of its criteria is measured"),
        (["slow_requests < 1 %"], (), "", "as no trigger on latency_p99 says from when on a request is slow"),
        (["error_rate < 1 %"], (), "", "half: the plan ends at 50 % of the learners"),
        (
            ["error_rate < 1 %"],
            ("error_rate > 5 % for 2 min, then hold",),
            "",
            "nothing but silence rolls back by itself",
        ),
        (
            ["error_rate < 1 %"],
            ("error_rate > 5 % for 2 h",),
            "",
            "can't act in half: its window takes 2 h, the phase 1 h",
        ),
        (["disagreement < 1 %"], (), "disagreement: {compare: 0 %}", "as no answers are compared"),
        (
            ["availability > 99.9 %"],
            (),
            "",
            "is hard to show in 1 h: a candidate twice as good as that is held in 83.5 %",
        ),
    ],
)
def test_warnings(criteria: list[str], triggers: tuple[str, ...], extra: str, expected: str) -> None:
    plan = plan_of(criteria, triggers or ("error_rate > 5 % for 2 min",), extra)
    warned = describe(plan, requests_per_s=500).warnings
    assert [w for w in warned if expected in w], warned


def test_a_date_before_the_phase_before_ends_is_warned_of() -> None:
    phases = (DEFAULT.phases[0], dataclasses.replace(DEFAULT.phases[1], starts=1761912000.0 + 3600), DEFAULT.phases[2])
    plan = dataclasses.replace(DEFAULT, phases=phases)
    expected = "ramp: begins at 2025-10-31 14:00 UTC at the earliest, when canary ends, after its date"
    assert expected in describe(plan, requests_per_s=500).warnings
    skipped = dataclasses.replace(plan, skip_gaps=True)
    assert expected not in describe(skipped, requests_per_s=500).warnings


@pytest.mark.parametrize("name", ["requests_per_s", "probes_per_s", "candidate_per_s"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_traffic_that_is_none_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        describe(DEFAULT, **{"requests_per_s": 1.0, name: value})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([DEFAULT, DEMO]),
    st.just(0.0) | st.floats(1e-9, 1e6),
    st.just(0.0) | st.floats(1e-9, 1e3),
    st.none() | st.integers(0, 10**9),
)
def test_any_traffic_can_be_described(plan: Plan, requests: float, probes: float, learners: int | None) -> None:
    description = describe(plan, requests_per_s=requests, probes_per_s=probes, learners=learners)
    told = json.loads(json.dumps(description.as_json(), allow_nan=False))
    assert [p["name"] for p in told["phases"]] == [p.name for p in plan.phases]
    assert [t["then"] for t in told["triggers"]] == [t.then for t in plan.triggers]
    assert not {"nan", "inf"} & set(description.text().split())
    for phase in description.phases:
        for criterion in phase.criteria:
            assert criterion.allowed is None or 0 <= criterion.allowed < criterion.expected


@given(st.integers(1, 3650 * 86400))
def test_durations_are_read_as_they_are_said(seconds: int) -> None:
    assert read_duration(say_duration(seconds)) == seconds


@given(st.integers(-(10**8), 10**8))
def test_shares_are_read_as_they_are_said(millionths: int) -> None:
    share = millionths / 10**6
    assert read_share(say_share(share)) == share


@given(st.integers(0, 7_000_000_000))
def test_moments_are_read_as_they_are_said(at: int) -> None:
    assert read_moment(say_moment(at)) == at


@given(st.text())
def test_any_text_is_a_quantity_or_misread(text: str) -> None:
    for read in (read_duration, read_share, read_moment):
        try:
            read(text)
        except Misread as misread:
            _check_expected(misread)


def _check_expected(misread: Misread) -> None:
    assert misread.expected

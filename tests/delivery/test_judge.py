"""The judge: states, sentences, and what no input may lead to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery.judge import judge, worst
from core.delivery.model import FigureState, Finding, Role, Verdict
from core.delivery.plan import Figure, Limit, Plan, Trigger
from core.delivery.series import Series
from core.experiments import compare, revenue
from core.store import BusinessSums
from tests.delivery.recordings import CANARY, NOTHING, PLAN, gauged, latencies, sample, series, steady

PASS, FAIL, SILENT = FigureState.PASS, FigureState.FAIL, FigureState.SILENT
COLLECTING, INCONCLUSIVE, NOT_MEASURED = FigureState.COLLECTING, FigureState.INCONCLUSIVE, FigureState.NOT_MEASURED


def look(candidate: Series, baseline: Series = NOTHING, now: float | None = None, plan: Plan = PLAN, **more) -> Verdict:
    at = (float(candidate.end[-1]) if len(candidate) else 0.0) if now is None else now
    phase = more.pop("phase", CANARY)
    return judge(plan, phase, candidate, baseline, at, phase_started=more.pop("phase_started", 0.0), **more)


def one(findings: tuple[Finding, ...], figure: Figure) -> Finding:
    [finding] = [f for f in findings if f.figure is figure]
    return finding


# --- sentences


def test_a_breach_is_said_as_a_person_would():
    breach = look(series([*steady(10), *steady(4, begin=300.0, requests=430, errors=20)]))
    finding = one(breach.triggers, Figure.ERROR_RATE)
    assert finding.sentence == "error rate 4.7 % over 2 min, 80 of 1,720 requests; limit 1.5 %"
    assert (finding.state, finding.then) == (FAIL, "roll back")
    assert (finding.value, finding.events, finding.trials, finding.span_s) == (80 / 1720, 80, 1720, 120.0)


def test_the_window_grows_until_it_holds_the_minimum():
    finding = one(look(series(steady(20, requests=20, errors=2))).triggers, Figure.ERROR_RATE)
    assert finding.sentence == "error rate 10 % over 2 min 30 s, 10 of 100 requests; limit 1.5 %"
    assert finding.then == "roll back"


def test_latency_is_said_with_the_share_behind_it():
    finding = one(look(series(steady(20, slow=30))).triggers, Figure.LATENCY_P99)
    assert (
        finding.sentence
        == "p99 latency 593 ms over 5 min, 300 of 3,000 requests (10 %) slower than 250 ms; limit 250 ms"
    )
    assert finding.then == "roll back"


def test_availability_counts_what_was_answered():
    finding = one(look(series(steady(20, lost=6))).triggers, Figure.AVAILABILITY)
    assert finding.sentence == "availability 80 % over 5 min, 240 of 300 answered; limit 99 %"
    assert finding.then == "roll back"


def test_an_open_question_says_how_much_more_would_settle_it():
    finding = one(look(series(steady(4, errors=2))).criteria, Figure.ERROR_RATE)
    assert finding.state is INCONCLUSIVE
    assert finding.sentence == (
        "error rate 0.67 % over 2 min, 8 of 1,200 requests; must be under 1 %; 0.33 % to 1.2 % at 95 % confidence:"
        " too close to tell, about 3 min more at this traffic would"
    )
    assert finding.wait_s is not None
    later = look(series(steady(4 + round(finding.wait_s / 30) + 1, errors=2)))
    assert one(later.criteria, Figure.ERROR_RATE).state is PASS


def test_collecting_says_how_long_it_will_take():
    finding = one(look(series(steady(4, requests=10))).criteria, Figure.ERROR_RATE)
    assert finding.state is COLLECTING
    assert finding.wait_s == pytest.approx(180.0)
    assert finding.sentence.endswith("100 requests needed, about 3 min to go at this traffic")


# --- criteria


def test_a_healthy_phase_passes():
    verdict = look(series(steady(240)), series(steady(240, version="original"), "original"), ended=True)
    assert verdict.state is PASS
    assert not verdict.breached
    states = {f.figure: f.state for f in verdict.criteria}
    assert states.pop(Figure.REVENUE) is NOT_MEASURED
    assert set(states.values()) == {PASS}


@pytest.mark.parametrize(
    ("errors", "of", "expected"),
    [
        (0, 99, COLLECTING),
        (0, 100, INCONCLUSIVE),
        (0, 299, PASS),
        (10, 1000, INCONCLUSIVE),
        (30, 1000, FAIL),
        (50, 99, COLLECTING),
    ],
)
def test_an_error_rate_needs_its_whole_interval_on_one_side(errors, of, expected):
    told = series([sample(0.0, requests=of, errors=errors)])
    assert one(look(told).criteria, Figure.ERROR_RATE).state is expected


def test_the_interval_is_given_in_the_figures_own_unit():
    verdict = look(series(steady(240, slow=1, lost=0)))
    p99 = one(verdict.criteria, Figure.LATENCY_P99)
    assert p99.low is not None
    assert p99.high is not None
    assert p99.low <= p99.value <= p99.high
    available = one(verdict.criteria, Figure.AVAILABILITY)
    assert available.high == 1.0
    assert 0.999 < available.low < 1.0


def test_fallbacks_are_not_the_candidates_requests():
    told = series([sample(30.0 * i, fallbacks=50, probes=30, probes_ok=30) for i in range(10)])
    verdict = look(told)
    errors = one(verdict.criteria, Figure.ERROR_RATE)
    assert errors.state is COLLECTING
    assert errors.sentence == "error rate: the fallback served all 500 requests, fast none"
    assert one(verdict.triggers, Figure.FALLBACK_RATE).then == "hold"
    assert verdict.silent_s == 0.0


def test_what_no_source_gives_is_not_measured_and_does_not_gate():
    bare = [replace(s, probes=0, probes_ok=0, latency=b"") for s in steady(240)]
    verdict = look(series(bare))
    assert one(verdict.criteria, Figure.LATENCY_P99).state is NOT_MEASURED
    assert one(verdict.criteria, Figure.AVAILABILITY).state is NOT_MEASURED
    assert verdict.state is PASS


def test_nothing_measured_at_all_is_not_a_pass():
    phase = replace(CANARY, criteria=(Limit(Figure.LATENCY_P99, "<", 200.0), Limit(Figure.SEGMENT_SPREAD, "<", 0.05)))
    assert look(series([replace(s, latency=b"") for s in steady(240)]), phase=phase).state is NOT_MEASURED


def test_figures_that_only_warn_never_gate():
    phase = replace(CANARY, criteria=(Limit(Figure.ERROR_RATE, "<", 0.01), Limit(Figure.MEMORY, "<", 1e9)))
    plan = replace(PLAN, triggers=(Trigger(Limit(Figure.MEMORY, ">", 1e9), 60.0),))
    samples = [replace(s, gauges={"memory": 2e9 + i}) for i, s in enumerate(steady(100))]
    verdict = look(series(samples), phase=phase, plan=plan)
    assert one(verdict.criteria, Figure.MEMORY).state is FAIL
    assert one(verdict.triggers, Figure.MEMORY).state is FAIL
    assert verdict.state is PASS
    assert not verdict.breached


def test_open_incidents_are_exact():
    assert one(look(series(steady(9)), open_incidents=1).criteria, Figure.INCIDENTS).state is FAIL
    assert one(look(series(steady(9)), open_incidents=0).criteria, Figure.INCIDENTS).state is PASS
    assert one(look(series(steady(9)), open_incidents=None).criteria, Figure.INCIDENTS).state is NOT_MEASURED


def test_a_criterion_no_sample_can_show_is_never_passed():
    phase = replace(CANARY, criteria=(Limit(Figure.ERROR_RATE, "==", 0.0),))
    assert look(series(steady(240)), phase=phase).state is INCONCLUSIVE


# --- silence


@pytest.mark.parametrize(("after", "expected"), [(0.0, PASS), (89.0, PASS), (90.0, SILENT), (600.0, SILENT)])
def test_three_missed_samples_are_silence(after, expected):
    told = series(steady(240))
    verdict = look(told, now=7200.0 + after)
    assert verdict.silent_s == after
    assert verdict.state is expected


def test_silence_counts_from_when_somebody_listened():
    told = series(steady(10))
    verdict = look(told, now=3000.0, listening_since=2980.0)
    assert (verdict.silent_s, verdict.age_s) == (20.0, 2700.0)
    assert look(told, now=3000.0).silent_s == 2700.0


def test_a_source_that_never_spoke_is_silent_from_the_phases_start():
    assert look(NOTHING, now=60.0).state is COLLECTING
    verdict = look(NOTHING, now=90.0)
    assert verdict.state is SILENT
    assert verdict.silent_s == 90.0


def test_requests_of_zero_are_not_silence():
    told = series([*steady(20), *[sample(600.0 + 30 * i) for i in range(20)]])
    assert look(told).silent_s == 0.0


def test_a_failed_criterion_stays_failed_in_silence():
    verdict = look(series(steady(100, errors=30)), now=3000.0 + 300.0)
    assert one(verdict.criteria, Figure.ERROR_RATE).state is FAIL
    assert one(verdict.criteria, Figure.LATENCY_P99).state is SILENT


def test_a_trigger_does_not_act_on_what_it_heard_before_the_silence():
    told = series(steady(20, errors=100))
    assert look(told).breached
    assert not look(told, now=600.0 + 90.0).breached


def test_silence_of_the_probes_is_the_probes_own():
    requests = [replace(s, probes=0, probes_ok=0) for s in steady(240)]
    probes = [sample(30.0 * i, segment="probes", probes=30, probes_ok=30) for i in range(200)]
    verdict = look(series(requests + probes))
    assert verdict.silent_s == 0.0
    assert one(verdict.criteria, Figure.AVAILABILITY).state is SILENT
    assert one(verdict.criteria, Figure.ERROR_RATE).state is PASS


def test_what_was_before_the_phase_is_no_part_of_it():
    told = series([*steady(20, errors=200), *steady(20, begin=600.0)])
    verdict = look(told, phase_started=600.0)
    assert one(verdict.criteria, Figure.ERROR_RATE).events == 0
    assert not verdict.breached
    assert verdict.elapsed_s == 600.0


def test_a_span_still_open_is_not_judged_yet():
    told = series([*steady(20), *steady(1, begin=600.0, errors=300)])
    assert one(look(told, now=615.0).criteria, Figure.ERROR_RATE).events == 0


# --- triggers


def test_two_bad_requests_of_twenty_are_no_evidence():
    told = series(
        [*steady(20, requests=20), *steady(5, begin=600.0, requests=20), sample(750.0, requests=20, errors=2)]
    )
    assert not look(told).breached


def test_a_spike_in_one_half_of_the_window_is_not_held():
    told = series(
        [*steady(20), *steady(2, begin=600.0), sample(660.0, requests=300, errors=150), sample(690.0, requests=300)]
    )
    finding = one(look(told).triggers, Figure.ERROR_RATE)
    assert (finding.state, finding.then) == (INCONCLUSIVE, "")
    assert finding.sentence.endswith("not in each half of that time")


def test_beyond_the_limit_by_chance_is_said_so():
    finding = one(look(series(steady(4, requests=100, errors=2))).triggers, Figure.ERROR_RATE)
    assert (finding.state, finding.then) == (INCONCLUSIVE, "")
    assert "could still be chance (p = 0.2" in finding.sentence


def test_a_trigger_waits_for_its_hold_time():
    finding = one(look(series(steady(3, errors=200))).triggers, Figure.ERROR_RATE)
    assert (finding.state, finding.wait_s) == (COLLECTING, 30.0)
    assert look(series(steady(4, errors=200))).breached


def test_a_baseline_as_bad_halts_instead():
    bad = {"requests": 300, "errors": 30}
    candidate = series(steady(20, **bad))
    for base_errors, expected in ((30, "halt"), (24, "halt"), (12, "roll back"), (0, "roll back")):
        baseline = series(steady(20, version="original", requests=3000, errors=10 * base_errors), "original")
        finding = one(look(candidate, baseline).triggers, Figure.ERROR_RATE)
        assert finding.then == expected, base_errors
        assert finding.baseline == pytest.approx(base_errors / 300)
    assert (
        "the baseline is as bad: 10 %"
        in one(
            look(candidate, series(steady(20, version="original", **bad), "original")).triggers, Figure.ERROR_RATE
        ).sentence
    )


def test_what_hit_both_early_in_the_window_is_not_held_against_the_candidate():
    """With little traffic the candidate's window is long, and holds what the baseline's own, shorter one would not."""
    thin = {"requests": 10, "version": "fast"}
    sick = [*steady(6, begin=300.0, errors=5, **thin), *steady(4, begin=480.0, errors=1, **thin)]
    candidate = series([*steady(10, **thin), *sick])
    broad = {"requests": 100, "version": "original"}
    baseline = series(
        [*steady(10, **broad), *steady(6, begin=300.0, errors=50, **broad), *steady(4, begin=480.0, **broad)],
        "original",
    )
    finding = one(look(candidate, baseline).triggers, Figure.ERROR_RATE)
    assert finding.then == "halt"


def test_a_baseline_that_was_bad_only_before_is_no_excuse():
    candidate = series([*steady(40), *steady(10, begin=1200.0, errors=60)])
    baseline = series(
        [*steady(20, version="original", errors=60), *steady(30, version="original", begin=600.0)], "original"
    )
    assert one(look(candidate, baseline).triggers, Figure.ERROR_RATE).then == "roll back"


def test_at_full_share_there_is_no_baseline_to_halt_for():
    full = replace(CANARY, share=1.0)
    candidate = series(steady(20, errors=30))
    baseline = series(steady(20, version="original", errors=30), "original")
    assert one(look(candidate, baseline, phase=full).triggers, Figure.ERROR_RATE).then == "roll back"


def test_disagreement_with_the_baselines_answers_is_a_trigger():
    finding = one(look(series(steady(20, compared=15, disagreed=2))).triggers, Figure.DISAGREEMENT)
    assert finding.then == "roll back"
    assert "20 of 150 answers compared" in finding.sentence


# --- gauges


def test_quantiles_that_dont_pool_are_judged_as_n_of_m():
    calm = [100.0 + i for i in range(20)]
    assert not look(series(gauged("latency_p99", [*calm, 300.0, 90.0, 301.0, 91.0, 302.0]))).breached  # 3 of 10
    finding = one(
        look(series(gauged("latency_p99", [*calm, 300.0, 303.0, 301.0, 91.0, 302.0]))).triggers, Figure.LATENCY_P99
    )
    assert finding.then == "roll back"
    assert (finding.events, finding.trials) == (4, 10)
    assert finding.sentence.endswith("4 of the last 10 samples over 250 ms; acts at 4 of 10")


def test_a_gauge_that_never_moves_is_not_evidence():
    verdict = look(series(gauged("latency_p99", [400.0] * 30)))
    assert not verdict.breached
    assert one(verdict.triggers, Figure.LATENCY_P99).state is INCONCLUSIVE
    low = look(series(gauged("latency_p99", [40.0] * 30)))
    assert one(low.criteria, Figure.LATENCY_P99).state is INCONCLUSIVE
    perfect = look(series(gauged("availability", [1.0] * 30)))
    assert one(perfect.criteria, Figure.AVAILABILITY).state is PASS


@pytest.mark.parametrize(
    ("missed", "of", "expected"), [(0, 4, COLLECTING), (0, 30, PASS), (10, 30, INCONCLUSIVE), (25, 30, FAIL)]
)
def test_a_criterion_on_a_gauge_counts_the_samples_that_miss_it(missed, of, expected):
    values = [300.0 + i if i < missed else 100.0 + i for i in range(of)]
    assert one(look(series(gauged("latency_p99", values))).criteria, Figure.LATENCY_P99).state is expected


def test_a_gauge_that_is_first_told_after_a_look_is_silent_at_it():
    phase = replace(CANARY, criteria=(Limit(Figure.MEMORY, "<", 1e9),))
    samples = [*steady(9), *(replace(s, gauges={"memory": 2e9 + i}) for i, s in enumerate(steady(9, begin=270.0)))]
    verdict = look(series(samples), phase=phase, now=270.0)
    assert one(verdict.criteria, Figure.MEMORY).state is SILENT
    assert one(look(series(samples), phase=phase).criteria, Figure.MEMORY).state is FAIL


def test_a_baseline_with_gauges_as_bad_halts():
    bad = [300.0 + i for i in range(20)]
    candidate = series(gauged("latency_p99", bad))
    same = series(gauged("latency_p99", bad, version="original"), "original")
    better = series(gauged("latency_p99", [v - 45 for v in bad], version="original"), "original")
    assert one(look(candidate, same).triggers, Figure.LATENCY_P99).then == "halt"
    assert one(look(candidate, better).triggers, Figure.LATENCY_P99).then == "roll back"


# --- revenue


def sums(rng: np.random.Generator, version: str, learners: int, mean: float) -> BusinessSums:
    requests = rng.poisson(20, learners) + 1
    income = np.where(rng.random(learners) < 0.2, rng.exponential(mean / 0.2, learners), 0.0)
    cost = np.ones(learners)
    columns = {"cost": cost, "requests": requests.astype(float), "revenue": income}
    products = {(a, b): float(columns[a] @ columns[b]) for a in columns for b in columns if a <= b}
    return BusinessSums(version, learners, {name: float(c.sum()) for name, c in columns.items()}, products)


def revenue_finding(candidate_mean: float, *, ended: bool = True, learners: int = 20_000, plan: Plan = PLAN) -> Finding:
    rng = np.random.default_rng(4)
    business = {"fast": sums(rng, "fast", learners, candidate_mean), "original": sums(rng, "original", 20_000, 1.0)}
    return one(look(series(steady(240)), business=business, ended=ended, plan=plan).criteria, Figure.REVENUE)


def test_revenue_is_looked_at_once_and_passes_as_no_evidence_of_harm():
    early = revenue_finding(1.0, ended=False)
    assert (early.state, early.low) == (COLLECTING, None)
    finding = revenue_finding(1.0)
    assert finding.state is PASS
    assert "no evidence of harm" in finding.sentence
    assert "this phase could have seen a difference of" in finding.sentence


@pytest.mark.parametrize("unit", ["learner", "request"])
def test_revenue_fails_only_with_its_whole_interval_beyond_the_limit(unit):
    plan = replace(PLAN, revenue_unit=unit)
    assert revenue_finding(0.5, plan=plan).state is FAIL
    harmed = revenue_finding(0.96, plan=plan)  # some harm, but the interval reaches over -3 %
    assert harmed.low < -0.03 < harmed.high
    assert harmed.state is PASS


def test_revenue_of_too_few_learners_is_collecting_and_of_nobody_not_measured():
    assert revenue_finding(1.0, learners=50).state is COLLECTING
    assert one(look(series(steady(240)), ended=True).criteria, Figure.REVENUE).state is NOT_MEASURED
    rng = np.random.default_rng(4)
    both = {"fast": sums(rng, "fast", 500, 1.0), "original": sums(rng, "original", 500, 1.0)}
    full = look(series(steady(240)), business=both, ended=True, phase=replace(CANARY, share=1.0))
    assert one(full.criteria, Figure.REVENUE).state is NOT_MEASURED


@pytest.mark.parametrize("unit", ["learner", "request"])
def test_the_interval_of_revenue_covers_the_truth(unit):
    rng = np.random.default_rng(9)
    missed = 0
    for _ in range(400):
        seen = compare(revenue(sums(rng, "fast", 800, 1.1), unit), revenue(sums(rng, "original", 1500, 1.0), unit))
        assert seen is not None
        assert seen.low is not None
        missed += not seen.low <= 0.10 <= seen.high
    assert missed <= 12  # 4 expected at 99 %; more than 12 of 400 has a probability under 0.001


# --- what no input may lead to

spans = st.lists(
    st.tuples(
        st.integers(0, 400), st.floats(0, 1), st.floats(0, 1), st.integers(0, 30), st.floats(0, 1), st.integers(0, 50)
    ),
    max_size=40,
)


def built(spans_: list[tuple[int, float, float, int, float, int]]) -> list:
    return [
        sample(
            30.0 * i,
            requests=n,
            errors=int(bad * n),
            latency=latencies(n - int(slow * n), int(slow * n)),
            probes=probes,
            probes_ok=int(probes * up),
            fallbacks=fallbacks,
        )
        for i, (n, bad, slow, probes, up, fallbacks) in enumerate(spans_)
    ]


@settings(max_examples=80, deadline=None)
@given(spans, spans, st.floats(0, 900), st.booleans())
def test_the_judge_always_answers_and_only_with_evidence(candidate, baseline, later, ended):
    told = series(built(candidate))
    other = series([replace(s, version="original") for s in built(baseline)], "original")
    now = 30.0 * len(candidate) + later
    verdict = look(told, other, now=now, ended=ended)
    assert len(verdict.criteria) == len(CANARY.criteria)
    assert len(verdict.triggers) == len(PLAN.triggers)
    for finding in (*verdict.criteria, *verdict.triggers):
        assert finding.sentence
        assert finding.role is (Role.CRITERION if finding in verdict.criteria else Role.TRIGGER)
        assert (finding.then != "") <= (finding.state is FAIL)
        if finding.state in {PASS, FAIL, INCONCLUSIVE} and finding.figure is not Figure.INCIDENTS:
            assert finding.trials
        if finding.then and finding.figure is not Figure.INCIDENTS:
            assert finding.trials >= PLAN.min_requests
            assert finding.span_s >= finding.hold_s - 1e-6 or len(told) == 0
    if now - (told.last_heard() or 0.0) >= PLAN.silent_after_s:
        assert not verdict.breached
        assert verdict.state is not PASS


@settings(max_examples=80, deadline=None)
@given(errors=st.lists(st.integers(0, 6), min_size=10, max_size=40), more=st.integers(1, 40))
def test_more_healthy_data_never_turns_a_pass_into_anything_else(errors, more):
    told = [sample(30.0 * i, requests=300, errors=x, latency=latencies(300)) for i, x in enumerate(errors)]
    healthy = [sample(30.0 * (len(told) + i), requests=300, latency=latencies(300)) for i in range(more)]
    before = one(look(series(told)).criteria, Figure.ERROR_RATE)
    after = one(look(series(told + healthy)).criteria, Figure.ERROR_RATE)
    if before.state is PASS:
        assert after.state is PASS
    assert after.value <= before.value


@settings(max_examples=40, deadline=None)
@given(spans)
def test_worse_figures_are_never_judged_better(candidate):
    told = built(candidate)
    worse = [replace(s, errors=s.requests) for s in told]
    order = [PASS, INCONCLUSIVE, FAIL]
    before, after = (one(look(series(x)).criteria, Figure.ERROR_RATE).state for x in (told, worse))
    if before in order:
        assert order.index(after) >= order.index(before)


def test_the_worst_state_is_the_verdicts():
    def found(state: FigureState) -> Finding:
        return Finding(Role.CRITERION, Limit(Figure.ERROR_RATE, "<", 0.01), state, "")

    ranked = [PASS, COLLECTING, INCONCLUSIVE, SILENT, FAIL]
    for i, state in enumerate(ranked):
        assert worst(tuple(found(s) for s in [*ranked[: i + 1], NOT_MEASURED])) is state
    assert worst(()) is NOT_MEASURED
    assert worst((replace(found(PASS), limit=Limit(Figure.MEMORY, "<", 1e9)),)) is NOT_MEASURED

"""The e-process of counts: its algebra, its reference behaviour, and what no input may lead to."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments.sequential import Direction, RatioState, RatioTest, log_evidence, looks_until_seen

TESTS = [
    RatioTest(),
    RatioTest(0.01, margin=1.25),
    RatioTest(0.05, margin=0.8, direction=Direction.LOWER),
    RatioTest(0.05, spread_out=True, horizon=12),
    RatioTest(0.05, horizon=1000),
]


def by_the_formula(test, bad, trials, base_bad, base_trials):
    """The mixture written out as in docs/statistics.md, look by look, in plain Python."""
    ratios = [test.margin * 20 ** (test.direction.sign * k / 40) for k in range(1, 41)]
    logs = [0.0] * len(ratios)
    for x, n, y, m in zip(bad, trials, base_bad, base_trials, strict=True):
        w = n / (n + m) if n + m else 0.0
        e = x + y
        for i, r in enumerate(ratios):
            if 0 < w < 1:
                logs[i] += x * math.log(r / test.margin)
                logs[i] -= e * (math.log(1 + w * (r - 1)) - math.log(1 + w * (test.margin - 1)))
    top = max(logs)
    return top + math.log(sum(math.exp(v - top) for v in logs) / len(logs))


looks = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 2000), st.integers(0, 200), st.integers(0, 20000)),
    min_size=1,
    max_size=30,
).map(lambda rows: [(min(x, n), n, min(y, m), m) for x, n, y, m in rows])


@pytest.mark.parametrize("test", TESTS[:3])
@given(rows=looks)
@settings(max_examples=40, deadline=None)
def test_it_is_the_mixture_of_the_conditional_splits(test, rows):
    columns = np.array(rows).T
    assert log_evidence(test, *columns)[-1] == pytest.approx(by_the_formula(test, *columns), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("test", TESTS)
@given(rows=looks, cut=st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_a_state_kept_and_gone_on_with_is_one_pass(test, rows, cut):
    columns = np.array(rows).T
    once = RatioState.begin(test).after(*columns)
    resumed = RatioState.begin(test).after(*columns[:, :cut]).after(*columns[:, cut:])
    course = log_evidence(test, *columns)
    for state in (once, resumed):
        assert state.log_evidence == pytest.approx(course[-1], rel=1e-9, abs=1e-8)
        assert state.peak == pytest.approx(max(0.0, course.max()), rel=1e-9, abs=1e-8)
    assert (resumed.looks, resumed.bad, resumed.base_trials) == (once.looks, once.bad, once.base_trials)


@pytest.mark.parametrize("test", TESTS)
@given(rows=looks, cut=st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_states_add_to_the_evidence_of_one_pass_and_to_no_higher_peak(test, rows, cut):
    columns = np.array(rows).T
    first, second = (RatioState.begin(test).after(*part) for part in (columns[:, :cut], columns[:, cut:]))
    once, added = RatioState.begin(test).after(*columns), first + second
    if test.horizon == 0 or once.looks <= test.horizon:
        assert added.log_evidence == pytest.approx(once.log_evidence, rel=1e-9, abs=1e-8)
    else:
        assert added.log_evidence <= once.log_evidence + 1e-8
    assert (added.looks, added.bad, added.base_trials) == (once.looks, once.bad, once.base_trials)
    assert first.peak <= added.peak <= once.peak + 1e-8


@given(rows=looks, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_order_of_looks_changes_nothing_but_the_peak(rows, seed):
    columns = np.array(rows).T
    shuffled = np.random.default_rng(seed).permutation(columns.T).T
    a, b = (RatioState.begin(TESTS[0]).after(*c) for c in (columns, shuffled))
    assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-9, abs=1e-8)
    assert a.bounds() == b.bounds()


@given(rows=looks)
@settings(max_examples=40, deadline=None)
def test_p_never_rises_and_stays_a_probability(rows):
    state, before = RatioState.begin(RatioTest(margin=1.1)), 1.0
    for row in rows:
        state = state.after(*row)
        assert 0 <= state.p_value <= before
        before = state.p_value


@given(rows=looks)
@settings(max_examples=40, deadline=None)
def test_no_look_counts_for_more_than_half_of_what_is_needed(rows):
    columns = np.array(rows).T
    plain, spread = (log_evidence(RatioTest(spread_out=s, horizon=30), *columns) for s in (False, True))
    assert (spread <= plain + 1e-9).all()
    rises = np.diff(spread, prepend=0.0)
    assert rises.max() <= -math.log(0.05) / 2 + 1e-9


@given(rows=looks)
@settings(max_examples=30, deadline=None)
def test_a_fault_that_may_begin_at_any_look_is_a_mixture_over_them(rows):
    columns = np.array(rows).T
    n = columns.shape[1]
    from_each = [by_the_formula(TESTS[0], *columns[:, k:]) for k in range(n)]
    expected = 0.5 * math.exp(from_each[0]) + 0.5 * sum(math.exp(v) for v in from_each) / 40 + 0.5 * (1 - n / 40)
    found = log_evidence(RatioTest(horizon=40), *columns)[-1]
    assert found == pytest.approx(math.log(expected), rel=1e-6, abs=1e-9)


def test_a_fault_that_begins_late_is_seen_soon():
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.binomial(1500, 0.005, (50, 400)), rng.binomial(1500, 0.01, (50, 80))], axis=1)
    y, n, m = rng.binomial(13500, 0.005, x.shape), np.full(x.shape, 1500), np.full(x.shape, 13500)
    late, plain = (log_evidence(t, x, n, y, m) >= t.threshold for t in (RatioTest(horizon=480), RatioTest()))
    assert not late[:, :400].any()
    assert np.median(late[:, 400:].argmax(axis=1)) <= 8
    assert np.median(plain[:, 400:].argmax(axis=1)) >= 20


@pytest.mark.parametrize(
    "row",
    [(0, 0, 0, 0), (5, 100, 0, 0), (0, 0, 7, 100), (0, 100, 0, 100)],
    ids=["nobody", "candidate alone", "baseline alone", "no errors"],
)
def test_looks_that_compare_nothing_say_nothing(row):
    for test in TESTS:
        assert log_evidence(test, *[[v] for v in row])[0] == pytest.approx(0.0, abs=1e-12)


def test_huge_counts_stay_finite():
    state = RatioState.begin(RatioTest()).after([4 * 10**9] * 50, [10**10] * 50, [10**9] * 50, [10**10] * 50)
    assert math.isfinite(state.log_evidence)
    assert state.p_value == 0.0
    assert state.bounds()[0] == pytest.approx(4.0, rel=0.04)


def test_the_bound_passes_the_margin_when_it_acts():
    rng = np.random.default_rng(7)
    for test in (RatioTest(0.05), RatioTest(0.02, margin=1.25), RatioTest(0.02, margin=0.9)):
        state = RatioState.begin(test)
        for _ in range(120):
            state = state.after(rng.binomial(1500, 0.01), 1500, rng.binomial(13500, 0.005), 13500)
            low, _ = state.bounds()
            assert (low is not None and low >= test.margin * (1 - 1e-12)) == (state.log_evidence >= test.threshold)
        assert state.log_evidence > test.threshold


def test_bounds_cover_the_truth_and_narrow():
    rng = np.random.default_rng(11)
    missed = 0
    for _ in range(200):
        state = RatioState.begin(RatioTest(0.05))
        state = state.after(
            rng.binomial(1500, 0.0075, 200), [1500] * 200, rng.binomial(13500, 0.005, 200), [13500] * 200
        )
        low, high = state.bounds()
        missed += not low < 1.5 < high
        assert high / low < 1.5
    assert missed <= 10  # 5 % to a side at every look together; at one look much less


def test_what_more_is_needed_is_about_right():
    rng = np.random.default_rng(3)
    told, took = [], []
    for _ in range(60):
        x, y = rng.binomial(1500, 0.00625, 400), rng.binomial(13500, 0.005, 400)
        state = RatioState.begin(RatioTest()).after(x[:15], [1500] * 15, y[:15], [13500] * 15)
        if state.ratio is None or not 1.15 < state.ratio < 1.35 or state.peak > 3:
            continue
        more = state.more_needed()
        course = log_evidence(RatioTest(), x, [1500] * 400, y, [13500] * 400)
        told.append(15 * (1 + more))
        took.append(int(np.argmax(course >= -math.log(0.05))) + 1)
    assert len(told) > 10
    assert 0.5 < np.median(took) / np.median(told) < 2


@pytest.mark.parametrize("of", [TESTS[0], RatioTest(spread_out=True, horizon=400)], ids=["plain", "from any look on"])
@pytest.mark.parametrize(("ratio", "bad"), [(1.25, 75), (1.5, 75), (2, 75), (5, 75), (1.5, 8)])
def test_the_time_until_seen_is_that_of_simulations(ratio, bad, of):
    rng, test = np.random.default_rng(5), of
    told = looks_until_seen(test, ratio, bad, 0.1)
    shape = (150, int(3 * told) + 10)
    x, y = rng.poisson(0.1 * bad * ratio, shape), rng.poisson(0.9 * bad, shape)
    acts = log_evidence(test, x, np.full(shape, 1500), y, np.full(shape, 13500)) >= test.threshold
    median = np.median(np.where(acts.any(axis=1), acts.argmax(axis=1) + 1, np.inf))
    assert abs(told - median) <= max(1.5, 0.2 * median)


def test_what_is_never_seen_takes_no_time():
    assert looks_until_seen(RatioTest(margin=1.5), 1.5, 10, 0.1) is None
    assert looks_until_seen(RatioTest(), 1.5, 0, 0.1) is None
    assert looks_until_seen(RatioTest(), 1.5, 10, 1.0) is None


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": 1}, {"margin": 0}, {"margin": math.inf}])
def test_a_test_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        RatioTest(**wrong)


def test_states_of_different_tests_do_not_add():
    with pytest.raises(ValueError, match="different"):
        RatioState.begin(RatioTest()) + RatioState.begin(RatioTest(margin=2))

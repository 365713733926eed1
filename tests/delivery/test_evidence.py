"""The breach rule against a plain transcription of its words, its tails and bounds against scipy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.delivery.evidence import (
    Rule,
    are_worse,
    binomial_tail,
    bounds,
    is_worse,
    look,
    quantile_ranks,
    quorum,
    settles_after,
)


def said_in_words(rule: Rule, start, seconds, bad, trials, since: float, last: int) -> bool:
    """delivery.md, word by word, one look, with loops."""
    now = start[last] + seconds[last]
    length = rule.window_s
    if now - length < since:
        return False  # the phase is younger than the hold time
    inside = [i for i in range(last + 1) if start[i] >= now - length]
    begin = now - length
    while sum(trials[i] for i in inside) < rule.minimum:
        earlier = inside[0] - 1 if inside else last
        if earlier < 0:
            return False
        inside.insert(0, earlier)
        begin = min(begin, start[earlier])
    middle = (begin + now) / 2
    halves = [
        [i for i in inside if start[i] + seconds[i] / 2 < middle],
        [i for i in inside if start[i] + seconds[i] / 2 >= middle],
    ]
    for part in (inside, *halves):
        x, n = sum(int(bad[i]) for i in part), sum(int(trials[i]) for i in part)
        if n == 0 or x <= rule.share * n + 1e-9 * n:
            return False
    x, n = sum(int(bad[i]) for i in inside), sum(int(trials[i]) for i in inside)
    return float(stats.binom.sf(x - 1, n, rule.share)) < rule.evidence


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    spans=st.integers(1, 40),
    mean=st.sampled_from([0.5, 5.0, 40.0, 300.0]),
    rate=st.sampled_from([0.0, 0.01, 0.03, 0.1, 0.9]),
    window=st.sampled_from([60.0, 120.0, 150.0, 300.0]),
    share=st.sampled_from([0.0, 0.01, 0.015]),
    missing=st.booleans(),
)
def test_every_look_is_what_the_words_say(seed, spans, mean, rate, window, share, missing):
    rng = np.random.default_rng(seed)
    start = 30.0 * np.arange(spans)
    if missing:
        start = start[rng.random(spans) < 0.8]
    if start.size == 0:
        return
    seconds = np.full(start.size, 30.0)
    trials = rng.poisson(mean, (3, start.size))
    bad = rng.binomial(trials, rate)
    rule = Rule(share, window, 100, 0.001)
    seen = look(rule, start, seconds, bad, trials, since=0.0, at=np.arange(start.size))
    for run in range(3):
        for last in range(start.size):
            assert seen.breached[run, last] == said_in_words(rule, start, seconds, bad[run], trials[run], 0.0, last)


def test_the_last_look_is_the_default():
    start, seconds = 30.0 * np.arange(10), np.full(10, 30.0)
    bad, trials = np.full(10, 10), np.full(10, 100)
    rule = Rule(0.015, 120.0, 100, 0.001)
    alone = look(rule, start, seconds, bad, trials, since=0.0)
    every = look(rule, start, seconds, bad, trials, since=0.0, at=np.arange(10))
    assert alone.breached[0]
    assert (
        (alone.bad[0], alone.trials[0], alone.begin[0])
        == (every.bad[-1], every.trials[-1], every.begin[-1])
        == (40, 400, 180.0)
    )


def test_a_window_never_reaches_into_the_time_before_the_phase():
    start, seconds = 30.0 * np.arange(10), np.full(10, 30.0)
    rule = Rule(0.015, 120.0, 100, 0.001)
    seen = look(rule, start, seconds, np.full(10, 50), np.full(10, 100), since=200.0)
    assert not seen.old_enough[0]
    assert not seen.breached[0]


@pytest.mark.parametrize(("bad", "beyond"), [(28, False), (29, False), (30, True)])
def test_a_share_right_at_the_limit_is_not_beyond_it(bad, beyond):
    # 0.29 * 100 is 28.999999999999996: a plain comparison would take 29 of 100 for more than 29 %.
    rule = Rule(0.29, 60.0, 100, 0.001)
    assert rule.beyond(np.array([bad]), np.array([100]))[0] == beyond


def test_an_inclusive_limit_counts_the_limit_in():
    assert Rule(0.29, 60.0, 100, 0.001, inclusive=True).beyond(np.array([29]), np.array([100]))[0]


@given(n=st.integers(1, 20_000), part=st.floats(0, 1), p=st.floats(0.0001, 0.9))
def test_the_tail_is_the_exact_binomial_one(n, part, p):
    x = round(part * n)
    ours = binomial_tail(np.array([x]), np.array([n]), p)[0]
    assert ours == pytest.approx(stats.binom.sf(x - 1, n, p), rel=1e-6, abs=1e-300)


@given(n=st.integers(1, 5_000), part=st.floats(0, 1))
def test_the_bounds_are_clopper_and_pearsons(n, part):
    x = round(part * n)
    exact = stats.binomtest(x, n).proportion_ci(0.90, method="exact")  # two-sided 90 % is 95 % on each side
    assert bounds(x, n, 0.95) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_bounds_of_nothing_say_nothing():
    assert bounds(0, 0, 0.95) == (0.0, 1.0)


def test_time_to_settle_agrees_with_the_bounds():
    factor = settles_after(4, 1000, 0.01, 0.95)
    assert factor is not None
    more = round(1000 * factor)
    assert bounds(round(4 * factor), more, 0.95)[1] < 0.0105
    assert settles_after(10, 1000, 0.01, 0.95) is None  # right at the limit: no amount of data settles it


@given(x=st.integers(0, 30), y=st.integers(0, 300))
def test_worse_than_the_baseline_is_fishers_test(x, y):
    table = [[x, 200 - x], [y, 2000 - y]]
    assert is_worse(x, 200, y, 2000, 0.001) == (stats.fisher_exact(table, alternative="greater").pvalue < 0.001)


def test_gauges_are_compared_by_rank():
    low, high = np.array([40.0, 41, 42, 43, 44]), np.array([90.0, 91, 92, 93, 94])
    assert are_worse(high, low, high_is_bad=True, level=0.05)
    assert not are_worse(low, high, high_is_bad=True, level=0.05)
    assert are_worse(low, high, high_is_bad=False, level=0.05)
    assert not are_worse(low, low, high_is_bad=True, level=0.05)
    assert not are_worse(np.full(5, 1.0), np.full(5, 1.0), high_is_bad=True, level=0.05)


def test_ranks_that_bound_a_quantile_cover_it():
    rng = np.random.default_rng(3)
    low, high = quantile_ranks(2000, 0.99, 0.95)
    drawn = np.sort(rng.exponential(size=(4000, 2000)), axis=1)
    true = -np.log(0.01)
    assert (drawn[:, low - 1] <= true).mean() >= 0.945
    assert (drawn[:, high - 1] >= true).mean() >= 0.945
    assert quantile_ranks(50, 0.99, 0.95)[1] == 51  # fifty can't bound a p99 from above


@pytest.mark.parametrize(
    ("window", "interval", "expected"),
    [
        (60.0, 30.0, (2, 5)),
        (150.0, 30.0, (2, 5)),
        (300.0, 30.0, (4, 10)),
        (600.0, 300.0, (2, 5)),
        (330.0, 30.0, (5, 11)),
    ],
)
def test_a_quorum_keeps_its_proportion_over_a_longer_hold_time(window, interval, expected):
    assert quorum(2, 5, window, interval) == expected

"""A thousand whole phases of 480 looks under each null, and harm that is seen: the table of docs/statistics.md, again.

The simulations are those of `python -m benchmarks.sequential`.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sequential import (
    ALPHA,
    BURSTS,
    JUDGE,
    LASTING_BURSTS,
    LOOKS,
    MOST_TRAFFIC,
    OUTAGES,
    RARE_OUTAGES,
    STRICT,
    TEST,
    WEAKER_BURSTS,
    Arms,
    Learners,
    Null,
    assigned,
    counted,
    delay_of,
    differences,
    e_process,
    gauges,
    guarded,
    mean_acts,
    quiet_harm,
)
from core.experiments.sequential import rank_evidence, sign_evidence, split_evidence

RUNS = 1000


def rng():
    return np.random.default_rng(20251126)


@pytest.mark.parametrize(
    ("arms", "rule"),
    [
        (Arms(), e_process(TEST)),
        (Arms(candidate=45, baseline=4455, rate=0.004), e_process(TEST)),
        (Arms(shared=0.5, memory=0.99), e_process(TEST)),
        (Arms(ratio=1.25), e_process(replace(JUDGE, margin=1.25))),
        (BURSTS, differences(TEST)),
    ],
    ids=["independent", "few events", "a common rate that drifts", "right at the margin", "bursts"],
)
def test_a_healthy_candidate_is_rolled_back_no_more_often_than_alpha(arms, rule):
    assert counted("", "", arms, rule, rng(), RUNS).bound <= ALPHA


@pytest.mark.parametrize("arms", [BURSTS, LASTING_BURSTS], ids=["bursts", "bursts that last"])
def test_known_bursts_of_one_version_are_stood(arms):
    draw = rng()
    counts = arms.draw(draw, RUNS)
    rule = guarded(JUDGE, arms, draw)
    acted = (rule(counts) >= TEST.threshold).any(axis=1)
    assert Null("", "", int(acted.sum()), RUNS).bound <= ALPHA


@pytest.mark.parametrize(
    "arms", [BURSTS, LASTING_BURSTS, MOST_TRAFFIC, Arms(shared=0.7)], ids=["bursts", "last", "most", "common"]
)
def test_bursts_of_which_nothing_is_known_are_stood(arms):
    assert counted("", "", arms, guarded(JUDGE), rng(), 150).bound <= ALPHA


def test_bursts_that_last_are_stood_where_little_is_known():
    draw = rng()
    assert counted("", "", WEAKER_BURSTS, guarded(JUDGE, WEAKER_BURSTS, draw, 60), draw, 100).bound <= ALPHA


@pytest.mark.parametrize("is_known", [False, True], ids=["nothing before", "known before"])
@pytest.mark.parametrize(
    "arms",
    [RARE_OUTAGES, OUTAGES, Arms(rate=0.02 / 13500), Arms(rate=0.2 / 13500)],
    ids=["rare outages", "outages", "hardly a failure", "few failures"],
)
def test_versions_that_hardly_fail_are_rolled_back_no_more_often_than_alpha(arms, is_known):
    draw = rng()
    rule = guarded(STRICT, arms, draw) if is_known else guarded(STRICT)
    assert counted("", "", arms, rule, draw, 100, STRICT.threshold).bound <= ALPHA


@pytest.mark.parametrize("is_known", [False, True], ids=["nothing before", "known before"])
@pytest.mark.parametrize(
    ("base", "rate", "begins", "within"),
    [(0.0, 0.01, 0, 64), (0.0, 0.05, 0, 32), (0.0, 1.0, 0, 32), (1e-5, 0.01, 0, 64), (0.0, 0.05, 200, 24)],
)
def test_harm_is_seen_next_to_a_baseline_that_hardly_fails(base, rate, begins, within, is_known):
    """With 0 failures of the baseline, or nearly, nothing told how counts vary, and nothing was evidence."""
    draw, arms = rng(), Arms(150, 1350, base)
    counts = quiet_harm(arms, rate, draw, 11, begins)
    rule = guarded(STRICT, arms, draw) if is_known else guarded(STRICT)
    seen = delay_of("", "", rule(counts) >= STRICT.threshold)
    assert seen.seen == 1
    assert seen.median <= begins + within
    if is_known and not begins and rate >= 0.05:
        assert seen.median <= 16


def test_the_simulation_can_fail():
    """The e-process alone on bursts of each version: not to be used, and the reason for the fallback."""
    assert counted("", "", BURSTS, e_process(TEST), rng(), 200).acted > 50


def test_learners_who_differ_strongly_and_come_back():
    first = mean_acts(Learners(visits=3), rng(), RUNS, planned=0.05)
    assert Null("", "", int((first < LOOKS).sum()), RUNS).bound <= ALPHA
    assert (mean_acts(Learners(), rng(), 50, planned=0.05, naive=True) < LOOKS).sum() >= 10


def test_a_split_as_planned():
    acted = (split_evidence(assigned(rng(), 3000, 0.1), [0.1, 0.9]) >= TEST.threshold).any(axis=1)
    assert Null("", "", int(acted.sum()), acted.size).bound <= ALPHA


def test_gauges_alike():
    coins = rng().random((3000, LOOKS)) - 0.5
    acted = (sign_evidence(coins, np.zeros_like(coins)) >= TEST.threshold).any(axis=1)
    assert Null("", "", int(acted.sum()), acted.size).bound <= ALPHA
    acted = (rank_evidence(*gauges(rng(), RUNS, 1.0)) >= TEST.threshold).any(axis=1)
    assert Null("", "", int(acted.sum()), acted.size).bound <= ALPHA


@pytest.mark.parametrize(
    ("ratio", "rule", "looks", "within"),
    [
        (1.25, e_process(TEST), 120, 40),
        (1.5, e_process(TEST), 60, 10),
        (2.0, e_process(JUDGE), 60, 6),
        (5.0, e_process(TEST), 60, 1),
        (1.5, differences(TEST), 120, 60),
        (1.5, guarded(JUDGE), 120, 60),
    ],
)
def test_harm_is_seen(ratio, rule, looks, within):
    counts = Arms(ratio=ratio).draw(rng(), 100, looks)
    seen = delay_of("", "", rule(counts) >= TEST.threshold)
    assert seen.median is not None
    assert seen.median <= within


def test_lost_revenue_is_seen():
    first = mean_acts(Learners(lift=-0.6), rng(), 20, planned=0.05)
    assert np.median(first) < 100


def test_slow_gauges_are_seen():
    candidate, baseline, before = gauges(rng(), 100, 1.5)
    signs, ranks = sign_evidence(candidate, baseline), rank_evidence(candidate, baseline, before)
    assert delay_of("", "", signs >= TEST.threshold).median <= 9
    assert delay_of("", "", ranks >= TEST.threshold).median <= 4


def test_a_crooked_split_is_seen():
    acted = split_evidence(assigned(rng(), 50, 0.12), [0.1, 0.9]) >= TEST.threshold
    assert acted.any(axis=1).all()

"""Confidence sequences, dispersion, splits and ranks: formulas, orders, edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from core.experiments.sequential import (
    BURN_IN,
    KNOWN_LOOKS,
    Before,
    Dispersion,
    RatioTest,
    assumed_dispersion,
    critical,
    difference_bounds,
    difference_evidence,
    dispersion_bound,
    guarded_bounds,
    guarded_evidence,
    half_width,
    log_evidence,
    mean_evidence,
    more_needed,
    rank_evidence,
    rate_dispersion,
    sign_evidence,
    split_dispersion,
    split_evidence,
)

# --- means


@given(n=st.floats(2, 1e9), s=st.floats(1e-6, 1e6), planned=st.floats(10, 1e8), alpha=st.floats(1e-6, 0.4))
def test_the_half_width_is_the_published_formula(n, s, planned, alpha):
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned
    two = s * math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
    assert half_width(n, s, planned, alpha, sides=2) == pytest.approx(two, rel=1e-9)
    a = min(2 * alpha, 0.999)
    rho2 = (-2 * math.log(a) + math.log(1 - 2 * math.log(a))) / planned
    log = math.log1p(math.sqrt(n * rho2 + 1) / (2 * alpha))
    one = s * math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * log)
    assert half_width(n, s, planned, alpha, sides=1) == pytest.approx(one, rel=1e-9)


def test_it_is_tightest_about_where_it_was_planned():
    """In standard errors always wider than a single look, and least so within a factor of the plan."""
    known = np.geomspace(1e-3, 1e3, 601)
    for sides in (1, 2):
        width = critical(known, 0.05, sides=sides)
        assert 0.2 < known[int(np.argmin(width))] < 5
        assert width.min() > stats.norm.ppf(1 - 0.05 / sides)
        assert critical(1.0, 0.05, sides=sides) <= 1.02 * width.min()


@given(z=st.floats(-5, 60), known=st.floats(1e-3, 1e3), alpha=st.floats(1e-4, 0.3))
def test_evidence_reaches_the_threshold_where_the_interval_ends(z, known, alpha):
    width = float(critical(known, alpha))
    if abs(z - width) > 1e-6:
        assert (mean_evidence(z, known, alpha) >= -math.log(alpha)) == (z > width)


def test_evidence_is_finite_far_out():
    assert np.isfinite(mean_evidence(1e6, 1.0, 0.05))
    assert mean_evidence(-3.0, 1.0, 0.05) == 0.0


def test_how_much_more_is_needed():
    assert more_needed(10.0, 1.0, 0.05) == 0.0
    factor = more_needed(1.5, 1.0, 0.05)
    assert 1.5 * math.sqrt(1 + factor) == pytest.approx(float(critical(1 + factor, 0.05)), rel=0.02)
    assert more_needed(0.0, 1.0, 0.05) is None


# --- dispersion


def counts(rng, looks=480, own=0.0, ratio=1.0):
    x = rng.poisson(70 / 9 * ratio * (rng.gamma(1 / own**2, own**2, looks) if own else np.ones(looks)))
    y = rng.poisson(70 * (rng.gamma(1 / own**2, own**2, looks) if own else np.ones(looks)))
    return x, np.full(looks, 1500), y, np.full(looks, 13500)


def test_chance_has_a_dispersion_of_one():
    rng = np.random.default_rng(1)
    both = [(split_dispersion(*c), rate_dispersion(*c[2:])) for c in (counts(rng, ratio=2.0) for _ in range(200))]
    for estimates in zip(*both, strict=True):
        assert np.mean([d.value for d in estimates]) == pytest.approx(1.0, abs=0.03)
        assert sum(d.is_over for d in estimates) <= 8  # 1 % each
        assert np.median([d.memory for d in estimates]) == 1.0


def test_bursts_are_dispersion():
    rng = np.random.default_rng(2)
    c = counts(rng, own=0.5)
    split, rate = split_dispersion(*c), rate_dispersion(*c[2:])
    # Variance of a gamma-mixed Poisson: mean + (own mean)^2, so 1 + own^2 mean in multiples of the mean.
    assert rate.value == pytest.approx(1 + 0.25 * 70, rel=0.3)
    assert split.value == pytest.approx((0.81 * 7.8 * 2.94 + 0.01 * 70 * 18.5) / (77.8 * 0.09), rel=0.3)
    assert split.is_over
    assert rate.is_over


def test_too_little_says_nothing():
    nothing = np.zeros(100, dtype=int)
    many = np.full(100, 1000)
    assert split_dispersion(nothing, many, nothing, many) is None
    assert rate_dispersion(nothing, many) is None
    assert rate_dispersion(np.eye(1, 100, dtype=int)[0], many) is None


def test_differences_are_indifferent_to_a_rate_that_both_share():
    rng = np.random.default_rng(3)
    common = np.exp(np.cumsum(rng.normal(0, 0.1, 480)))
    x, y = rng.poisson(8 * common), rng.poisson(72 * common)
    n, m = np.full(480, 1500), np.full(480, 13500)
    assert difference_evidence(RatioTest(), x, n, y, m, planned=480).max() < -math.log(0.05)


def test_difference_bounds_agree_with_the_evidence():
    rng = np.random.default_rng(4)
    for ratio in (1.0, 1.4, 2.0):
        c = counts(rng, ratio=ratio)
        low, high = difference_bounds(RatioTest(), *c, planned=480)
        acts = difference_evidence(RatioTest(), *c, planned=480)[-1] >= -math.log(0.05)
        assert (low >= 1.0) == acts
        assert low < ratio < high


def test_over_dispersed_counts_need_both():
    rng = np.random.default_rng(5)
    c, calm, nobody = counts(rng, own=0.7), counts(rng), np.zeros(480, dtype=int)
    over, by_chance = (Before.of((nobody, nobody, *before[2:])) for before in (counts(rng, own=0.7), counts(rng)))
    assert over.found.is_over
    assert not by_chance.found.is_over
    for test in (RatioTest(), RatioTest(spread_out=True, horizon=480)):
        seen = guarded_evidence(test, c, planned=480, before=over)
        assert (seen <= difference_evidence(test, *c, planned=480, memory=over.found.memory) + 1e-12).all()
        assert np.array_equal(guarded_evidence(test, calm, planned=480, before=by_chance), log_evidence(test, *calm))
        wider, narrow = (guarded_bounds(test, c, planned=480, before=known)[1] for known in (over, by_chance))
        assert wider >= narrow


def test_too_few_looks_before_are_not_enough_to_know():
    c = counts(np.random.default_rng(6), looks=KNOWN_LOOKS)
    assert Before.of(c).found is not None
    assert Before.of(tuple(a[1:] for a in c)).found is None


# --- how much counts may vary, as far as a phase tells


def test_the_bound_is_above_the_dispersion_and_comes_down():
    """Of 200 phases: gamma-mixed Poisson counts, whose dispersion has a formula (of the split, both versions' own)."""
    for own, mean in ((0.0, 1.0), (0.5, (0.81 * 7.8 * 2.94 + 0.01 * 70 * 18.5) / (77.8 * 0.09))):
        rng = np.random.default_rng(7)
        many = [np.stack(a) for a in zip(*(counts(rng, own=own) for _ in range(200)), strict=True)]
        bound = dispersion_bound(0.05, *many)
        assert np.isinf(bound[:, : BURN_IN - 1]).all()
        assert np.isfinite(bound[:, BURN_IN - 1 :]).all()
        assert (bound[:, BURN_IN - 1 :] < mean).mean() <= 0.05
        assert mean < np.median(bound[:, -1]) < 2.5 * mean
        assert np.median(bound[:, -1]) < np.median(bound[:, 127])


def test_the_bound_of_bursts_that_last_grows_until_they_have_been_seen():
    rng = np.random.default_rng(8)
    lasting = np.repeat(rng.gamma(4, 0.25, (2, 200, 48)), 10, axis=2)
    x, y = rng.poisson(7.8 * lasting[0]), rng.poisson(70 * lasting[1])
    bound = dispersion_bound(0.05, x, np.full(480, 1500), y, np.full(480, 13500))
    # Ten looks that rise and fall together vary ten times as much in the long run as one by one.
    assert np.median(bound[:, 300]) > 10 * 3 / 2


def test_neither_a_common_rate_nor_a_fault_half_way_raises_the_bound():
    rng = np.random.default_rng(9)
    n, m = np.full(480, 1500), np.full(480, 13500)
    usual = np.median([dispersion_bound(0.05, *counts(rng))[-1] for _ in range(50)])
    common = rng.gamma(4, 0.25, (50, 480))
    shared = dispersion_bound(0.05, rng.poisson(7.8 * common), n, rng.poisson(70 * common), m)[:, -1]
    fault = np.where(np.arange(480) < 200, 1.0, 3.0)
    broken = dispersion_bound(0.05, rng.poisson(7.8 * fault, (50, 480)), n, rng.poisson(70, (50, 480)), m)[:, -1]
    assert np.median(shared) < 1.3 * usual
    assert np.median(broken) < 1.3 * usual


def test_a_baseline_seen_before_shortens_the_wait():
    rng = np.random.default_rng(10)
    x, n, y, m = counts(rng, looks=60)
    later = dispersion_bound(0.05, x[20:], n[20:], y[20:], m[20:], earlier_bad=y[:20], earlier_trials=m[:20])
    assert np.isinf(later[: BURN_IN - 21]).all()
    assert np.isfinite(later[BURN_IN - 21 :]).all()
    assert (dispersion_bound(0.05, x[20:], n[20:], y[20:], m[20:])[BURN_IN - 1 :] >= later[BURN_IN - 1 :]).all()


def test_nothing_that_went_wrong_says_nothing_of_how_it_varies():
    none, many = np.zeros(100, dtype=int), np.full(100, 1000)
    assert np.isinf(dispersion_bound(0.05, none, many, none, many)).all()
    assert (guarded_evidence(RatioTest(), (none, many, none, many), planned=480) == 0).all()
    assert guarded_bounds(RatioTest(), (none, many, none, many), planned=480) == (None, None)
    assert dispersion_bound(0.05, [], [], [], []).shape == (0,)


def test_evidence_is_divided_by_what_is_assumed():
    c = counts(np.random.default_rng(11), ratio=1.6)
    test = RatioTest(spread_out=True, horizon=480, lasts=12)
    seen, assumed = guarded_evidence(test, c, planned=480), assumed_dispersion(test, c, Before())
    for look in (40, 200, 479):
        near = 2.0 ** (math.ceil(4 * math.log2(assumed[look])) / 4)
        assert seen[look] == pytest.approx(log_evidence(test, *c, dispersion=near)[look])
        assert log_evidence(test, *c, dispersion=1.3 * near)[look] < seen[look]
    low, high = guarded_bounds(test, c, planned=480)
    plain = guarded_bounds(test, c, planned=480, before=Before(Dispersion(1.0, 1.0, 0)))
    assert low < plain[0] < plain[1] <= high


# --- split


def test_the_split_is_a_ratio_of_marginal_to_planned_likelihood():
    """Against the beta-binomial distribution of scipy."""
    for n, m in ((3, 5), (80, 920), (0, 40), (0, 0)):
        beta = stats.betabinom.logpmf(n, n + m, 100, 900) - stats.binom.logpmf(n, n + m, 0.1)
        assert split_evidence([n, m], [0.1, 0.9]) == pytest.approx(beta, abs=1e-9)
    assert split_evidence([[5, 5, 5], [50, 5, 5]], [1, 1, 1]).shape == (2,)


@pytest.mark.parametrize(("counts", "shares"), [([-1, 3], [1, 1]), ([1, 3], [0, 1])])
def test_a_split_that_makes_no_sense_is_refused(counts, shares):
    with pytest.raises(ValueError, match="shares"):
        split_evidence(counts, shares)


# --- gauges


@given(pairs=st.lists(st.integers(-2, 2), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_signs_are_the_mixture_written_out(pairs):
    told = [v for v in pairs if v]
    worse = sum(v > 0 for v in told)
    area, _ = integrate.quad(lambda p: 2 * (2 * p) ** worse * (2 - 2 * p) ** (len(told) - worse), 0.5, 1)
    assert sign_evidence(pairs, [0] * len(pairs))[-1] == pytest.approx(math.log(area), abs=1e-6)


def test_signs_can_turn_and_take_a_margin():
    high, low = np.full(12, 120.0), np.full(12, 100.0)
    assert sign_evidence(high, low)[-1] > 3
    assert sign_evidence(high, low, margin=1.25)[-1] < 0
    assert sign_evidence(low, high, high_is_bad=False)[-1] > 3


def test_ranks_among_all_values_before():
    before = np.linspace(100, 200, 99)
    worst = rank_evidence([500.0, 510.0], [150.0, 150.0], before)
    assert worst[0] == pytest.approx(math.log(np.mean([k * 0.01 ** (k - 1) * (100 / 101) ** (k - 1) for k in grid()])))
    assert worst[1] > 2.9  # two of the worst values of a hundred are nearly enough
    assert rank_evidence([50.0] * 20, [150.0] * 20, before)[-1] < 0
    assert rank_evidence([50.0] * 3, [150.0] * 3, before, high_is_bad=False)[-1] > 3


def grid():
    return (np.arange(50) + 0.5) / 50


def test_gauges_that_are_not_told_say_nothing():
    gap = math.nan
    assert sign_evidence([gap, 1.0], [1.0, gap])[-1] == pytest.approx(0.0)
    assert rank_evidence([gap, gap], [1.0, gap], [1.0])[-1] == pytest.approx(0.0)


def test_identical_gauges_are_no_evidence():
    assert (rank_evidence([5.0] * 30, [5.0] * 30, [5.0] * 100) < 0.01).all()
    assert (sign_evidence([5.0] * 30, [5.0] * 30) == 0).all() or np.allclose(sign_evidence([5.0] * 30, [5.0] * 30), 0)

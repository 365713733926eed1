"""Split, multiplicity, power, margins, segments, days: against statsmodels or by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_generic
from statsmodels.stats.power import TTestIndPower

from core.experiments import (
    Aggregates,
    Effect,
    Margin,
    MarginState,
    Mean,
    SpreadState,
    benjamini_hochberg,
    check_margin,
    check_split,
    heterogeneity,
    holm,
    learners_needed,
    power_of,
    smallest_difference,
    spread_state,
    trend,
)

close = pytest.approx


def test_split_is_chi_square() -> None:
    found = check_split(["a", "b", "c"], [500, 260, 240], {"a": 2, "b": 1, "c": 1})
    assert found.p_value == close(stats.chisquare([500, 260, 240], [500, 250, 250]).pvalue, rel=1e-10)
    assert found.ok
    assert not check_split(["a", "b"], [5300, 4700]).ok


def test_a_split_needs_a_share_for_each_arm() -> None:
    with pytest.raises(ValueError, match="expected a share above zero for each of a, b"):
        check_split(["a", "b"], [1, 2], {"a": 1})


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_adjusted_p_values_are_statsmodels(n: int) -> None:
    p = np.random.default_rng(n).random(n) ** 4
    p[n // 2 :] = p[n // 2]  # ties
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-10)
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-10)


def test_what_has_no_p_value_is_not_counted() -> None:
    assert holm([0.01, np.nan, 0.04]) == close([0.02, np.nan, 0.04], nan_ok=True)


def test_power_is_that_of_the_t_test() -> None:
    oracle = TTestIndPower()
    for effect, n in ((0.1, 3000), (0.5, 120), (0.02, 50_000)):
        assert power_of(effect, n, (1.0, 1.0)) == close(oracle.power(effect, n / 2, 0.05), rel=1e-6)
        assert smallest_difference(n, (1.0, 1.0)) == close(oracle.solve_power(None, n / 2, 0.05, 0.8), rel=2e-4)
        assert learners_needed(effect, (1.0, 1.0)) == np.ceil(2 * oracle.solve_power(effect, None, 0.05, 0.8))


def test_power_of_rates_is_the_normal_formula() -> None:
    p0, p1 = 0.2, 0.17
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    expected = 2 * z**2 * (p0 * (1 - p0) + p1 * (1 - p1)) / (p1 - p0) ** 2
    assert learners_needed(p1 - p0, (p0 * (1 - p0), p1 * (1 - p1)), t=False) == close(expected, rel=1e-3)


def cells(values: np.ndarray) -> Aggregates:
    """Return aggregates of shape values.shape[:-1]."""
    mean = values.mean(axis=-1)
    n = np.full(mean.shape, float(values.shape[-1]))
    return Aggregates(("x",), n, mean[..., None], (values.var(axis=-1) * values.shape[-1])[..., None, None])


def effects(control: np.ndarray, treatment: np.ndarray) -> Effect:
    return Mean(name="x", column="x").effect(cells(control), cells(treatment))


def test_heterogeneity_is_the_meta_analysis_of_segments() -> None:
    rng = np.random.default_rng(0)
    shift = np.array([0, 0.5, 1.0, 2.0])[:, None]
    effect = effects(rng.normal(10, 2, (4, 300)), rng.normal(10, 2, (4, 300)) + shift)
    found = heterogeneity(effect)
    oracle = combine_effects(effect.difference, effect.variance, method_re="dl")
    assert found.q == close(oracle.q, rel=1e-8)
    assert found.i_squared == close(oracle.i2, rel=1e-8)
    assert found.tau == close(np.sqrt(oracle.tau2), rel=1e-8)
    assert found.q_p_value == close(stats.chi2.sf(oracle.q, 3), rel=1e-8)
    # Shrunken estimates lie between their own and the common one.
    common = oracle.mean_effect_re
    assert ((found.shrunken - common) * (effect.difference - found.shrunken) >= 0).all()


def test_the_interaction_is_welch_s_test_of_the_effects() -> None:
    rng = np.random.default_rng(1)
    effect = effects(rng.normal(10, 2, (5, 12)), rng.normal(10, 4, (5, 12)))
    found = heterogeneity(effect)
    # Means of df + 1 values each, whose variances are those of the effects.
    n = effect.df + 1
    oracle = anova_generic(effect.difference, effect.variance * n, n, use_var="unequal", welch_correction=True)
    assert found.p_value == close(oracle.pvalue, rel=1e-8)


def test_three_answers_on_spread() -> None:
    rng = np.random.default_rng(2)

    def state(shift: list[float], n: int) -> SpreadState:
        control = rng.normal(10, 2, (3, n))
        found = heterogeneity(effects(control, rng.normal(10, 2, (3, n)) + np.array(shift)[:, None]))
        return spread_state(found, found.p_value, 0.05)

    assert state([1, 1, 1], 20_000) is SpreadState.WITHIN
    assert state([0, 1, 2], 2_000) is SpreadState.HETEROGENEOUS
    assert state([0, 0, 0], 30) is SpreadState.UNKNOWN


def test_one_level_has_no_spread() -> None:
    assert heterogeneity(effects(np.ones((1, 5)), np.ones((1, 5)))) is None


def test_a_level_at_the_spread_s_edge_is_rarely_called_within() -> None:
    rng = np.random.default_rng(3)
    runs, n = 1000, 3000
    truth = np.array([-0.5, 0.0, 0.0, 0.5])  # 5 % of the baseline's 10 in two of them
    within = 0
    for _ in range(runs):
        means = rng.normal(0, 2 / np.sqrt(n), (2, 4))
        arms = [
            Aggregates(("x",), np.full(4, float(n)), (10 + m + t)[:, None], np.full((4, 1, 1), 4.0 * (n - 1)))
            for m, t in zip(means, (0 * truth, truth), strict=True)
        ]
        within += heterogeneity(Mean(name="x", column="x").effect(*arms)).spread_ok
    assert within / runs < 0.05


def test_null_segments_are_called_heterogeneous_as_often_as_said() -> None:
    rng = np.random.default_rng(4)
    p = [
        heterogeneity(effects(rng.normal(0, 1, (6, 25)) + 5, rng.normal(0, 3, (6, 25)) + 5)).p_value
        for _ in range(1500)
    ]
    assert np.mean(np.array(p) < 0.05) == close(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 1500))


@pytest.mark.parametrize(
    ("shift", "margin", "state"),
    [
        (0.0, Margin(-0.03, relative=True), MarginState.MET),
        (-1.0, Margin(-0.03, relative=True), MarginState.VIOLATED),
        (-0.3, Margin(-0.03, relative=True), MarginState.OPEN),
        (0.0, Margin(0.5), MarginState.MET),
        (1.0, Margin(0.5), MarginState.VIOLATED),
        (0.5, Margin(0.5), MarginState.OPEN),
    ],
)
def test_margins(shift: float, margin: Margin, state: MarginState) -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 2, (2, 3000))
    noise -= noise.mean(axis=1, keepdims=True)
    effect = effects(10 + noise[0], 10 + shift + noise[1])
    assert check_margin(effect, margin).state is state


def test_a_relative_margin_is_kept_exactly_when_the_relative_interval_says_so() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        effect = effects(rng.normal(10, 5, 200), rng.normal(10, 5, 200))
        found = check_margin(effect, Margin(-0.1, relative=True))
        assert (found.state is MarginState.MET) == (effect.relative_low > -0.1)


def test_a_fading_effect_has_a_slope() -> None:
    rng = np.random.default_rng(7)
    days = np.arange(10)
    control = rng.normal(10, 2, (10, 400))
    fading = trend(effects(control, rng.normal(10, 2, (10, 400)) + (2 - 0.2 * days)[:, None]), days)
    assert fading.p_value < 1e-6
    assert fading.low < -0.2 < fading.high
    steady = trend(effects(control, rng.normal(11, 2, (10, 400))), days)
    assert steady.p_value > 0.001
    assert trend(effects(control[:2], control[:2] + 1), days[:2]) is None


def test_a_lift_that_is_the_same_in_per_cent_differs_in_units_only() -> None:
    rng = np.random.default_rng(8)
    base = np.array([1.0, 4.0, 9.0])[:, None]
    control = base * rng.gamma(9, 1 / 9, (3, 20_000))
    found = heterogeneity(effects(control, 1.1 * base * rng.gamma(9, 1 / 9, (3, 20_000))))
    assert found.p_value < 1e-6
    assert found.relative_p_value > 0.001

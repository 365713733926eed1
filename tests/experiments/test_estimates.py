"""Estimates agree with scipy, statsmodels and tea-tasting wherever they define the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm
import tea_tasting as tt
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from core.experiments import Aggregates, Cap, Effect, Mean, Metric, Observations, Rate, Ratio, Revenue, aggregate

close = pytest.approx
TIGHT = 1e-8


def learners(rows: int = 4000, seed: int = 0) -> Observations:
    rng = np.random.default_rng(seed)
    new = rng.random(rows) < 0.4
    before = rng.gamma(2, 10, rows)
    revenue = before * rng.gamma(4, 0.25, rows) + 2 * new
    cost = rng.gamma(5, 4, rows)
    return Observations.of(
        np.where(new, "new", "old"),
        {
            "revenue": revenue,
            "before": before,
            "cost": cost,
            "cost_before": cost + rng.normal(0, 3, rows) + 10,
            "done": rng.random(rows) < 0.5 + 0.05 * new,
        },
        {"school": rng.integers(0, 60, rows) * 2 + new},
    )


def effect(observations: Observations, metric: Metric, alpha: float = 0.05, cluster: str | None = None) -> Effect:
    found = aggregate(observations, [metric], cluster=cluster).metrics[metric.name][0]
    old = observations.variant.names.index("old")
    return metric.effect(found[old], found[1 - old], alpha)


def arms(observations: Observations, column: str) -> tuple[np.ndarray, np.ndarray]:
    new = observations.variant.codes == observations.variant.names.index("new")
    return observations.column(column)[~new], observations.column(column)[new]


@settings(max_examples=25, deadline=None)
@given(st.integers(60, 400), st.integers(0, 2**31), st.sampled_from([0.01, 0.05, 0.1]))
def test_means_are_welch_s(rows: int, seed: int, alpha: float) -> None:
    observations = learners(rows, seed)
    old, new = arms(observations, "revenue")
    if min(len(old), len(new)) < 3:
        return
    found = effect(observations, Mean(name="revenue", column="revenue"), alpha)
    expected = stats.ttest_ind(new, old, equal_var=False)
    interval = expected.confidence_interval(1 - alpha)
    assert found.statistic == close(expected.statistic, rel=TIGHT)
    assert found.p_value == close(expected.pvalue, rel=TIGHT)
    assert found.df == close(expected.df, rel=TIGHT)
    assert (found.low, found.high) == close((interval.low, interval.high), rel=TIGHT)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1))
def test_rates_are_the_two_proportion_z(n0: int, n1: int, p0: float, p1: float) -> None:
    x0, x1 = round(p0 * n0), round(p1 * n1)
    observations = Observations.of(["old"] * n0 + ["new"] * n1, {"done": np.r_[np.arange(n0) < x0, np.arange(n1) < x1]})
    found = effect(observations, Rate(name="done", column="done"))
    if 0 < x0 + x1 < n0 + n1:
        statistic, p_value = proportions_ztest([x1, x0], [n1, n0])
        assert found.statistic == close(statistic, rel=TIGHT)
        assert found.p_value == close(p_value, rel=TIGHT)
        assert (found.low <= 0 <= found.high) == (found.p_value >= 0.05)
        if x0:
            assert (found.relative_low <= 1e-12 and found.relative_high >= -1e-12) == (found.p_value >= 0.05)
    else:
        assert np.isnan(found.p_value)
    assert -1 <= found.low <= found.difference <= found.high <= 1


def score(x0: int, n0: int, x1: int, n1: int, delta: float) -> float:
    """Return the score test's z, with the likeliest shares found by search."""

    def unlikely(p: float) -> float:
        return -sum(special.xlogy(x, q) + special.xlogy(n - x, 1 - q) for x, n, q in ((x0, n0, p), (x1, n1, p + delta)))

    bounds = (max(0.0, -delta), min(1.0, 1 - delta))
    p = optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (x1 / n1 - x0 / n0 - delta) / np.sqrt(p * (1 - p) / n0 + (p + delta) * (1 - p - delta) / n1)


@pytest.mark.parametrize(("x0", "n0", "x1", "n1"), [(30, 100, 45, 110), (3, 50, 0, 60), (700, 1000, 720, 900)])
def test_intervals_of_rates_are_the_score_s(x0: int, n0: int, x1: int, n1: int) -> None:
    observations = Observations.of(["old"] * n0 + ["new"] * n1, {"done": np.r_[np.arange(n0) < x0, np.arange(n1) < x1]})
    found = effect(observations, Rate(name="done", column="done"))
    # statsmodels' interval of the difference takes other shares under the null than the likeliest (0.15); ours are.
    for bound, z in ((found.low, 1.959963984540054), (found.high, -1.959963984540054)):
        assert score(x0, n0, x1, n1, float(bound)) == close(z, abs=1e-5)
    ratio = confint_proportions_2indep(x1, n1, x0, n0, method="score", compare="ratio", correction=False)
    assert (found.relative_low + 1, found.relative_high + 1) == close(ratio, rel=1e-8)


TEA = {
    "mean": (Mean(name="m", column="revenue"), tt.Mean("revenue")),
    "mean with covariate": (Mean(name="m", column="revenue", covariate="before"), tt.Mean("revenue", "before")),
    "ratio": (Ratio(name="m", over="revenue", under="cost"), tt.RatioOfMeans("revenue", "cost")),
    "ratio with covariate": (
        Ratio(name="m", over="revenue", under="cost", covariate="before"),
        tt.RatioOfMeans("revenue", "cost", "before"),
    ),
    "rate with covariate": (Rate(name="m", column="done", covariate="before"), tt.Mean("done", "before")),
}


@pytest.mark.parametrize("name", TEA)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_agrees_with_tea_tasting(name: str, alpha: float) -> None:
    observations = learners()
    ours, theirs = TEA[name]
    theirs.confidence_level = 1 - alpha
    table = pa.table(
        {column: observations.column(column) for column in observations.columns}
        | {"variant": observations.variant.codes == observations.variant.names.index("new")}
    )
    expected = tt.Experiment(m=theirs).analyze(table)["m"]
    found = effect(observations, ours, alpha)
    for attribute, other in {
        "control": "control",
        "treatment": "treatment",
        "difference": "effect_size",
        "low": "effect_size_ci_lower",
        "high": "effect_size_ci_upper",
        "relative": "rel_effect_size",
        "p_value": "pvalue",
        "statistic": "statistic",
    }.items():
        assert getattr(found, attribute) == close(getattr(expected, other), rel=TIGHT), attribute
    # Theirs is of the logarithm of the ratio, ours Fieller's; the two meet as learners become many.
    assert found.relative_low == close(expected.rel_effect_size_ci_lower, abs=1e-3)
    assert found.relative_high == close(expected.rel_effect_size_ci_upper, abs=1e-3)


def test_clusters_agree_with_cluster_robust_regression() -> None:
    observations = learners()
    found = effect(observations, Mean(name="m", column="revenue").in_clusters(), cluster="school")
    new = (observations.variant.codes == observations.variant.names.index("new")).astype(float)
    fit = sm.OLS(observations.column("revenue"), sm.add_constant(new)).fit(
        cov_type="cluster", cov_kwds={"groups": observations.labels["school"].codes, "use_correction": False}
    )
    assert found.difference == close(fit.params[1], rel=TIGHT)
    # We divide by clusters less one in each arm, the regression without its correction by clusters.
    uncorrected = found.control_variance * (1 - 1 / found.n_control) + found.treatment_variance * (
        1 - 1 / found.n_treatment
    )
    assert np.sqrt(uncorrected) == close(fit.bse[1], rel=TIGHT)


def test_a_cap_cuts_off_what_lies_above_it() -> None:
    observations = learners()
    old, new = (np.minimum(values, 30) for values in arms(observations, "revenue"))
    found = effect(observations, Revenue(name="m", column="revenue", limit=Cap(30.0)))
    assert found.p_value == close(stats.ttest_ind(new, old, equal_var=False).pvalue, rel=TIGHT)


def test_a_covariate_takes_variance_away_and_says_how_much() -> None:
    observations = learners()
    plain = effect(observations, Mean(name="m", column="revenue"))
    adjusted = effect(observations, Mean(name="m", column="revenue", covariate="before"))
    assert plain.reduction == 0
    assert 0.3 < adjusted.reduction == close(1 - adjusted.variance / plain.variance)


def test_p_is_right_far_out() -> None:
    observations = learners(200_000)
    observations.numbers[0] += 5 * (observations.variant.codes == 0)
    found = effect(observations, Mean(name="m", column="revenue"))
    assert 0 <= found.p_value < 1e-100
    old, new = arms(observations, "revenue")
    assert found.p_value == close(stats.ttest_ind(new, old, equal_var=False).pvalue, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 300), st.integers(0, 2**31))
def test_the_relative_interval_holds_no_effect_exactly_when_the_test_does_not_reject(rows: int, seed: int) -> None:
    found = effect(learners(rows, seed), Mean(name="m", column="revenue"))
    if not np.isnan(found.relative_low):
        assert (found.relative_low <= 0 <= found.relative_high) == (found.p_value >= 0.05)


def test_what_does_not_vary_has_no_p_value() -> None:
    observations = Observations.of(["old", "new"] * 50, {"x": np.ones(100)})
    found = effect(observations, Mean(name="m", column="x"))
    assert found.difference == 0
    assert np.isnan(found.p_value)


@pytest.mark.slow
def test_intervals_cover_what_they_should() -> None:
    rng = np.random.default_rng(7)
    runs, n = 2000, 200
    metric = Ratio(name="roi", over="revenue", under="cost")
    covered = np.zeros(2)
    cost = rng.gamma(4, 1, (2, runs, n))
    revenue = cost * rng.gamma(2, 0.75, (2, runs, n)) * np.array([1, 1.058])[:, None, None]
    both = [
        Aggregates(
            metric.columns,
            *(
                np.stack(
                    [getattr(Aggregates.of(metric.columns, np.c_[r, c]), name) for r, c in zip(rs, cs, strict=True)]
                )
                for name in ("n", "mean", "product")
            ),
        )
        for rs, cs in zip(revenue, cost, strict=True)
    ]
    found = metric.effect(both[0], both[1])
    covered[0] = ((found.low <= 1.5 * 0.058) & (found.high >= 1.5 * 0.058)).mean()
    covered[1] = ((found.relative_low <= 0.058) & (found.relative_high >= 0.058)).mean()
    assert np.abs(covered - 0.95).max() < 3 * np.sqrt(0.95 * 0.05 / runs)


def simulated(values: np.ndarray) -> Aggregates:
    """Return the aggregates of runs of n learners x k columns, shape (runs, n, k)."""
    mean = values.mean(axis=1)
    away = values - mean[:, None]
    return Aggregates(
        tuple("abc"[: values.shape[2]]),
        np.full(len(values), float(values.shape[1])),
        mean,
        np.einsum("rnj,rnk->rjk", away, away),
    )


@pytest.mark.parametrize("kind", ["rate", "mean with covariate", "ratio with covariate"])
def test_true_nulls_are_rejected_as_often_as_said(kind: str) -> None:
    rng = np.random.default_rng(11)
    runs, n = 4000, 150
    level = rng.gamma(3, 1, (2, runs, n))
    columns = {
        "rate": [rng.random((2, runs, n)) < 0.2],
        "mean with covariate": [level + rng.normal(0, 1, level.shape), level],
        "ratio with covariate": [level * rng.gamma(4, 0.5, level.shape), rng.gamma(5, 1, level.shape), level],
    }[kind]
    metric = {
        "rate": Rate(name="m", column="a"),
        "mean with covariate": Mean(name="m", column="a", covariate="b"),
        "ratio with covariate": Ratio(name="m", over="a", under="b", covariate="c"),
    }[kind]
    arms = [simulated(np.stack([column[arm] for column in columns], axis=-1).astype(float)) for arm in (0, 1)]
    found = metric.effect(arms[0], arms[1])
    noise = 3 * np.sqrt(0.05 * 0.95 / runs)
    assert (found.p_value < 0.05).mean() == close(0.05, abs=noise)
    assert ((found.low <= 0) & (found.high >= 0)).mean() == close(0.95, abs=noise)
    assert ((found.relative_low <= 0) & (found.relative_high >= 0)).mean() == close(0.95, abs=noise)

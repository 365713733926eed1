"""Aggregates add, whatever is split from what; the pass over the rows gives what numpy gives cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from core.experiments import OVERALL, Aggregates, Cap, Labels, Mean, Observations, Ratio, Revenue, aggregate, settled

VALUES = st.floats(-1e6, 1e6, allow_subnormal=False)


def same(left: Aggregates, right: Aggregates, scale: float = 1.0) -> None:
    np.testing.assert_array_equal(left.n, right.n)
    np.testing.assert_allclose(left.mean, right.mean, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(left.product, right.product, rtol=1e-8, atol=1e-8 * scale**2)


@given(hn.arrays(float, st.tuples(st.integers(0, 30), st.just(2)), elements=VALUES), st.integers(0, 30))
def test_parts_add_to_the_whole(rows: np.ndarray, at: int) -> None:
    parts = Aggregates.of("ab", rows[:at]) + Aggregates.of("ab", rows[at:])
    same(parts, Aggregates.of("ab", rows), 1 + np.abs(rows).max(initial=0))


@given(hn.arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 5), st.just(2)), elements=VALUES))
def test_totals_and_cumulative_sums_are_additions(rows: np.ndarray) -> None:
    parts = [Aggregates.of("ab", day) for day in rows]
    stacked = Aggregates(
        ("a", "b"), *(np.stack([getattr(part, name) for part in parts]) for name in ("n", "mean", "product"))
    )
    scale = 1 + np.abs(rows).max()
    same(stacked.total(), Aggregates.of("ab", rows.reshape(-1, 2)), scale)
    same(stacked.cumulative()[-1], stacked.total(), scale)


def test_plain_sums_give_the_same() -> None:
    rows = np.random.default_rng(1).normal(3, 2, (200, 3))
    same(Aggregates.from_sums("abc", 200, rows.sum(axis=0), rows.T @ rows), Aggregates.of("abc", rows))


def test_aggregates_of_other_columns_do_not_add() -> None:
    with pytest.raises(ValueError, match="don't add"):
        Aggregates.zeros("ab") + Aggregates.zeros("ac")


def made(rows: int, seed: int = 0, offset: float = 0.0) -> Observations:
    rng = np.random.default_rng(seed)
    before = rng.gamma(2, 10, rows) + offset
    revenue = before + rng.normal(0, 5, rows)
    revenue[rng.random(rows) < 0.1] = np.nan
    labels = {"region": rng.choice(["EU", "US", None], rows), "day": rng.integers(1, 5, rows)}
    return Observations.of(
        rng.choice(["a", "b", "c"], rows),
        {"before": before, "revenue": revenue, "cost": rng.gamma(3, 2, rows) + 1},
        labels,
    )


METRICS = (
    Revenue(name="revenue", column="revenue", covariate="before", limit=Cap(40.0)),
    Ratio(name="roi", over="revenue", under="cost"),
    Mean(name="cost", column="cost"),
)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**31), st.sampled_from([0.0, 1e9]))
def test_each_cell_is_what_numpy_says(rows: int, seed: int, offset: float) -> None:
    observations = made(rows, seed, offset)
    table = aggregate(observations, METRICS, by=["region", "day"])
    for metric in METRICS:
        values = metric.values(observations)
        whole = ~np.isnan(values).any(axis=1)
        for cell, (dimension, level) in enumerate(table.cells):
            here = np.ones(rows, dtype=bool)
            if dimension != OVERALL:
                labels = observations.labels[dimension]
                here = np.array(labels.names)[labels.codes] == level
            for arm, name in enumerate(table.arms):
                mine = here & (np.array(observations.variant.names)[observations.variant.codes] == name)
                assert table.learners[cell, arm] == mine.sum()
                expected = Aggregates.of(metric.columns, values[mine & whole])
                found = table.metrics[metric.name][cell, arm]
                assert found.n == expected.n
                np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
                np.testing.assert_allclose(found.product, expected.product, rtol=1e-7, atol=1e-4)


def test_many_rows_are_added_up_on_all_cores_to_the_same() -> None:
    observations = made(200_000)
    whole, parts = aggregate(observations, METRICS), None
    for first in range(0, 200_000, 50_000):
        rows = np.zeros(200_000, dtype=bool)
        rows[first : first + 50_000] = True
        part = aggregate(observations.where(rows), METRICS)
        parts = part if parts is None else parts + part
    for metric in METRICS:
        same(parts.metrics[metric.name], whole.metrics[metric.name], 30)
        np.testing.assert_allclose(parts.extremes[metric.name], whole.extremes[metric.name])


def test_a_cell_that_lies_far_from_the_rest_loses_no_digits() -> None:
    rng = np.random.default_rng(3)
    far = np.repeat([0.0, 1e9], 500)
    observations = Observations.of(["a"] * 1000, {"x": far + rng.normal(0, 1, 1000)}, {"where": far})
    table = aggregate(observations, [Mean(name="x", column="x")], by=["where"])
    for cell, rows in ((1, slice(0, 500)), (2, slice(500, 1000))):
        found = table.metrics["x"][cell, 0].covariance("x", "x")
        assert found == pytest.approx(observations.column("x")[rows].var(ddof=1), rel=1e-9)


def test_tables_of_other_levels_and_arms_add() -> None:
    metric = Mean(name="x", column="x")
    one = aggregate(Observations.of(["a", "b"], {"x": [1, 2]}, {"region": ["EU", "US"]}), [metric], by=["region"])
    two = aggregate(Observations.of(["b", "c"], {"x": [4, 8]}, {"region": ["US", "Asia"]}), [metric], by=["region"])
    both = one + two
    assert both.arms == ("a", "b", "c")
    assert both.learners[0].tolist() == [1, 2, 1]
    us = both.cells.index(("region", "US"))
    assert both.metrics["x"].mean[us, :, 0].tolist() == [0, 3, 0]
    assert sorted(both.extremes["x"][1, :2]) == [2, 4]


def test_the_farthest_values_are_kept_of_each_arm() -> None:
    values = np.r_[np.linspace(0, 1, 500), 50.0, 70.0, np.linspace(0, 1, 500)]
    observations = Observations.of(["a"] * 502 + ["b"] * 500, {"x": values})
    table = aggregate(observations, [Mean(name="x", column="x")])
    assert table.extremes["x"][0, :2].tolist() == [70, 50]
    assert abs(table.extremes["x"][1]).max() <= 1


def test_a_quantile_becomes_the_value_that_it_has_over_all_arms() -> None:
    observations = Observations.of(["a", "b"] * 50, {"x": np.arange(100.0)})
    (metric,) = settled([Revenue(name="x", column="x", limit=Cap(quantile=0.9))], observations)
    assert metric.cap == Cap(np.quantile(np.arange(100.0), 0.9), 0.9)
    assert metric.values(observations).max() == metric.cap.value


def test_clusters_are_units() -> None:
    rng = np.random.default_rng(5)
    schools = rng.integers(0, 40, 1000)
    observations = Observations.of(
        np.where(schools < 20, "a", "b"),
        {"x": rng.normal(0, 1, 1000)},
        {"school": schools, "sex": rng.integers(0, 2, 1000)},
    )
    metric = Mean(name="x", column="x").in_clusters()
    table = aggregate(observations, [metric], by=["sex"], cluster="school")
    assert table.units[0].tolist() == [20, 20]
    assert table.learners[0].sum() == 1000
    found = table.metrics["x"][0, 0]
    totals = np.array([[observations.column("x")[schools == s].sum(), (schools == s).sum()] for s in range(20)])
    same(found, Aggregates.of(metric.columns, totals), 100)
    assert isinstance(observations.labels["school"], Labels)

"""Re-splits: the compiled sums are those of plain Python, whatever is missing, capped, in levels or in clusters."""

from __future__ import annotations

import numpy as np
import pytest

from core.experiments import Aggregates, Cap, Labels, Mean, Observations, Rate, Ratio, Revenue, settled
from core.experiments.instrument import Resplit, resplit
from core.experiments.instrument.resplit import _GOLDEN, _keys, _mixed

N, SPLITS = 203, 130
METRICS = (
    Ratio(name="roi", over="revenue", under="cost", covariate="before"),
    Revenue(name="capped", column="revenue", limit=Cap(quantile=0.9)),
    Mean(name="score", column="score"),
    Rate(name="done", column="done"),
)


@pytest.fixture
def observations() -> Observations:
    rng = np.random.default_rng(4)
    score = rng.normal(50, 5, N)
    score[rng.random(N) < 0.2] = np.nan
    return Observations.of(
        [""] * N,
        {
            "revenue": rng.lognormal(3, 1, N),
            "cost": rng.lognormal(2, 0.3, N),
            "before": rng.lognormal(3, 1, N),
            "score": score,
            "done": rng.random(N) < 0.7,
        },
        {
            "region": rng.choice(["north", "south", "east"], N),
            "learner": [f"l{i // 3}" for i in range(N)],
            "class": [f"c{i % 17}" for i in range(N)],
        },
    )


def arms_of(keys, splits: int):
    """Return which units are in the second arm of each split, shape (splits, units), in plain Python."""
    found = np.zeros((splits, len(keys)), dtype=bool)
    for word in range(-(-splits // 64)):
        with np.errstate(over="ignore"):
            # The kernel's finisher of key + step, which `_mixed` of seed 0 is, too.
            bits = _mixed(keys + np.uint64((word + 1) * _GOLDEN % 2**64), 0)
        for i in range(min(64, splits - 64 * word)):
            found[64 * word + i] = (bits >> np.uint64(i)) & np.uint64(1)
    return found


def check(found: Resplit, metric, cell: int, values, second) -> None:
    whole = ~np.isnan(values).any(axis=1)
    for split in (0, 1, 63, 64, SPLITS - 1):
        for arm, rows in zip(found.arms[metric.name], (~second[split], second[split]), strict=True):
            wanted = Aggregates.of(metric.columns, values[rows & whole])
            assert arm.n[cell, split] == wanted.n
            assert arm.mean[cell, split] == pytest.approx(wanted.mean, rel=1e-9)
            assert arm.product[cell, split] == pytest.approx(wanted.product, rel=1e-7, abs=1e-6)


def test_the_sums_are_those_of_plain_python(observations):
    metrics = settled(METRICS, observations)
    found = resplit(observations, metrics, splits=SPLITS, by=("region",), seed=3)
    second = arms_of(_mixed(np.arange(N, dtype=np.uint64), 3), SPLITS)
    assert found.cells == (("", ""), ("region", "east"), ("region", "north"), ("region", "south"))
    assert found.units.sum() == 2 * N
    for metric in metrics:
        values = metric.values(observations)
        check(found, metric, 0, values, second)
        for cell, code in ((1, 0), (2, 1), (3, 2)):
            inside = observations.labels["region"].codes == code
            check(found, metric, cell, values[inside], second[:, inside])


def test_rows_of_one_learner_go_together(observations):
    found = resplit(observations, METRICS[3:], splits=SPLITS, unit="learner", seed=0)
    second = arms_of(_keys(observations.labels["learner"], 0), SPLITS)
    check(found, METRICS[3], 0, METRICS[3].values(observations), second)
    codes = observations.labels["learner"].codes
    for split in range(SPLITS):
        for learner in range(5):
            assert len(set(second[split][codes == learner])) == 1


def test_neither_the_order_of_rows_nor_that_of_labels_matters(observations):
    order = np.random.default_rng(0).permutation(N)
    numbers = {name: observations.column(name)[order] for name in observations.columns}
    words = {name: [label.names[code] for code in label.codes[order]] for name, label in observations.labels.items()}
    shuffled = Observations.of([""] * N, numbers, words)
    one, other = (resplit(o, METRICS[3:], splits=SPLITS, unit="learner") for o in (observations, shuffled))
    assert np.array_equal(one.arms["done"][1].n, other.arms["done"][1].n)
    assert one.arms["done"][1].mean == pytest.approx(other.arms["done"][1].mean)


def test_clusters_are_split_as_a_whole(observations):
    metric = Ratio(name="roi", over="revenue", under="cost").in_clusters()
    found = resplit(observations, (metric,), splits=SPLITS, cluster="class", seed=1)
    classes = observations.labels["class"]
    second = arms_of(_keys(Labels(np.arange(len(classes.names), dtype=np.int32), classes.names), 1), SPLITS)
    values = metric.values(observations)
    totals = np.stack([values[classes.codes == code].sum(axis=0) for code in range(len(classes.names))])
    assert found.units[0] == 17
    check(found, metric, 0, totals, second)


def test_the_seed_decides_and_threads_do_not(observations, monkeypatch):
    one, two = (resplit(observations, METRICS[3:], splits=SPLITS, seed=seed) for seed in (5, 6))
    assert not np.array_equal(one.arms["done"][1].n, two.arms["done"][1].n)
    big = Observations.of([""] * 40_000, {"x": np.random.default_rng(0).normal(size=40_000)})
    metric = (Mean(name="x", column="x"),)
    monkeypatch.setattr("core.compiled.cores", lambda: 1)
    alone = resplit(big, metric, splits=64)
    monkeypatch.setattr("core.compiled.cores", lambda: 3)
    several = resplit(big, metric, splits=64)
    assert np.array_equal(alone.arms["x"][1].n, several.arms["x"][1].n)
    assert alone.arms["x"][1].mean == pytest.approx(several.arms["x"][1].mean, rel=1e-9)


def test_halves_are_as_large_as_a_fair_coin_makes_them():
    rows = 20_000
    found = resplit(Observations.of([""] * rows, {"x": np.ones(rows)}), (Mean(name="x", column="x"),), splits=4096)
    z = (found.arms["x"][1].n[0] - rows / 2) / np.sqrt(rows / 4)
    assert abs(z.mean()) < 4 / np.sqrt(4096)
    assert abs((z**2).mean() - 1) < 4 * np.sqrt(2 / 4096)
    # Splits next to each other, of the same hash, have nothing to do with each other.
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / np.sqrt(4096)

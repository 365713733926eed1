from __future__ import annotations

import time

import numpy as np
import pytest
from sqlalchemy import func, select

from core.store import LearnerTotals, add_learner_totals, business_sums, fold_learner_totals, schema
from core.store.business import METRICS


def put(store, totals, phase=1.0):
    with store.transaction() as tx:
        add_learner_totals(tx.connection, "d1", phase, totals)


def get(store, phase=1.0):
    with store.read() as connection:
        return business_sums(connection, "d1", phase)


def fold(store, limit=None):
    with store.transaction() as tx:
        return fold_learner_totals(tx.connection, "d1", 1.0, limit)


def rows(store) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.learner_total))


@pytest.fixture
def figures(store):
    """Return per-learner figures of shape (50, 3), in the order of METRICS, that were put in in three parts."""
    random = np.random.default_rng(1)
    parts = np.stack(
        [random.gamma(1, 2, (3, 50)), random.integers(1, 9, (3, 50)), random.gamma(1, 3, (3, 50))], axis=-1
    )
    for part in parts:
        put(store, [LearnerTotals(f"l{i}", "fast", int(r), y, c) for i, (c, r, y) in enumerate(part)])
    return parts.sum(axis=0)


def check(sums, figures):
    assert sums.learners == len(figures)
    products = figures.T @ figures
    for i, a in enumerate(METRICS):
        assert sums.sums[a] == pytest.approx(figures[:, i].sum())
        for j, b in enumerate(METRICS[i:], start=i):
            assert sums.products[a, b] == pytest.approx(products[i, j])


def test_sums_run_over_learners_not_over_reports(store, figures):
    check(get(store)["fast"], figures)


def test_folding_keeps_the_sums_and_forgets_the_learners(store, figures):
    assert fold(store) == 50
    assert rows(store) == 0
    check(get(store)["fast"], figures)
    assert fold(store) == 0
    check(get(store)["fast"], figures)


def test_folding_in_parts(store, figures):
    done = []
    while n := fold(store, limit=20):
        done.append(n)
        check(get(store)["fast"], figures)
    assert done == [20, 20, 10]


def test_versions_and_phases_are_kept_apart(store):
    put(store, [LearnerTotals("a", "fast", 1, 2.0, 3.0), LearnerTotals("a", "original", 4, 5.0, 6.0)])
    put(store, [LearnerTotals("a", "fast", 9, 9.0, 9.0)], phase=2.0)
    assert {version: sums.sums["requests"] for version, sums in get(store).items()} == {"fast": 1, "original": 4}
    fold(store)
    assert get(store, phase=2.0)["fast"].sums["revenue"] == 9.0
    put(store, [LearnerTotals("b", "fast", 1, 1.0, 1.0)])
    assert get(store)["fast"].learners == 2
    assert get(store, phase=3.0) == {}


def test_one_learner_twice_in_a_report(store):
    put(store, [LearnerTotals("a", "fast", 1, 2.0, 3.0)] * 2)
    sums = get(store)["fast"]
    assert (sums.learners, sums.products["cost", "revenue"]) == (1, 24.0)
    put(store, [])


def test_large_counts_do_not_overflow(store):
    put(store, [LearnerTotals("a", "fast", 2**40, 0.0, 0.0)])
    assert get(store)["fast"].products["requests", "requests"] == 2.0**80


@pytest.mark.sqlite
def test_fifty_thousand_learners_are_summed_quickly(store):
    put(store, [LearnerTotals(f"{i:032x}", "fast", 1, 1.5, 0.5) for i in range(50_000)])
    begun = time.perf_counter()
    assert get(store)["fast"].sums["revenue"] == 75_000.0
    assert time.perf_counter() - begun < 0.5

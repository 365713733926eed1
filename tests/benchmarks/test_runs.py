"""Each benchmark runs, on little; what it measures here is not looked at."""

from pathlib import Path

import pytest

from benchmarks import cache, cohorts_page, experiments, flags, instrument, live, push, rollback, switch, tick
from benchmarks.figures import Row


def _names(rows: list[Row]) -> set[str]:
    return {name for row in rows for name in row.figures}


def test_tick(tmp_path: Path) -> None:
    steady, first = tick.run(tmp_path, spans=12, repeats=2)
    assert steady.figures["count"] == first.figures["count"] == 2
    assert steady.met is not None


def test_switch(tmp_path: Path) -> None:
    for row in switch.run(tmp_path, decisions=2):  # none where there is no HAProxy
        assert row.figures["count"] == 2


def test_cache(tmp_path: Path) -> None:
    rows = cache.run(tmp_path, learners=300, asked=5)
    assert len(rows) in {2, 4}  # the latter where there is a Redis
    assert all(row.figures["count"] == 5 for row in rows)


@pytest.mark.slow
def test_rollback(tmp_path: Path) -> None:
    rows = rollback.run(tmp_path, clicks=2, commands=1)
    assert [row.figures["count"] for row in rows] == [2, 1]
    assert {"confirmed_p50_ms", "from_start_p50_ms"} <= _names(rows)


@pytest.mark.slow
def test_flags_with_dashboards_open(tmp_path: Path) -> None:
    rows = flags.run(tmp_path, seconds=1.0, most_seconds=0.5)
    assert len(rows) == 6
    assert all(row.figures["rate_per_s"] > 0 for row in rows)


@pytest.mark.slow
def test_viewers_see_the_live_page_refresh(tmp_path: Path) -> None:
    *pages, monitor = live.run(tmp_path, viewers=(1, 2), seconds=5.0)
    assert [page.figures["viewers"] for page in pages] == [1, 2]
    assert all(page.figures["count"] >= 2 for page in pages)
    assert monitor.figures["ticks"] >= 1


@pytest.mark.slow
def test_pushed_records(tmp_path: Path) -> None:
    steady, page, most = push.run(tmp_path, seconds=3.0, most_seconds=0.5, rate=200.0, dashboards=1, spans=12)
    assert steady.figures["dropped"] == 0
    assert page.figures["viewers"] == 1
    assert most.figures["rate_per_s"] > 0


def test_experiments_beside_tea_tasting(tmp_path: Path) -> None:
    ours, beside = experiments.run(tmp_path, learners=2000, repeats=2)
    assert ours.figures["count"] == 2
    assert {"tea_tasting_p50_ms", "ratio"} <= _names([beside])


@pytest.mark.slow
def test_the_cohorts_page_is_drawn(tmp_path: Path) -> None:
    [row] = cohorts_page.run(tmp_path, learners=300, servers=1, hits=2)
    if row.measured.startswith("not measured"):
        pytest.skip(row.measured)
    assert 0 < row.figures["fresh_s"] <= row.figures["slowest_s"]


def test_a_a_checks(tmp_path: Path) -> None:
    rows = instrument.run(tmp_path, learners=2000, splits=128)
    assert len(rows) == 2
    assert all(row.figures["seconds"] > 0 for row in rows)

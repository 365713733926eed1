"""The made-up experiment: what is planted is in it, its file says what it is, and intervals hold the truth."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from core.cli import app
from core.demo.coverage import coverage
from core.demo.experiment import (
    PLANTED,
    SEGMENT_NAMES,
    SEGMENTS,
    SIMULATED,
    TREATMENT,
    Planted,
    make_experiment,
    write_experiment,
)

runner = CliRunner()


@pytest.fixture(scope="module")
def table():
    return make_experiment(200_000, 3)


def column(table, name):
    return table[name].to_numpy().astype(float)


def arms(table):
    treated = np.array(table["variant"].to_pylist()) == TREATMENT
    return ~treated, treated


def test_halves_and_segments(table):
    control, treated = arms(table)
    assert control.sum() == treated.sum() == 100_000
    assert len(SEGMENT_NAMES) == 8
    for name in SEGMENT_NAMES:
        assert table[name].null_count == 0
    for name, levels in SEGMENTS.items():
        assert sum(level.share for level in levels.values()) == pytest.approx(1.0)
        found = table[name].combine_chunks().dictionary.to_pylist()
        assert found == list(levels)


def test_what_is_planted_is_found_within_five_standard_errors(table):
    control, treated = arms(table)
    for name, ends in (("completed", PLANTED.completion), ("churned", PLANTED.churn), ("velocity", PLANTED.velocity)):
        for arm, wanted in zip((control, treated), ends, strict=True):
            values = column(table, name)[arm]
            assert abs(values.mean() - wanted) < 5 * values.std() / np.sqrt(values.size), name
    revenue, cost = column(table, "revenue"), column(table, "cost")
    for arm, wanted in ((control, 1.51), (treated, 1.51 * 1.058)):
        ratio = revenue[arm].sum() / cost[arm].sum()
        errors = (revenue[arm] - ratio * cost[arm]) / cost[arm].mean()
        assert abs(ratio - wanted) < 5 * errors.std() / np.sqrt(errors.size)


def test_the_time_before_knows_nothing_of_the_version_and_much_of_the_learner(table):
    control, treated = arms(table)
    before = column(table, "revenue_before")
    assert stats.ttest_ind(before[control], before[treated], equal_var=False).pvalue > 1e-4
    assert 0.6 < np.corrcoef(before, column(table, "revenue"))[0, 1] < 0.9


def test_the_effect_is_stronger_where_it_was_planted(table):
    control, treated = arms(table)
    archetype = np.array(table["archetype"].to_pylist())
    done = column(table, "completed")

    def effect(name):
        inside = archetype == name
        return done[inside & treated].mean() - done[inside & control].mean()

    assert effect("Fast Learner") > effect("Generalist") + 0.02


def beside_average(levels, attribute):
    values = np.array([getattr(level, attribute) for level in levels.values()])
    return values - np.average(values, weights=[level.share for level in levels.values()])


def test_shares_stay_possible():
    """In every combination of segments, in both arms."""
    archetypes = SEGMENTS["archetype"]
    strengths = 1 + beside_average(archetypes, "strength") / np.average(
        [level.strength for level in archetypes.values()], weights=[level.share for level in archetypes.values()]
    )
    for (old, new), attribute in ((PLANTED.completion, "completion"), (PLANTED.churn, "churn")):
        others = [beside_average(levels, attribute) for name, levels in SEGMENTS.items() if name != "archetype"]
        for own, strength in zip(beside_average(archetypes, attribute), strengths, strict=True):
            for share in (old, old + (new - old) * strength):
                assert share + own + sum(map(min, others)) > 0
                assert share + own + sum(map(max, others)) < 1


def test_the_same_seed_gives_the_same_learners():
    assert make_experiment(500, 5).equals(make_experiment(500, 5))
    assert not make_experiment(500, 5).equals(make_experiment(500, 6))


def test_the_file_says_that_it_is_simulated(tmp_path, table):
    write_experiment(tmp_path / "e.parquet", table)
    metadata = pq.read_schema(tmp_path / "e.parquet").metadata
    assert metadata[b"simulated"].decode() == SIMULATED
    assert json.loads(metadata[b"planted"])["roi"] == 0.058
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.parquet"]


def test_the_command(tmp_path):
    path = tmp_path / "e.parquet"
    done = runner.invoke(app, ["demo-experiment", "--out", str(path), "--learners", "1000"])
    assert done.exit_code == 0
    assert "1,000 simulated learners" in done.stdout
    assert "completion 75 to 82 %" in done.stdout
    none = runner.invoke(app, ["demo-experiment", "--out", str(path), "--learners", "1000", "--no-effect", "--json"])
    assert json.loads(none.stdout)["planted"]["roi"] == 0.0
    lost = runner.invoke(app, ["demo-experiment", "--out", str(tmp_path / "no" / "e.parquet")])
    assert lost.exit_code == 1
    assert "there is no folder" in lost.stderr


def test_intervals_hold_the_truth_as_often_as_they_say():
    """1,000 experiments of 500 learners, eight estimators; the exact interval of each coverage must hold 95 %."""
    for row in coverage(1000, 500, seed=2):
        assert row.replications == 1000
        assert row.low <= 0.95 <= row.high, row
        assert abs(row.bias[0]) < 4 * row.bias[1], row


class Lying(Planted):
    """Plants one effect and claims another."""

    @property
    def effects(self):
        return {**super().effects, "completion": 0.05}


def test_a_wrong_truth_is_noticed():
    found = {row.metric: row for row in coverage(300, 4000, planted=Lying())}
    assert found["completion"].high < 0.9
    assert found["churn"].low <= 0.95 <= found["churn"].high

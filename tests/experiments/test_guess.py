"""Roles of columns are guessed from names and first rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.experiments import DataError, MetricGuess, declare, guess_roles, likely_control
from tests.experiments.making import learners, saved


def test_a_usual_experiment(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet"):
        found = guess_roles([saved(learners(500), tmp_path / name)])
        assert (found.variant, found.control, found.day, found.learner) == ("version", "old", "day", "learner")
        assert found.segments == ("region",)
        assert [metric.written for metric in found.metrics] == [
            "roi=roi(revenue, cost)",
            "revenue=mean(revenue)",
            "cost=mean(cost)",
            "completed=rate(completed)",
        ]
        assert [metric.lower_is_better for metric in found.metrics] == [False, False, True, False]
        declare([metric.written for metric in found.metrics])


def test_what_came_before_predicts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("arm,revenue_before,revenue\ncontrol,1.5,2\ntest,2.5,4\ncontrol,7,8.5\n")
    found = guess_roles([path])
    assert (found.variant, found.control) == ("arm", "control")
    assert found.metrics == (MetricGuess("revenue", "mean", "revenue", "", "revenue_before"),)


def test_words_may_be_outcomes(shared_data: Path) -> None:
    found = guess_roles([shared_data / "oulad" / "students_outcomes.parquet"])
    assert found.variant == ""
    assert found.learner == "learner_id"
    assert "final_result" not in found.segments
    assert {"region", "age_band", "imd_band", "highest_education"} <= set(found.segments)
    good, bad = (metric for metric in found.metrics if metric.column == "final_result")
    assert good.written == "final_result Pass/Distinction=rate(final_result=Pass|Distinction)"
    assert bad.lower_is_better
    declare([good.written, bad.written])


def test_the_old_version_is_told_by_its_name_or_by_most_learners() -> None:
    assert likely_control(["fast", "original"]) == "original"
    assert likely_control(["x", "y"]) == "x"
    assert likely_control([]) == ""


def test_nothing_to_guess_from(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="holds no rows"):
        guess_roles([tmp_path / "a.csv"])

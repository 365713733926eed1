"""`canary experiment` and `canary power`, as people and scripts call them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest
from typer.testing import CliRunner

from core.cli import app
from tests.experiments.making import learners, saved

METRICS = ["--metric", "spend=mean(revenue)", "--metric", "roi=roi(revenue, cost)", "--metric", "done=rate(completed)"]


def run(*arguments: str | Path, command: str = "experiment") -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [command, *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


def ask(path: Path, *more: str, metrics: list[str] = METRICS) -> tuple[int, dict, str]:
    code, told, said = run(path, "--variant", "version", "--control", "old", *metrics, *more, "--json")
    return code, json.loads(told) if told else {}, said


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return saved(learners(), tmp_path / "learners.parquet")


def test_json_is_as_documented_and_right(made: Path) -> None:
    code, document, said = ask(made, "--segment", "region", "--covariate", "spend=before")
    assert code == 0, said
    table = learners()
    old, new = (table.filter(pa.compute.equal(table["version"], arm)) for arm in ("old", "new"))
    assert {arm: found["n"] for arm, found in document["arms"].items()} == {"new": len(new), "old": len(old)}
    spend = document["arms"]["old"]["spend"]
    assert spend["value"] == pytest.approx(np.mean(old["revenue"]))
    assert spend["se"] == pytest.approx(stats.sem(old["revenue"]))
    assert (spend["n"], spend["missing"]) == (len(old), 0)
    assert document["srm"]["ok"]
    assert document["srm"]["p_value"] == pytest.approx(stats.chisquare([len(old), len(new)]).pvalue)
    found = {metric["name"]: metric for metric in document["metrics"]}
    assert list(found) == ["spend", "roi", "done"]
    assert found["roi"]["control"] == pytest.approx(np.sum(old["revenue"]) / np.sum(old["cost"]))
    done = [np.sum(arm["completed"]) for arm in (new, old)]
    z, p = proportions_ztest(done, [len(new), len(old)])
    assert (found["done"]["statistic"], found["done"]["p_value"]) == pytest.approx((z, p), rel=1e-8)
    assert found["spend"]["method"] == "Welch, CUPED"
    assert found["spend"]["variance_reduction"] > 0.5
    for metric in document["metrics"]:
        assert {"difference", "ci", "relative", "relative_ci", "p_adjusted", "mde"} <= set(metric)
        assert metric["ci"][0] < metric["difference"] < metric["ci"][1]
        assert metric["p_adjusted"] >= metric["p_value"]
    assert len(document["segments"]) == 6
    assert [row["segment"] for row in document["heterogeneity"]] == ["region"] * 3
    assert document["rejected"]["rows"] == 0


def test_segments_that_differ_are_found(tmp_path: Path) -> None:
    path = saved(learners(20_000), tmp_path / "a.parquet")
    _, document, _ = ask(path, "--segment", "region", "--covariate", "spend=before")
    spend, roi, done = document["heterogeneity"]
    assert spend["state"] == "heterogeneous"
    assert spend["p_adjusted"] < 0.001
    assert done["state"] != "heterogeneous"
    levels = {row["level"]: row["relative"] for row in document["segments"] if row["name"] == "spend"}
    assert levels == pytest.approx({"EU": 0.1, "US": 0.2}, abs=0.03)
    assert roi["levels"] == 2


def test_people_get_sentences(made: Path) -> None:
    code, told, said = run(
        made, "--variant", "version", "--control", "old", *METRICS, "--segment", "region", "--day", "day"
    )
    assert code == 0, said
    assert "as planned" in told
    assert "spend of new is +" in told
    assert ": better" in told
    assert "spend of new by region" in told


def test_no_effect_is_shown_when_the_split_is_not_as_planned(tmp_path: Path) -> None:
    path = saved(learners(share=0.44), tmp_path / "a.csv")
    code, document, _ = ask(path)
    assert code == 1
    assert not document["srm"]["ok"]
    assert document["metrics"] == document["segments"] == []
    assert list(document["arms"]["new"]) == ["n"]
    assert "not split as planned" in document["warnings"][0]
    code, document, _ = ask(path, "--ignore-srm")
    assert code == 0
    assert len(document["metrics"]) == 3
    assert ask(path, "--expected", "0.44")[0] == 0
    assert ask(path, "--expected", "old=56,new=44")[0] == 0
    assert ask(path, "--expected", "most")[0] == 2


def test_several_treatments_are_each_compared(tmp_path: Path) -> None:
    table = learners(6000)
    arms = np.array(table["version"].to_pylist(), dtype=object)
    arms[::3] = "third"
    table = table.set_column(1, "version", pa.array(arms))
    path = saved(table, tmp_path / "a.parquet")
    code, document, said = ask(path, "--expected", "old=1,new=1,third=1")
    assert code == 0, said
    assert [(m["name"], m["variant"]) for m in document["metrics"]][:3] == [
        ("spend", "new"),
        ("roi", "new"),
        ("done", "new"),
    ]
    assert len(document["metrics"]) == 6


def test_margins_decide_the_exit_code(made: Path) -> None:
    code, document, _ = ask(made, "--margin", "spend=-3%")
    assert (code, document["metrics"][0]["margin"]["state"]) == (0, "met")
    code, document, _ = ask(made, "--margin", "done=+1%")
    assert (code, document["metrics"][2]["margin"]["state"]) == (1, "violated")


def test_learners_in_two_versions_are_left_out_and_told(tmp_path: Path) -> None:
    table = pa.concat_tables([learners(), learners(200, seed=1)])
    path = saved(table, tmp_path / "a.parquet")
    code, document, _ = ask(path, "--learner", "learner")
    assert code == 0
    told = " ".join(document["warnings"])
    assert "were in more than one version" in told
    assert "the learner is the unit" in told
    assert document["metrics"][0]["method"] == "delta method, clusters as units"


def test_doubts_are_told(tmp_path: Path) -> None:
    table = learners(1200)
    revenue = np.array(table["revenue"]).copy()
    revenue[np.flatnonzero(np.array(table["version"]) == "new")[:3]] = 1e5
    completed = np.array([None if i % 2 and v == "new" else 1 for i, v in enumerate(table["version"].to_pylist())])
    table = table.set_column(table.column_names.index("revenue"), "revenue", pa.array(revenue))
    table = table.append_column("flat", pa.array(np.ones(1200))).append_column("gaps", pa.array(completed.tolist()))
    path = saved(table, tmp_path / "a.parquet")
    metrics = ["--metric", "spend=mean(revenue)", "--metric", "flat=mean(flat)", "--metric", "gaps=mean(gaps)"]
    code, document, _ = ask(path, metrics=metrics)
    told = " ".join(document["warnings"])
    assert code == 0
    assert "few learners carry the result" in told
    assert "flat: is 1 for every learner" in told
    assert "gaps: more is missing in one arm than in the other" in told
    assert next(m for m in document["metrics"] if m["name"] == "flat")["p_value"] is None
    code, document, _ = ask(path, metrics=["--metric", "spend=revenue(revenue, cap=99%)"])
    assert "(the 99 % quantile) were set to it" in " ".join(document["warnings"])
    assert "carry the result" not in " ".join(document["warnings"])


def test_tiny_arms_and_segments(tmp_path: Path) -> None:
    path = saved(learners(150), tmp_path / "a.csv")
    code, document, _ = ask(path, "--segment", "region")
    assert code == 0
    assert "only; below 100 of them" in " ".join(document["warnings"])
    assert all(row["suppressed"] and "difference" not in row for row in document["segments"])
    assert {row["state"] for row in document["heterogeneity"]} == {"not enough data"}


def test_a_tiny_p_is_never_zero(tmp_path: Path) -> None:
    rows = 20_000
    table = pa.table(
        {"version": ["old", "new"] * (rows // 2), "x": np.arange(rows) % 2 * 1.0 + np.arange(rows) % 7 * 0.01}
    )
    _, document, _ = ask(saved(table, tmp_path / "a.parquet"), metrics=["--metric", "x=mean(x)"])
    assert document["metrics"][0]["p_value"] == "< 1e-300"
    code, told, _ = run(tmp_path / "a.parquet", "--variant", "version", "--control", "old", "--metric", "x=mean(x)")
    assert code == 0
    assert "p < 1e-300" in told
    assert "0.0000" not in told


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["--variant", "version", "--control", "older", *METRICS],
            1,
            "no learner has the version 'older'; the versions are",
        ),
        (["--variant", "arm", "--control", "old", *METRICS], 1, "no column 'arm'; the columns are learner, version"),
        (["--variant", "version", "--control", "old", "--metric", "x=sum(revenue)"], 2, "there is no kind 'sum'"),
        (["--variant", "version", "--control", "old", *METRICS, "--where", "region"], 2, "expected COLUMN=VALUE"),
    ],
)
def test_errors_are_for_people(made: Path, arguments: list[str], code: int, told: str) -> None:
    found, _, said = run(made, *arguments)
    assert found == code
    assert told in said
    assert "Traceback" not in said


def test_real_learners(shared_data: Path) -> None:
    path = shared_data / "oulad" / "students_outcomes.parquet"
    arguments = ["--variant", "gender", "--control", "M", "--metric", "passed=rate(final_result=Pass|Distinction)"]
    code, told, _ = run(path, *arguments, "--segment", "age_band", "--not-randomised", "--json")
    assert code == 0
    document = json.loads(told)
    assert document["randomised"] is False
    assert "not randomised" in document["decision"][0]
    assert sum(arm["n"] for arm in document["arms"].values()) == 32593


def test_power_from_data_and_from_numbers(made: Path) -> None:
    code, told, _ = run(made, "--metric", "done=rate(completed)", "--effect", "5%", "--json", command="power")
    assert code == 0
    (found,) = json.loads(told)["metrics"]
    assert found["learners"] == 4000
    assert found["baseline"] == pytest.approx(0.65, abs=0.03)
    code, told, _ = run(
        "--baseline", "done=rate 0.75", "--effect", "2%", "--per-day", "1000", "--json", command="power"
    )
    (found,) = json.loads(told)["metrics"]
    assert found["learners_needed"] == pytest.approx(25_700, rel=0.02)
    assert found["days"] == -(-found["learners_needed"] // 1000)
    code, told, _ = run("--baseline", "spend=mean 12 sd 30", "--learners", "50000", command="power")
    assert code == 0
    assert "spend" in told
    for wrong in (["--baseline", "done=rate 7"], ["--baseline", "x"], [], ["--baseline", "0.5", "--effect", "big"]):
        assert run(*wrong, command="power")[0] == 2


def test_arms_without_values_and_ratios_without_denominators(tmp_path: Path) -> None:
    rows = ["version,x,y,d"] + [f"old,{i % 7},{i % 2},0\nnew,,,0" for i in range(200)]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    metrics = ["--metric", "x=mean(x)", "--metric", "y=rate(y)", "--metric", "r=ratio(d, d)"]
    code, document, said = ask(tmp_path / "a.csv", metrics=metrics)
    assert code == 0, said
    assert [m["p_value"] for m in document["metrics"]] == [None, None, None]
    assert document["arms"]["old"]["y"]["value"] == 0.5
    told = " ".join(document["warnings"])
    assert "x: there is no value in an arm" in told
    assert "r: the total of d is zero in an arm" in told


def test_words_that_look_like_nothing_are_words(tmp_path: Path) -> None:
    rows = ["version,x"] + [f"{'none' if i % 2 else 'NA'},{i % 7}" for i in range(400)]
    (tmp_path / "a.csv").write_text("\ufeff\n" + "\r\n".join(rows))
    code, told, _ = run(
        tmp_path / "a.csv", "--variant", "version", "--control", "none", "--metric", "x=mean(x)", "--json"
    )
    assert code == 0
    assert {arm: found["n"] for arm, found in json.loads(told)["arms"].items()} == {"NA": 200, "none": 200}

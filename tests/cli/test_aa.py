"""`canary aa` as people script it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli import app
from core.demo.experiment import NOTHING, PLANTED, make_experiment, write_experiment
from tests.web.deployments import rollout

runner = CliRunner()
REAL = ["--variant", "variant", "--control", "original", "--drift", "0.01"]
METRICS = ["--metric", "ROI=roi(revenue,cost)", "--metric", "completion=rate(completed)"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aa")
    for name, planted in (("same", NOTHING), ("effect", PLANTED)):
        write_experiment(folder / f"{name}.parquet", make_experiment(100_000, 5, planted))
    return folder


def run(*arguments: str):
    return runner.invoke(app, ["aa", *arguments])


def test_a_fit_instrument(files):
    done = run(str(files / "same.parquet"), *METRICS, *REAL)
    assert done.exit_code == 0, done.output
    assert "Fit for use: " in done.stdout
    assert "100,000 learners, split 1,000 times" in done.stdout


def test_json(files):
    more = ["--segment", "region", "--splits", "200", "--drift", "5%", "--effect", "5 %", "--json"]
    done = run(str(files / "same.parquet"), *METRICS, *more)
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert document["fit"] is True
    assert document["splits"] == 200
    assert len(document["drift"]["cells"]) == 2 * 5


def test_an_unfit_one_ends_with_1(files):
    done = run(str(files / "effect.parquet"), *METRICS, *REAL)
    assert done.exit_code == 1
    assert "Not fit for use: " in done.stdout
    assert "differs between arms that had the same" in done.stdout


def test_wrong_usage_and_missing_columns(files):
    assert run(str(files / "same.parquet"), *METRICS, "--variant", "variant").exit_code == 2
    assert run(str(files / "same.parquet"), "--metric", "x=nonsense(a)").exit_code == 2
    wrong = run(str(files / "same.parquet"), *METRICS, "--effect", "much")
    assert (wrong.exit_code, "expected a share such as 2%" in wrong.stderr) == (2, True)
    missing = run(str(files / "same.parquet"), "--metric", "x=mean(nothing)")
    assert missing.exit_code == 1
    assert "no column 'nothing'" in missing.stderr


def test_recorded_requests_of_a_deployment(files, home):
    with rollout(home) as made:
        made.go_on(20)
        id_ = made.id
    done = run(str(files / "same.parquet"), *METRICS, "--drift", "0.01", "--requests-of", id_, "--json")
    found = json.loads(done.stdout)["requests"]
    assert found["looks"] > 20
    assert found["split"]["value"] < 0.1  # these samples are split more evenly than by chance
    unknown = run(str(files / "same.parquet"), *METRICS, "--requests-of", "nothing")
    assert unknown.exit_code == 1
    assert f"known: {id_}" in unknown.stderr

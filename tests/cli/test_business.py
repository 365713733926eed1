"""`canary business-case` as people script it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli import app

runner = CliRunner()


@pytest.fixture
def inputs(root: Path) -> str:
    return str(root / "data" / "business" / "first-user.yaml")


def test_the_first_users_inputs(inputs):
    done = runner.invoke(app, ["business-case", inputs])
    assert done.exit_code == 0
    assert "$52.2 M" in done.stdout
    assert "1.08 days" in done.stdout
    assert "0.9 days" in done.stdout
    assert "reported" in done.stdout


def test_json_is_one_document(inputs):
    done = runner.invoke(app, ["business-case", inputs, "--json"])
    document = json.loads(done.stdout)
    assert document["measures"]["annual_benefit"]["value"] == pytest.approx(72.6e6)
    assert document["measures"]["payback_days"]["value"] == pytest.approx(1.0809, abs=1e-4)
    assert document["reported"]["payback_days"] == 0.9
    assert document["tornado"]["annual_benefit"][0]["input"] == "learners"


def test_mistakes_end_with_1_and_their_place(tmp_path):
    (tmp_path / "c.yaml").write_text("name: x\nlearners: many\nrevenue: 10\nlift: 5 %\n")
    done = runner.invoke(app, ["business-case", str(tmp_path / "c.yaml")])
    assert done.exit_code == 1
    assert 'c.yaml:2:11: learners: "many" — expected a number' in done.stderr
    document = json.loads(runner.invoke(app, ["business-case", str(tmp_path / "c.yaml"), "--json"]).stdout)
    assert document["problems"][0]["line"] == 2


def test_the_lift_of_an_experiment(inputs, tmp_path):
    result = tmp_path / "r.json"
    result.write_text(
        json.dumps(
            {"metrics": [{"name": "ROI", "relative": 0.05, "relative_ci": [0.04, 0.06]}], "simulated": "made up"}
        )
    )
    done = runner.invoke(app, ["business-case", inputs, "--lift-from", str(result), "--metric", "ROI"])
    assert done.exit_code == 0
    assert "simulated: made up" in done.stderr
    assert "The lift is that of experiment r.json, metric ROI" in done.stdout
    assert runner.invoke(app, ["business-case", inputs, "--lift-from", str(result)]).exit_code == 2
    missing = runner.invoke(app, ["business-case", inputs, "--lift-from", str(result), "--metric", "roi"])
    assert missing.exit_code == 1
    assert "expected one of ROI" in missing.stderr

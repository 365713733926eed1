"""Backup, restore and drills as typed: what is printed, what is asked, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.delivery.acting import PLAN_TEXT


@pytest.fixture
def deployed(run: Run, tmp_path: Path) -> str:
    (tmp_path / "plan.yaml").write_text(PLAN_TEXT)
    made = run("deploy", str(tmp_path / "plan.yaml"), "--reason", "try", "--json")
    return str(json.loads(made.stdout)["status"]["id"])


def test_there_and_back(run: Run, deployed: str, home: Path) -> None:
    document = json.loads(run("backup", "--json").stdout)
    path = Path(document["file"])
    assert path.parent == home / "backups"
    assert (document["format"], document["events"], document["secrets"]) == ("cohort-canary backup", 3, False)
    assert "whole" in run("backup", "--check", str(path)).stdout
    run("hold", "--reason", "after the backup")
    assert "--replace" in run("restore", str(path), "--yes", code=1).stderr
    back = json.loads(run("restore", str(path), "--yes", "--replace", "--json").stdout)
    assert back["restored"] is True
    assert back["rolled_back"] == [deployed]
    assert Path(back["aside"], "canary.sqlite").is_file()
    status = json.loads(run("status", "--json").stdout)
    assert (status["state"], status["share"]) == ("rolled back", 0.0)
    assert "the log is whole" in run("log", "--verify").stdout


def test_traffic_stays_only_if_asked_to(run: Run, deployed: str) -> None:
    path = json.loads(run("backup", "--json").stdout)["file"]
    run("restore", path, "--yes", "--replace", "--keep-traffic")
    assert json.loads(run("status", "--json").stdout)["share"] == 0.01


def test_nobody_to_ask_is_a_no(run: Run, deployed: str) -> None:
    path = json.loads(run("backup", "--json").stdout)["file"]
    assert "--yes" in run("restore", path, "--replace", code=2).stderr
    assert json.loads(run("status", "--json").stdout)["share"] == 0.01


def test_what_is_no_backup_is_said_in_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello")
    assert "no backup" in run("restore", str(tmp_path / "x"), "--yes", code=1).stderr
    assert "No such file" in run("backup", "--check", str(tmp_path / "y"), code=1).stderr


def test_drills_are_measured_and_listed(run: Run, deployed: str) -> None:
    assert "no drills yet" in run("drill", "history").stdout
    assert json.loads(run("drill", "rollback", "--json").stdout)["ok"] is True
    assert json.loads(run("drill", "restore", "--json").stdout)["ok"] is True
    kinds = [drill["kind"] for drill in json.loads(run("drill", "history", "--json").stdout)]
    assert kinds == ["restore drilled", "rollback drilled"]
    assert "ok" in run("drill", "history").stdout
    # A drill's deployment is nobody's: commands without an id go on meaning the one that is under way.
    assert json.loads(run("status", "--json").stdout)["id"] == deployed

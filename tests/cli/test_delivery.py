"""The command line on deployments and the log: what it acts on, exit codes, no traceback for what a user types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from core.settings import get_settings
from core.store import Store
from core.traffic import FlagService
from tests.cli.conftest import Run
from tests.delivery.acting import PLAN_TEXT


@pytest.fixture
def plan_file(tmp_path: Path) -> str:
    path = tmp_path / "short.yaml"
    path.write_text(PLAN_TEXT)
    return str(path)


def answer(result: Result) -> Any:
    return json.loads(result.stdout)


def serves() -> float:
    at = get_settings()
    store = Store.open(at.url, at.home)
    try:
        return FlagService(store).get("analyzer").share
    finally:
        store.close()


@pytest.fixture
def completed(run: Run, plan_file: str) -> str:
    """Return the id of a deployment whose candidate has all the traffic."""
    deployment: str = answer(run("deploy", plan_file, "--json"))["status"]["id"]
    for _ in range(3):
        run("advance", "--reason", "go on")
    assert serves() == 1.0
    return deployment


def test_a_rollback_is_done_once_and_safe_to_repeat(run: Run, plan_file: str) -> None:
    run("deploy", plan_file)
    assert answer(run("rollback", "--reason", "it hurts", "--json"))["done"]
    again = answer(run("rollback", "--reason", "it hurts", "--json"))
    assert (again["done"], again["already"]) == (False, True)
    assert serves() == 0.0
    run("rollback", "--reason", " ", code=2)
    run("rollback", "--deployment", "nobody", "--reason", "x", code=1)


@pytest.mark.parametrize("then", [(), ("abort", "--reason", "not this one")], ids=["a draft", "an aborted draft"])
def test_a_rollback_takes_back_what_serves_whatever_was_drafted_since(
    run: Run, plan_file: str, completed: str, then: tuple[str, ...]
) -> None:
    draft = answer(run("deploy", plan_file, "--draft", "--json"))["status"]["id"]
    if then:
        run(*then)
        assert answer(run("status", "--json"))["id"] == completed
        refused = run("rollback", "--deployment", draft, "--reason", "it hurts", code=1)
        assert "never moved any traffic" in refused.output
    else:
        assert "has not moved any traffic" in run("status").output
    done = answer(run("rollback", "--reason", "it hurts", "--json"))
    assert (done["done"], done["status"]["id"], done["switched"]) == (True, completed, True)
    assert serves() == 0.0


def test_a_second_rollback_does_not_take_back_the_release_before(run: Run, plan_file: str, completed: str) -> None:
    run("deploy", plan_file)
    run("rollback", "--reason", "it hurts")
    again = answer(run("rollback", "--reason", "it hurts", "--json"))
    assert again["already"]
    assert again["status"]["id"] != completed


def test_a_phase_is_not_extended_beyond_all_bounds(run: Run, plan_file: str) -> None:
    run("deploy", plan_file)
    run("hold", "--reason", "wait")
    for minutes in ("inf", "1e300", "1e7"):
        assert "366 d at most" in run("resume", "--reason", "x", "--extend-min", minutes, code=1).output
    run("resume", "--reason", "x", "--extend-min", "30")


@pytest.mark.parametrize("arguments", [("--export", "no/such/folder/log"), ("--import", "no-such-file")])
def test_a_file_that_cannot_be_used_is_said(run: Run, arguments: tuple[str, str]) -> None:
    assert "No such file or directory" in run("log", *arguments, code=1).output


@pytest.mark.parametrize("arguments", [("log", "--last", "9" * 20), ("plan", "check", "x", "--requests-per-s", "inf")])
def test_a_number_beyond_all_bounds_is_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    run(*arguments, code=2)


@pytest.mark.parametrize("command", ["demo", "serve", "api", "monitor", "status"])
def test_a_setting_that_is_wrong_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("CANARY_PORT", "abc")
    get_settings.cache_clear()
    assert "port: Input should be a valid integer" in run(command, code=2).output


def test_switch_says_what_was_decided_and_what_is(run: Run, plan_file: str) -> None:
    assert "every learner gets the baseline" in run("switch").output
    run("deploy", plan_file)
    assert "analyzer: 1 % of the learners, as decided" in run("switch").output
    told = answer(run("switch", "--json"))
    assert (told["switch"], told["flags"][0]["decided"], told["flags"][0]["share"]) == ("the flag service", 0.01, 0.01)
    assert "--restore needs --reason" in run("switch", "--restore", code=2).output
    run("switch", "--restore", "--reason", "to be sure")
    log = answer(run("log", "--json"))
    assert [event["kind"] for event in log][-2:] == ["switch set anew", "traffic switched"]
    assert "no deployment of flag 'x' has begun; known: analyzer" in run("switch", "--flag", "x", code=1).output


def test_a_switch_that_is_not_there_ends_with_one(
    run: Run, plan_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("deploy", plan_file)
    (tmp_path / "canary.map").write_text("analyzer 1\n")
    monkeypatch.setenv("CANARY_SWITCH", "haproxy")
    get_settings.cache_clear()
    assert "haproxy_sockets must name at least one" in run("status", code=2).output
    monkeypatch.setenv("CANARY_HAPROXY_SOCKETS", '["here"]')
    get_settings.cache_clear()
    assert "haproxy_sockets: 'here' is neither" in run("status", code=2).output
    monkeypatch.setenv("CANARY_HAPROXY_SOCKETS", f'["{tmp_path}/gone.sock"]')
    monkeypatch.setenv("CANARY_HAPROXY_MAP", str(tmp_path / "canary.map"))
    get_settings.cache_clear()
    assert "can't be reached: No such file" in run("switch", code=1).output
    said = run("rollback", "--reason", "it hurts", code=1).output
    assert "decided and recorded, but the traffic switch has not confirmed it yet (HAProxy at" in said
    assert serves() == 0.0
    assert (tmp_path / "canary.map").read_text() == "analyzer 0\n"

"""`canary token` and `canary people`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli.root import app
from core.settings import get_settings


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CANARY_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield lambda *words: CliRunner().invoke(app, list(words))
    get_settings.cache_clear()


def test_a_token_is_made_listed_and_revoked(run: Any) -> None:
    made = run("token", "create", "--name", "ci", "--scope", "read", "--scope", "push", "--expires", "12h", "--json")
    assert made.exit_code == 0, made.output
    token = json.loads(made.stdout)
    assert token["token"].startswith("canary_")
    assert token["scopes"] == ["push", "read"]
    listed = run("token", "list", "--json")
    assert json.loads(listed.stdout)["tokens"][0]["state"] == "active"
    assert token["token"] not in listed.stdout + run("token", "list").stdout
    assert run("token", "revoke", "ci").exit_code == 0
    assert json.loads(run("token", "list", "--json").stdout)["tokens"][0]["state"] == "revoked"
    assert run("token", "revoke", "nothing").exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "ci", "--scope", "read", "--expires", "soon"),
        ("--name", "ci", "--scope", "approve"),
        ("--name", "ci", "--scope", "all"),
        ("--name", "ci"),
    ],
)
def test_wrong_usage(run: Any, words: tuple[str, ...]) -> None:
    assert run("token", "create", *words).exit_code == 2


def test_a_file_of_people_is_checked(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text("roles:\n  lead: [a@b.c]\nseats:\n  finance: a@b.c\n")
    told = run("people", "check", str(path))
    assert told.exit_code == 0
    assert "seat finance: a@b.c" in told.output
    path.write_text("roles:\n  laed: [a@b.c]\n")
    told = run("people", "check", str(path))
    assert told.exit_code == 1
    assert f'{path}:2:3: roles.laed: "laed" — expected one of' in told.output.replace("\n", "")
    assert run("people", "check", str(tmp_path / "none.yaml")).exit_code == 1
    assert run("people", "check").exit_code == 2

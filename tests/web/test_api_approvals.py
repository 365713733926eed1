"""Signing off over HTTP: the seat comes from whose token it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.identity import TokenScope, create_token
from core.settings import Settings
from core.store import events
from tests.web.conftest import Api, serving
from tests.web.deployments import rollout

PEOPLE = """
roles: {lead: [lea@example.com, omar@example.com], on-call: [otto@example.com]}
seats: {engineering: lea@example.com, operations: [omar@example.com, lea@example.com]}
"""
PLAN = """
name: signed
flag: signed
baseline: original
candidate: fast
simulated: learners are made up
skip_gaps: true
triggers:
  - error_rate > 1.5 % for 2 min
phases:
  - name: canary
    traffic: 1 %
    lasts: 30 min
    criteria: [error_rate < 1 %]
    sign_off: {seats: [engineering, operations, product], quorum: 2}
  - name: ramp
    traffic: 10 %
    lasts: 4 h
    criteria: [error_rate < 0.5 %]
"""


@pytest.fixture
def gate(home: Path) -> Iterator[tuple[Api, str]]:
    people = home / "people.yaml"
    people.write_text(PEOPLE)
    with rollout(home, text=PLAN) as made:
        made.go_on(31)
        with serving(Settings(home=home, people=people)) as api:
            yield api, made.id


def token(api: Api, owner: str, *scopes: TokenScope) -> dict[str, str]:
    with api.store.transaction() as tx:
        _, secret = create_token(
            tx,
            name=f"t{time.monotonic_ns()}",
            scopes=scopes or [TokenScope.APPROVE],
            owner=owner,
            by="test",
            lasts_s=600.0,
            now=time.time(),
        )
    return {"Authorization": f"Bearer {secret}"}


def say(api: Api, deployment: str, headers: dict[str, str], **body: Any) -> Any:
    shown = api.get(f"/api/v1/deployments/{deployment}/approvals").json()
    given = {"decision": "go", "comment": "well", "gate": shown["gate"]} | body
    return api.post(f"/api/v1/deployments/{deployment}/approvals", None, given, headers=headers)


def test_the_seat_is_that_of_the_owner(gate: tuple[Api, str]) -> None:
    api, deployment = gate
    shown = api.get(f"/api/v1/deployments/{deployment}/approvals").json()
    assert (shown["quorum"], shown["seats"]) == (2, ["engineering", "operations", "product"])
    assert shown["verdict"]["state"] == "pass"
    lea, omar = token(api, "lea@example.com"), token(api, "Omar@example.com")
    assert "say for which" in say(api, deployment, lea).json()["detail"]
    assert say(api, deployment, lea, seat="engineering").status_code == 201
    assert say(api, deployment, lea, seat="engineering").status_code == 201  # again: nothing new
    assert "one person, one seat" in say(api, deployment, lea, seat="operations").json()["detail"]
    assert say(api, deployment, omar, seat="product").status_code == 409  # a parameter gives nobody a seat
    assert say(api, deployment, omar).json()["seat"] == "operations"
    assert api.get(f"/api/v1/deployments/{deployment}/approvals").json()["complete"] is True
    with api.store.read() as connection:
        assert sum(e.kind == "signed off" for e in events(connection)) == 2


def test_who_may_not(gate: tuple[Api, str]) -> None:
    api, deployment = gate
    assert say(api, deployment, token(api, "otto@example.com")).status_code == 403
    assert say(api, deployment, token(api, "lea@example.com", TokenScope.ACT)).status_code == 403
    assert say(api, deployment, api.bearer("act")).status_code == 403
    assert say(api, deployment, token(api, "")).status_code == 403
    assert api.get("/api/v1/deployments/none/approvals").status_code == 404


def test_what_is_bound_to_another_gate_is_refused_and_a_decision_can_be_taken_back(gate: tuple[Api, str]) -> None:
    api, deployment = gate
    omar = token(api, "omar@example.com")
    refused = say(api, deployment, omar, gate="0" * 64)
    assert (refused.status_code, "changed since you looked" in refused.json()["detail"]) == (409, True)
    for bad in ({"decision": "maybe"}, {"comment": ""}, {"gate": "x"}, {"person": "lea@example.com"}):
        assert say(api, deployment, omar, **bad).status_code == 422
    path = f"/api/v1/deployments/{deployment}/approvals/withdraw"
    assert api.post(path, None, {}, headers=omar).status_code == 409
    assert say(api, deployment, omar, decision="no-go").status_code == 201
    assert api.post(path, None, {"reason": "I was wrong"}, headers=omar).json()["stands"] is False
    assert say(api, deployment, omar).status_code == 201

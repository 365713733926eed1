"""Tokens that are kept in the database: what they open, for whom, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.identity import TokenScope, create_token, list_tokens, revoke_token
from core.settings import Settings
from core.store import StoreUnavailable, events
from core.web.api import storedtokens
from tests.web.conftest import Api, serving

S = TokenScope
PEOPLE = """
roles:
  on-call: [otto@example.com]
  lead: [lea@example.com]
seats: {engineering: lea@example.com}
"""
Make = Callable[..., dict[str, str]]


@pytest.fixture
def make(api: Api) -> Make:
    return maker(api)


def maker(api: Api) -> Make:
    def make(*scopes: TokenScope, owner: str = "", name: str = "t", lasts_s: float = 3600.0) -> dict[str, str]:
        with api.store.transaction() as tx:
            _, secret = create_token(
                tx, name=name, scopes=scopes, owner=owner, by="test", lasts_s=lasts_s, now=time.time()
            )
        return {"Authorization": f"Bearer {secret}"}

    return make


def roll_back(api: Api, deployment: str, headers: dict[str, str], action: str = "rollback") -> Any:
    return api.post(f"/api/v1/deployments/{deployment}/{action}", None, {"reason": "x"}, headers=headers)


def test_a_token_opens_its_scopes_and_no_other(api: Api, make: Make, running: str) -> None:
    reads = make(S.READ)
    assert api.get("/api/v1/deployments", None, headers=reads).status_code == 200
    assert roll_back(api, running, reads).status_code == 403
    both = make(S.READ, S.ACT, name="both")
    assert api.get("/api/v1/deployments", None, headers=both).status_code == 200
    assert roll_back(api, running, both, "hold").status_code == 200


def test_a_token_for_rollback_gives_nobody_the_candidate(api: Api, make: Make, running: str) -> None:
    headers = make(S.ROLL_BACK, owner="otto@example.com")
    for action in ("advance", "resume", "retry", "start"):
        refused = roll_back(api, running, headers, action)
        assert refused.status_code == 403
        assert "rollback only" in refused.json()["detail"]
    assert api.post("/api/v1/deployments", None, {"plan": "x"}, headers=headers).status_code == 403
    assert roll_back(api, running, headers).status_code == 200
    with api.store.read() as connection:
        assert events(connection, deployment=running)[-2].actor == "api:otto@example.com/t"


def test_a_revoked_token_opens_nothing_from_the_next_reading_on(
    api: Api, make: Make, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = make(S.ACT)
    assert roll_back(api, running, headers, "hold").status_code == 200
    with api.store.transaction() as tx:
        revoke_token(tx, "t", "test", time.time())
    monkeypatch.setattr(storedtokens, "FRESH_S", 0.0)  # as if two seconds had gone by
    refused = roll_back(api, running, headers)
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]
    assert "invalid_token" in refused.headers["www-authenticate"]


def test_an_expired_token_opens_nothing(api: Api, make: Make, running: str) -> None:
    headers = make(S.ACT, lasts_s=1e-6)
    refused = roll_back(api, running, headers)
    assert (refused.status_code, "expired" in refused.json()["detail"]) == (401, True)


def test_the_last_use_is_remembered_to_the_minute(api: Api, make: Make) -> None:
    headers = make(S.READ)
    for _ in range(3):
        api.get("/api/v1/deployments", None, headers=headers)
    with api.store.read() as connection:
        used = list_tokens(connection)[0].used
    assert used is not None
    assert abs(used - time.time()) < 60


def test_who_was_known_a_moment_ago_is_while_the_database_is_away(
    api: Api, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = make(S.READ)
    assert api.get("/api/v1/deployments", None, headers=headers).status_code == 200
    monkeypatch.setattr(storedtokens, "FRESH_S", 0.0)

    def away(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(storedtokens, "find_token", away)
    assert api.get("/healthz", None).status_code in {200, 503}
    assert api.get("/api/v1/deployments", None, headers=headers).status_code == 200
    stranger = {"Authorization": f"Bearer canary_{'0' * 8}_{'x' * 43}"}
    assert api.get("/api/v1/deployments", None, headers=stranger).status_code == 503


@pytest.mark.parametrize(
    ("owner", "scope", "action", "status"),
    [
        ("lea@example.com", S.ACT, "advance", 200),
        ("otto@example.com", S.ACT, "advance", 403),
        ("otto@example.com", S.ROLL_BACK, "rollback", 200),
        ("gone@example.com", S.ACT, "rollback", 403),
        ("gone@example.com", S.ROLL_BACK, "rollback", 403),
        ("", S.ACT, "advance", 200),
    ],
)
def test_the_owner_of_a_token_must_still_have_the_role(
    home: Path, plan_text: str, owner: str, scope: TokenScope, action: str, status: int
) -> None:
    people = home / "people.yaml"
    people.write_text(PEOPLE)
    with serving(Settings(home=home, people=people)) as api:
        made = api.post("/api/v1/deployments", "act", {"plan": plan_text, "start": True}).json()["deployment"]["id"]
        if action == "advance":
            assert roll_back(api, made, api.bearer("act"), "hold").status_code == 200
        answer = roll_back(api, made, maker(api)(scope, owner=owner), action)
        assert answer.status_code == status, answer.text
        people.write_text("roles: nonsense")
        assert roll_back(api, made, maker(api)(scope, owner="lea@example.com", name="u")).status_code == 403


def test_changes_are_limited_and_rollbacks_apart_from_them(home: Path, plan_text: str) -> None:
    with serving(Settings(home=home, changes_per_minute=3)) as api:
        made = api.post("/api/v1/deployments", "act", {"plan": plan_text, "start": True}).json()["deployment"]["id"]
        codes = [roll_back(api, made, api.bearer("act"), "resume").status_code for _ in range(4)]
        assert codes == [200, 200, 429, 429]
        answer = roll_back(api, made, api.bearer("act"), "resume")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert roll_back(api, made, api.bearer("act")).status_code == 200

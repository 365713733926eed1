"""Who may call at all: hosts, origins, kinds of body, tokens."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.settings import Settings
from core.web.api import CONFIGURED, HostGuard, Scope, TokenError, load_tokens, served_names
from core.web.api.guard import host_allowed, same_origin

pytestmark = pytest.mark.sqlite  # what is refused here is refused before any database is asked

EVALUATE = "/ofrep/v1/evaluate/flags/analyzer"
ASK = {"context": {"targetingKey": "u1"}}
PATHS = [
    ("GET", "/metrics", "read"),
    ("GET", "/api/openapi.json", "read"),
    ("GET", "/api/v1/deployments", "read"),
    ("GET", "/api/v1/deployments/x", "read"),
    ("GET", "/api/v1/deployments/x/events", "read"),
    ("GET", "/api/v1/deployments/x/checkpoints", "read"),
    ("GET", "/api/v1/deployments/x/reports/summary", "read"),
    ("GET", "/api/v1/learners/x", "read"),
    ("POST", EVALUATE, "read"),
    ("POST", "/ofrep/v1/evaluate/flags", "read"),
    ("POST", "/api/v1/samples", "push"),
    ("POST", "/api/v1/requests", "push"),
    ("POST", "/api/v1/deployments", "act"),
    ("POST", "/api/v1/deployments/x/rollback", "act"),
    ("GET", "/api/v1/deployments/x/approvals", "read"),
    ("GET", "/api/v1/incidents", "read"),
    ("POST", "/api/v1/incidents/x/ack", "act"),
]


def test_this_list_of_paths_is_whole(api: Any) -> None:
    known = api.get("/api/openapi.json").json()["paths"]
    signing = {
        "/api/v1/deployments/{deployment_id}/approvals",
        "/api/v1/deployments/{deployment_id}/approvals/withdraw",
    }
    found = [(path, way) for path, ways in known.items() for way in ways if path != "/healthz"]
    # Signing off takes a token with an owner, which none in the settings has: test_api_approvals.py.
    assert len([f for f in found if f[0] not in signing or f[1] != "post"]) == len(PATHS)


@pytest.mark.parametrize(("method", "path", "scope"), PATHS)
def test_each_path_takes_tokens_of_its_own_scope_only(api: Any, method: str, path: str, scope: str) -> None:
    for other in {*CONFIGURED} - {scope}:
        assert api.call(method, path, other, json={}).status_code == 403
    unknown = {"Authorization": "Bearer nothing-we-ever-gave-out"}
    for headers in ({}, unknown, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"}):
        refused = api.call(method, path, None, json={}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert api.call(method, path, scope, json={}).status_code not in {401, 403}


def test_only_health_needs_no_token(api: Any) -> None:
    assert api.get("/healthz", None).status_code in {200, 503}


@pytest.mark.parametrize("scope", [None, "push"])
def test_ofrep_refuses_without_a_body(api: Any, scope: str | None) -> None:
    refused = api.post(EVALUATE, scope, ASK)
    assert refused.status_code in {401, 403}
    assert refused.content == b""


def test_a_token_in_the_address_is_no_token(api: Any) -> None:
    token = api.tokens.first(Scope.READ)
    assert api.get(f"/api/v1/deployments?token={token}&access_token={token}", None).status_code == 401


@pytest.mark.parametrize(("method", "path", "scope"), PATHS)
def test_open_mode_opens_reading_and_nothing_else(open_api: Any, method: str, path: str, scope: str) -> None:
    assert (open_api.call(method, path, json={}).status_code == 401) is (scope != "read")


def test_open_mode_does_not_hold_for_who_comes_by_another_address_than_loopback(open_api: Any) -> None:
    # The socket was bound to more than the settings promise.
    headers = {"Host": "127.0.0.1:8501"}
    assert open_api.get("/metrics", None, headers=headers).status_code == 200
    assert open_api.get("/metrics", None, headers=headers, base="http://10.0.0.5:8501").status_code == 401


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8501", True),
        ("localhost:8501", True),
        ("LocalHost.:8501", True),
        ("[::1]:8501", True),
        ("canary.example", True),
        ("canary.example:443", True),
        ("exact.example:8443", True),
        ("exact.example", False),
        ("exact.example:1", False),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        ("localhost:18501", False),
        ("evil.example:8501", False),
        ("localhost.evil.example:8501", False),
        ("127.0.0.1.evil.example:8501", False),
        ("localhost@evil.example:8501", False),
        ("evil.example/@127.0.0.1:8501", False),
        ("127.0.0.1:8501:8501", False),
        ("[::1", False),
        ("::1", False),
        ("127.0.0.1:８５０１", False),
        ("", False),
        (":8501", False),
    ],
)
def test_names_we_are_called_by(host: str, allowed: bool) -> None:
    assert host_allowed(host, "http", 8501, ("canary.example", "exact.example:8443")) is allowed


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://127.0.0.1:8501", True),
        ("https://127.0.0.1:8501", True),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:8502", False),
        ("http://localhost:8501", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://[", False),
        ("javascript:alert(1)", False),
    ],
)
def test_pages_that_are_ours(origin: str, same: bool) -> None:
    assert same_origin(origin, "127.0.0.1:8501") is same


def test_a_proxy_that_ends_tls_keeps_the_origin() -> None:
    assert same_origin("https://canary.example", "canary.example")
    assert not same_origin("https://canary.example:8443", "canary.example")


@pytest.mark.parametrize(("method", "path", "scope"), [*PATHS, ("GET", "/healthz", None), ("GET", "/nowhere", "read")])
def test_a_foreign_host_gets_nothing(api: Any, method: str, path: str, scope: str | None) -> None:
    refused = api.call(method, path, scope, json={}, headers={"Host": "evil.example:8501"})
    assert refused.status_code == 421
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_foreign_page_can_change_nothing(api: Any, running: str, headers: dict[str, str]) -> None:
    path = f"/api/v1/deployments/{running}/rollback"
    refused = api.post(path, "act", {"reason": "forged"}, headers=headers)
    assert refused.status_code == 403
    assert api.deliveries.status(running).share == 0.01
    own = {"Origin": "http://127.0.0.1:8501", "Sec-Fetch-Site": "same-origin"}
    assert api.post(path, "act", {"reason": "real"}, headers=own).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"]
)
def test_only_json_bodies(api: Any, running: str, kind: str) -> None:
    path = f"/api/v1/deployments/{running}/rollback"
    refused = api.post(path, "act", {"reason": "forged"}, headers={"Content-Type": kind})
    assert refused.status_code == 415
    assert api.deliveries.status(running).share == 0.01


def test_json_with_a_charset_is_json(api: Any, running: str) -> None:
    assert (
        api.post(EVALUATE, "read", ASK, headers={"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200
    )


@pytest.mark.parametrize(("path", "limit"), [(EVALUATE, 64 * 2**10), ("/api/v1/requests", 8 * 2**20)])
def test_a_body_has_a_largest_size(api: Any, path: str, limit: int) -> None:
    token = "push" if path.endswith("requests") else "read"

    async def chunked() -> Any:
        for _ in range(limit // 2**16 + 1):
            yield b" " * 2**16

    assert api.call("POST", path, token, content=b" " * (limit + 1)).status_code == 413
    assert api.call("POST", path, token, content=chunked()).status_code == 413
    assert api.call("POST", path, token, content=b" " * limit).status_code in {400, 422}


def test_tokens_are_made_once_and_kept_for_their_owner(home: Path) -> None:
    settings = Settings(home=home)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(load_tokens(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(tokens == found[0] for tokens in found)
    assert stat.S_IMODE((home / "tokens.json").stat().st_mode) == 0o600
    assert len({found[0].first(scope) for scope in CONFIGURED}) == 3
    assert [path.name for path in home.iterdir()] == ["tokens.json"]


def test_a_token_file_that_others_could_read_is_closed(home: Path) -> None:
    load_tokens(Settings(home=home))
    (home / "tokens.json").chmod(0o644)
    load_tokens(Settings(home=home))
    assert stat.S_IMODE((home / "tokens.json").stat().st_mode) == 0o600


def test_configured_tokens_have_names_for_the_log(home: Path) -> None:
    settings = Settings(home=home, act_tokens=(SecretStr("ci=0123456789abcdef"), SecretStr("fedcba9876543210")))
    tokens = load_tokens(settings)
    assert tokens.by_scope[Scope.ACT] == {"ci": "0123456789abcdef", "act-token-2": "fedcba9876543210"}
    ((scope, caller),) = tokens.find("0123456789abcdef")
    assert (scope, caller.actor) == (Scope.ACT, "api:ci")
    assert tokens.find("ci=0123456789abcdef") == []


@pytest.mark.parametrize("given", [("short",), ("",), ("a=0123456789abcdef", "a=fedcba9876543210")])
def test_tokens_that_can_be_guessed_or_confused_are_refused(home: Path, given: tuple[str, ...]) -> None:
    with pytest.raises(TokenError, match="CANARY_ACT_TOKENS, token"):
        load_tokens(Settings(home=home, act_tokens=tuple(map(SecretStr, given))))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"read": {}}', json.dumps({"read": {"a": ""}, "push": {}, "act": {}})]
)
def test_a_broken_token_file_is_said_to_be_broken(home: Path, text: str) -> None:
    (home / "tokens.json").write_text(text)
    with pytest.raises(TokenError, match=r"tokens\.json"):
        load_tokens(Settings(home=home))


def test_the_address_we_listen_on_is_a_name_of_ours() -> None:
    assert served_names(Settings(host="10.0.0.5", allowed_hosts=("a",))) == ("a", "10.0.0.5")
    assert served_names(Settings(host="0.0.0.0")) == ()
    assert served_names(Settings(host="::")) == ()


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ([("host", "127.0.0.1:8501"), ("origin", "http://127.0.0.1:8501")], True),
        ([("host", "127.0.0.1:8501"), ("origin", "http://evil.example")], False),
        ([("host", "evil.example:8501"), ("origin", "http://evil.example:8501")], False),
        ([("host", "127.0.0.1:8501"), ("host", "evil.example")], False),
        ([], False),
    ],
)
def test_websockets_are_guarded_too(headers: list[tuple[str, str]], passes: bool) -> None:
    sent: list[Any] = []
    reached: list[bool] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(True)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": "/_stcore/stream",
        "server": ("127.0.0.1", 8501),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    asyncio.run(HostGuard(inner, ())(scope, receive, send))
    assert bool(reached) is passes
    assert bool(sent) is not passes

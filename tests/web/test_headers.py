"""The way back from a sign-in leads nowhere else, and who is at this machine is told by the connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.datastructures import Headers

from core.identity import LOCAL, Person, Role
from core.settings import Settings
from core.web.headers import INDEX, came_from, kept_path, own_path, policy
from core.web.signin import FORWARDED, is_local
from core.web.sources import may_not_read


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", True),
        ("/history?kind=held&x=%20", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("", False),
        ("/a\r\nSet-Cookie: x", False),
        ("/" + "a" * 3000, False),
    ],
)
def test_a_way_back_is_a_path_of_ours(path: str, kept: bool) -> None:
    assert own_path(path) == (path if kept else "")


@given(st.text(max_size=60))
def test_no_text_leads_elsewhere(text: str) -> None:
    for path in (own_path(text), kept_path([f"canary_return={text}"])):
        assert path == "" or (path[0] == "/" and path[1:2] not in {"/", "\\"})


def test_only_our_own_pages_are_come_from() -> None:
    def of(referer: str) -> str:
        return came_from(Headers({"referer": referer, "host": "canary.example"}))

    assert of("https://canary.example/history?kind=held#x") == "/history?kind=held"
    assert of("https://evil.example/history") == ""
    assert of("https://[bad") == ""
    assert of("") == ""


def test_the_policy_names_the_one_inline_script_by_its_hash() -> None:
    told = policy(INDEX.read_text())
    assert told.count("'sha256-") == 1
    assert "unsafe-eval" not in told
    assert "script-src 'self' 'sha256-" in told
    assert "'unsafe-inline'" not in told.split("style-src")[0]


LOOPBACK = {"host": "127.0.0.1:8501"}


def test_who_is_at_this_machine() -> None:
    assert is_local(LOOPBACK, None)
    assert is_local({"host": "localhost"}, "127.0.0.1")
    assert is_local({"host": "[::1]:8501"}, "::1")
    assert not is_local(LOOPBACK, "10.0.0.5")
    assert not is_local({"host": "canary.example"}, None)
    assert not is_local({}, None)


@pytest.mark.parametrize("header", FORWARDED)
def test_behind_a_proxy_nobody_is(header: str) -> None:
    assert not is_local(LOOPBACK | {header: "127.0.0.1"}, None)


WHOLE = {
    "public_url": "https://canary.example",
    "oidc_url": "https://login.example/.well-known/openid-configuration",
    "oidc_client_id": "canary",
    "oidc_client_secret": "a secret",
}


@pytest.mark.parametrize("missing", sorted(WHOLE))
def test_half_a_sign_in_is_none(missing: str) -> None:
    assert Settings(**WHOLE).sign_in  # type: ignore[arg-type]
    if missing == "public_url":
        with pytest.raises(ValidationError, match="missing: public_url"):
            Settings(**{**WHOLE, missing: None})  # type: ignore[arg-type]
    else:
        with pytest.raises(ValidationError, match=f"missing: {missing}"):
            Settings(**{**WHOLE, missing: None})  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://canary.example", "canary.example", "https://canary.example/path", "ftp://x"])
def test_a_sign_in_needs_a_safe_address(url: str) -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(**{**WHOLE, "public_url": url})  # type: ignore[arg-type]


def test_who_comes_from_elsewhere_has_only_shared_files_read(tmp_path: object) -> None:
    settings = Settings(data_folders=(str(tmp_path),))  # type: ignore[arg-type]
    analyst = Person("a@b.c", roles=frozenset({Role.ANALYST}))
    admin = Person("r@b.c", roles=frozenset({Role.ADMIN}))
    assert may_not_read(settings, LOCAL, "/etc/passwd") == ""
    assert may_not_read(settings, analyst, f"{tmp_path}/events.csv") == ""
    for outside in ("/etc/passwd", f"{tmp_path}/../x", "~/x", "\0"):
        assert may_not_read(settings, analyst, outside)
    assert may_not_read(settings, analyst, "sqlite:///etc/x")
    assert may_not_read(settings, admin, "postgresql://db/x") == ""

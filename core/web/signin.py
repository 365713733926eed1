"""Who is at the page: by the identity provider's claims where one is set up, else whoever sits at this very machine."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st
from streamlit import config

from core.identity import LOCAL, NOBODY, PeopleError, PeopleFile, Person
from core.settings import Settings, is_loopback
from core.store import secret_text
from core.web.state import get_app_state

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""Headers that proxies add: whoever comes with one of them is not at this machine."""

_LOCAL_KEY = "at this machine"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the page. `trouble`: what keeps them from having a role that they might have; "" for nothing."""

    person: Person
    trouble: str = ""


def visitor() -> Visitor:
    """Return who is at the page now. Asked anew at each click: a sign-in ends, and the file of people changes."""
    state = get_app_state()
    if state.settings.sign_in:
        return _signed_in(state.settings, state.people, st.user.to_dict())
    return Visitor(LOCAL) if _at_this_machine() else Visitor(NOBODY, _not_local(state.settings))


def person() -> Person:
    """Return who is at the page now."""
    return visitor().person


def _signed_in(settings: Settings, file: PeopleFile, claims: Mapping[str, object]) -> Visitor:
    if not claims.get("is_logged_in"):
        return Visitor(NOBODY)
    try:
        found = file.read().person(claims)
    except PeopleError:
        # Which mistakes is for the log and `canary people check`, not for whoever looks at the page.
        return Visitor(NOBODY, "the file of people has mistakes, so nobody has a role until it is mended")
    began = claims.get("iat")
    end = began + 3600 * settings.session_h if isinstance(began, int | float) else found.expires
    return Visitor(replace(found, expires=min(e for e in (found.expires, end) if e is not None)))


def _at_this_machine() -> bool:
    """Say whether the browser is on this machine, with nothing between; once known, it stays so for the session."""
    headers, address = _connection()
    if headers:
        st.session_state[_LOCAL_KEY] = is_local(headers, address)
    return bool(st.session_state.get(_LOCAL_KEY, False))


def _connection() -> tuple[Mapping[str, str], str | None]:
    """Return the headers that the browser came with, none where it has just gone, and its address."""
    return {name.lower(): value for name, value in st.context.headers.to_dict().items()}, st.context.ip_address


def is_local(headers: Mapping[str, str], address: str | None) -> bool:
    """Say whether a connection comes straight from this machine.

    Args:
        headers: of the request, names in lower case. address: of the other end; None: loopback.
    """
    name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    return (
        (address is None or is_loopback(address))
        and is_loopback(name.strip("[]"))
        and not any(header in headers for header in FORWARDED)
    )


def _not_local(settings: Settings) -> str:
    return (
        "no identity provider is set up, so only the person at the server's own machine "
        f"(http://127.0.0.1:{settings.port}) may look and act; docs/sign-in.md says how to let others sign in"
    )


def set_up_sign_in(settings: Settings) -> None:
    """Tell Streamlit's login who the identity provider is, by a file in home that only its owner can read.

    Raises:
        OSError: home can't be written.
    """
    if not settings.sign_in:
        return
    assert settings.public_url is not None
    assert settings.oidc_client_secret is not None
    cookie = secret_text(settings.home / "cookie-secret", lambda: secrets.token_urlsafe(_SECRET_BYTES))
    values = {
        "redirect_uri": f"{settings.public_url.rstrip('/')}/oauth2callback",
        "cookie_secret": cookie,
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret.get_secret_value(),
        "server_metadata_url": settings.oidc_url,
    }
    # JSON's strings are TOML's, too.
    lines = ["[auth]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    lines += ["[auth.client_kwargs]", f"scope = {json.dumps(settings.oidc_scope)}"]
    path = settings.home / "sign-in.toml"
    path.unlink(missing_ok=True)
    secret_text(path, lambda: "\n".join(lines) + "\n")
    config.set_option("secrets.files", [str(path.resolve())])

"""Who gets in: the identity provider, the file of people, tokens, files that hold secrets."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from core.delivery.words import duration
from core.doctor.check import Installation, Verdict, check, failed, ok, warning
from core.doctor.storage import store_of
from core.identity import PeopleError, PeopleFile, list_tokens
from core.settings import is_loopback

TIMEOUT_S = 5.0
SKEW_S = 30.0
SOON_S = 14 * 86_400.0
_SECRET = ("*.key", "tokens.json", "*secret*")


@check("identity provider")
def identity_provider(at: Installation) -> Iterator[Verdict]:
    """Does it answer, with what sign-in needs?"""
    url = at.settings.oidc_url
    if url is None:
        if is_loopback(at.settings.host):
            yield ok("none: only who sits at this machine may look and act")
        else:
            yield warning(f"none, and host is {at.settings.host}: nobody from elsewhere can use the dashboard",
                          "Set CANARY_OIDC_URL and the others; see docs/sign-in.md")  # fmt: skip
        return
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S, follow_redirects=True)
        answer.raise_for_status()
        said = answer.json()
        missing = [
            name for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri") if not said.get(name)
        ]
    except httpx.HTTPError as error:
        yield failed(f"{url} doesn't answer: {error or type(error).__name__}",
                     "Nobody can sign in. Check CANARY_OIDC_URL, the network, the provider")  # fmt: skip
        return
    except (json.JSONDecodeError, AttributeError, UnicodeDecodeError):
        yield failed(f"{url} answers something else than an OpenID configuration",
                     "CANARY_OIDC_URL is to end in /.well-known/openid-configuration")  # fmt: skip
        return
    if missing:
        yield failed(f"{url} lacks {', '.join(missing)}", "Is that the OpenID configuration of your provider?")
        return
    yield ok(f"{said['issuer']} answers")
    if date := answer.headers.get("date"):
        skew = time.time() - parsedate_to_datetime(date).timestamp()
        if abs(skew) > SKEW_S:
            yield failed(f"its clock and this machine's differ by {duration(abs(skew))}: sign-ins may be refused",
                         "Synchronise this machine's clock (chrony, NTP)")  # fmt: skip


@check("people")
def people(at: Installation) -> Iterator[Verdict]:
    """Can the file that gives roles be read?"""
    path = at.settings.people
    if path is None:
        if at.settings.oidc_url is not None:
            yield warning("no file gives roles: only those whom the provider's claims give one may do anything",
                          "Set CANARY_PEOPLE; see docs/sign-in.md")  # fmt: skip
        return
    try:
        found = PeopleFile(path).read()
    except PeopleError as error:
        yield failed(f"{path} has mistakes, so nobody has a role", str(error))
        return
    yield ok(f"{path} gives {len(found.roles)} roles and {len(found.seats)} seats")


@check("tokens")
def tokens(at: Installation) -> Iterator[Verdict]:
    """Do tokens that are in use run out soon?"""
    if (store := store_of(at)) is None:
        return
    now = time.time()
    with store.read() as connection:
        active = [token for token in list_tokens(connection) if token.state(now) == "active"]
    for token in active:
        if token.expires - now < SOON_S and token.used is not None:
            yield warning(f"token {token.name} ({token.id}) runs out in {duration(token.expires - now)}",
                          "Make its successor while it still works: canary token create")  # fmt: skip
    configured = len(at.settings.read_tokens) + len(at.settings.push_tokens) + len(at.settings.act_tokens)
    yield ok(f"{len(active)} active in the database, {configured} in the settings")


@check("secrets")
def secrets(at: Installation) -> Iterator[Verdict]:
    """Can others on this machine read files that hold secrets?"""
    found = {path for pattern in _SECRET for path in at.settings.home.glob(pattern) if path.is_file()}
    for path in sorted(found):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield failed(f"{path} can be read by others (mode {mode:03o})", f"chmod 600 {path}, and make new tokens")
    if all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found):
        yield ok(f"{len(found)} files in CANARY_HOME, each for its owner only")

"""Who may do what: separate tokens for reading flags and figures, for pushing figures, and for acting."""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from core.identity import TokenScope
from core.settings import Settings, is_loopback
from core.store import secret_text
from core.web.api.problems import Problem

if TYPE_CHECKING:
    from core.web.api.context import Context

MIN_LENGTH = 16
"""Shorter tokens can be guessed."""

_NAMED = re.compile(r"([A-Za-z][\w.-]{0,39})=(.*[^=].*)", re.DOTALL)


Scope = TokenScope
"""What a token is for."""

CONFIGURED = (Scope.READ, Scope.PUSH, Scope.ACT)
"""Scopes whose tokens may stand in the settings; without any there, random ones are made and kept in home."""


class TokenError(Exception):
    """The tokens that are configured or kept can't be used. The text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `actor` is what the event log says: from the token, never from a parameter.

    Attributes:
        name: of the token. owner: address of whose it is; "" of one from the settings.
        scopes: of those that were asked for, the ones that the token has and its owner may use.
    """

    name: str
    owner: str = ""
    scopes: frozenset[Scope] = frozenset()

    @property
    def actor(self) -> str:
        """Who did it, for the event log."""
        return f"api:{self.owner}/{self.name}" if self.owner else f"api:{self.name}"


@dataclass(frozen=True)
class Tokens:
    """All tokens, by scope and name."""

    by_scope: Mapping[Scope, Mapping[str, str]]

    def first(self, scope: Scope) -> str:
        """Return a token of this scope, for our own clients."""
        return next(iter(self.by_scope[scope].values()))

    def find(self, token: str) -> list[tuple[Scope, Caller]]:
        """Return what a token opens; nothing for one that isn't ours. The time it takes says nothing about ours."""
        digest = _digest(token)
        return [
            (scope, Caller(name, scopes=frozenset({scope})))
            for scope, named in self.by_scope.items()
            for name, ours in named.items()
            if compare_digest(digest, _digest(ours))
        ]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def load_tokens(settings: Settings) -> Tokens:
    """Return the tokens of an installation.

    A scope that the settings give none for gets a random one, which is kept in `tokens.json` in home, readable by its
    owner only; so the server, the command line and the demo use the same.

    Raises:
        TokenError: a token is too short, a name is taken twice, or `tokens.json` can't be used.
    """
    configured = {
        Scope.READ: _named(Scope.READ, settings.read_tokens),
        Scope.PUSH: _named(Scope.PUSH, settings.push_tokens),
        Scope.ACT: _named(Scope.ACT, settings.act_tokens),
    }
    if all(configured.values()):
        return Tokens(configured)
    kept = _kept(settings)
    return Tokens({scope: named or kept[scope] for scope, named in configured.items()})


def _named(scope: Scope, given: Sequence[SecretStr]) -> dict[str, str]:
    named: dict[str, str] = {}
    for number, secret in enumerate(given, 1):
        found = _NAMED.fullmatch(secret.get_secret_value())
        name, token = found.groups() if found else (f"{scope}-token-{number}", secret.get_secret_value())
        setting = f"CANARY_{scope.upper()}_TOKENS, token {number}"
        if len(token) < MIN_LENGTH:
            raise TokenError(
                f"{setting}: expected at least {MIN_LENGTH} characters (or name=token), found {len(token)}"
            )
        if name in named:
            raise TokenError(f"{setting}: the name {name!r} is taken; give each token its own")
        named[name] = token
    return named


def _kept(settings: Settings) -> dict[Scope, dict[str, str]]:
    path = settings.home / "tokens.json"

    def make() -> str:
        return (
            json.dumps({scope: {f"{scope}-token": secrets.token_urlsafe(32)} for scope in CONFIGURED}, indent=1) + "\n"
        )

    try:
        found = json.loads(secret_text(path, make))
        kept = {scope: {str(name): str(token) for name, token in found[scope].items()} for scope in CONFIGURED}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise TokenError(
            f"{path} can't be used ({error}); delete it, and new tokens are made at the next start"
        ) from error
    if not all(kept.values()) or any(len(token) < MIN_LENGTH for named in kept.values() for token in named.values()):
        raise TokenError(f"{path}: a scope has no token, or one is too short; delete it, and new ones are made")
    return kept


_bearer = HTTPBearer(auto_error=False, description="a token of the right scope: read, push or act")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def require(*scopes: Scope) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that lets only callers with a token of one of these scopes pass.

    In open mode reading needs no token, for clients that reached the server by a loopback address.
    """
    wanted = frozenset(scopes)

    async def caller(request: Request, credentials: Credentials) -> Caller:
        context: Context = request.app.state.context
        meaning = " or ".join(_MEANING[scope] for scope in scopes)
        if credentials is None:
            if Scope.READ in wanted and context.settings.open_mode and _came_by_loopback(request):
                return Caller("open mode")
            raise Problem(
                401,
                f"This needs a token for {meaning}: send Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        secret = credentials.credentials
        found = context.tokens.find(secret)
        for opened, who in found:
            if opened in wanted:
                return who
        if found:
            raise Problem(403, f"This token is not for {meaning}.")
        stored = await context.stored.find(secret)
        if stored.refusal:
            raise Problem(401, stored.refusal, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        assert stored.token is not None
        refusals = {s: context.stored.owner_may_not(stored.token, s) for s in wanted & stored.token.scopes}
        opened_by = frozenset(s for s, refusal in refusals.items() if not refusal)
        if not opened_by:
            refusal = next(iter(refusals.values()), f"This token is not for {meaning}")
            raise Problem(403, f"{refusal[0].upper()}{refusal[1:]}.")
        return Caller(stored.token.name, stored.token.owner, opened_by)

    return caller


_MEANING = {
    Scope.READ: "reading flags and figures",
    Scope.PUSH: "pushing figures",
    Scope.ACT: "acting on deployments",
    Scope.ROLL_BACK: "taking learners off a candidate",
    Scope.APPROVE: "signing off",
}


def _came_by_loopback(request: Request) -> bool:
    # The setting promises loopback; the socket may have been bound otherwise on the command line.
    server = request.scope.get("server")
    if not server:
        return False
    try:
        address = ipaddress.ip_address(server[0])
    except ValueError:
        return is_loopback(server[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback

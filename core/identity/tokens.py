"""Tokens of programs: shown once, kept as hashes, each with scopes, an owner and an end; revoked at any time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import Connection, Row, insert, select, update

from core.store import Tx, schema

TOKEN_PREFIX = "canary_"
_TABLE = schema.api_token
_NAME = re.compile(r"[A-Za-z][\w.-]{0,39}")
_USED_EVERY_S = 60.0
_LONGEST_S = 366 * 86_400.0


class TokenScope(StrEnum):
    """What a token is for. None includes another."""

    READ = "read"
    PUSH = "push"
    ACT = "act"
    ROLL_BACK = "rollback"
    APPROVE = "approve"


class TokenProblem(ValueError):
    """A token that can't be made or revoked; the text says why."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret.

    Attributes:
        id: eight characters that stand in the token, too. owner: whose it is; seats follow from that.
        created, expires, revoked, used: wall times; None: never.
    """

    id: str
    name: str
    scopes: frozenset[TokenScope]
    owner: str
    created_by: str
    created: float
    expires: float
    revoked: float | None = None
    used: float | None = None

    def state(self, now: float) -> str:
        """Return "active", "expired" or "revoked" at a wall time."""
        return "revoked" if self.revoked is not None else "expired" if now >= self.expires else "active"


def create_token(
    tx: Tx, *, name: str, scopes: Iterable[TokenScope], owner: str, by: str, lasts_s: float, now: float
) -> tuple[ApiToken, str]:
    """Make a token within a transaction; return it, and the secret, which is kept nowhere.

    Raises:
        TokenProblem: the name is taken or none, no scope, or too long a life.
    """
    chosen = frozenset(scopes)
    if not _NAME.fullmatch(name):
        raise TokenProblem(
            f"{name!r} is no name for a token: expected a letter, then letters, digits, . _ - (at most 40)"
        )
    if not chosen:
        raise TokenProblem(f"a token needs a scope: one of {', '.join(TokenScope)}")
    if not 0 < lasts_s <= _LONGEST_S:
        raise TokenProblem("a token lasts more than no time and at most 366 days; make a new one in time")
    if any(t.name == name and t.state(now) == "active" for t in list_tokens(tx.connection)):
        raise TokenProblem(f"a token named {name!r} is active; revoke it first or choose another name")
    number = secrets.token_hex(4)
    secret = f"{TOKEN_PREFIX}{number}_{secrets.token_urlsafe(32)}"
    made = ApiToken(number, name, chosen, owner.strip().lower(), by, now, now + lasts_s)
    tx.connection.execute(
        insert(_TABLE),
        {
            "id": number,
            "name": name,
            "hash": _digest(secret),
            "scopes": sorted(chosen),
            "owner": made.owner,
            "created_by": by,
            "created": now,
            "expires": made.expires,
        },
    )
    data = {"token": number, "name": name, "scopes": sorted(chosen), "owner": made.owner, "expires": made.expires}
    tx.append("token created", by, f"token {name} for {', '.join(sorted(chosen))}", "", data)
    return made, secret


def list_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, newest first."""
    return [_token(row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.created.desc()))]


def revoke_token(tx: Tx, token_id: str, by: str, now: float) -> ApiToken:
    """Revoke a token, by its id or name, within a transaction; a second time changes nothing.

    Raises:
        TokenProblem: there is none of that id or name.
    """
    known = list_tokens(tx.connection)
    found = next((t for t in known if t.id == token_id), None)
    found = found or next((t for t in known if t.name == token_id and t.revoked is None), None)
    if found is None:
        raise TokenProblem(f"there is no token {token_id!r}; `canary token list` shows them")
    if found.revoked is None:
        tx.connection.execute(update(_TABLE).where(_TABLE.c.id == found.id).values(revoked=now))
        tx.append("token revoked", by, f"token {found.name}", "", {"token": found.id, "name": found.name})
    return next(t for t in list_tokens(tx.connection) if t.id == found.id)


def find_token(connection: Connection, secret: str) -> ApiToken | None:
    """Return the token of a secret, whatever its state; None of one that was never made here.

    Looked up by the hash of all of it: how long that takes says nothing about a secret that is nearly right.
    """
    if not secret.startswith(TOKEN_PREFIX) or len(secret) > 200:
        return None
    row = connection.execute(select(_TABLE).where(_TABLE.c.hash == _digest(secret))).first()
    return None if row is None else _token(row)


def is_worth_noting(token: ApiToken, now: float) -> bool:
    """Say whether the time of a token's last use is out of date: it is kept to the minute."""
    return token.state(now) == "active" and (token.used is None or now - token.used >= _USED_EVERY_S)


def note_use(tx: Tx, token: ApiToken, now: float) -> None:
    """Remember that a token was used."""
    tx.connection.execute(update(_TABLE).where(_TABLE.c.id == token.id).values(used=now))


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can guess them.
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: Row) -> ApiToken:  # type: ignore[type-arg]
    return ApiToken(
        row.id,
        row.name,
        frozenset(TokenScope(scope) for scope in row.scopes),
        row.owner,
        row.created_by,
        row.created,
        row.expires,
        row.revoked,
        row.used,
    )

"""Tokens that are kept in the database, as the API looks them up: seldom, and from memory while it is away."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from starlette.concurrency import run_in_threadpool

from core.identity import (
    ApiToken,
    PeopleError,
    PeopleFile,
    Permission,
    TokenScope,
    find_token,
    is_worth_noting,
    note_use,
    why_not,
)
from core.store import Store, StoreUnavailable

FRESH_S = 2.0
"""Wall seconds for which what was read is believed: so long a revoked token may still open something."""
_KEPT_S = 600.0
_KEPT = 1000

_UNKNOWN = "This token is not known here."
_NEEDS = {
    TokenScope.READ: Permission.LOOK,
    TokenScope.PUSH: Permission.LOOK,
    TokenScope.ACT: Permission.ADVANCE,
    TokenScope.ROLL_BACK: Permission.PROTECT,
    TokenScope.APPROVE: Permission.SIGN_OFF,
}
"""What the owner of a token must be allowed for it to open anything."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a secret is: a token that is active, or the sentence that refuses it."""

    token: ApiToken | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class _Read:
    token: ApiToken | None
    at: float


class StoredTokens:
    """The tokens of a store; thread-safe."""

    def __init__(self, store: Store, people: PeopleFile) -> None:
        self._store, self.people = store, people
        self._lock = threading.Lock()
        self._read: OrderedDict[bytes, _Read] = OrderedDict()

    async def find(self, secret: str) -> Found:
        """Return what a secret is now."""
        key = sha256(secret.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            known = self._read.get(key)
        if known is None or time.monotonic() - known.at >= FRESH_S:
            known = await run_in_threadpool(self._look_up, key, secret, known)
        if known.token is None:
            return Found(None, _UNKNOWN)
        state = known.token.state(time.time())
        if state != "active":
            return Found(None, f"This token is {state}: ask for a new one.")
        return Found(known.token)

    def owner_may_not(self, token: ApiToken, scope: TokenScope) -> str:
        """Return why the owner of a token may not do what a scope opens; "" where they may.

        Only a file of people can tell, and only of an owner: roles that come from claims are known at sign-in alone.
        """
        if not token.owner:
            return "this token has no owner who could sign off" if scope is TokenScope.APPROVE else ""
        try:
            people = self.people.read()
        except PeopleError:
            return "the file of people has mistakes, so nobody has a role until it is mended"
        return why_not(people.listed(token.owner, "api"), _NEEDS[scope], time.time()) if people.roles else ""

    def _look_up(self, key: bytes, secret: str, known: _Read | None) -> _Read:
        now = time.monotonic()
        try:
            with self._store.read() as connection:
                token = find_token(connection, secret)
            if token is not None and is_worth_noting(token, time.time()):
                with self._store.transaction() as tx:
                    note_use(tx, token, time.time())
        except StoreUnavailable:
            # Flags must be answered while the database is away; who was known a moment ago still is.
            if known is not None and now - known.at < _KEPT_S:
                return known
            raise
        found = _Read(token, now)
        with self._lock:
            self._read[key] = found
            self._read.move_to_end(key)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return found

"""The event log: append-only, each event bound to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from core.store import schema

GENESIS = "0" * 64
"""The `previous` of the first event."""

_EVENT = schema.event
_HEAD = schema.head
_ALL = select(_EVENT)
_ACTOR = 200  # characters


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        seq: 1, 2, 3 ... without gaps.
        at, wall: plan time and wall time, seconds since 1970.
        deployment: its id; "" where it is about none.
        kind: "phase started", "rolled back", ...
        actor: who did it. reason: why, as a sentence.
        data: more about it, as JSON.
        previous, hash: hash of the event before, and its own (`hash_of`), in hex.
    """

    seq: int
    at: float
    wall: float
    deployment: str
    kind: str
    actor: str
    reason: str
    data: dict[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many events there are, and the last one's hash."""

    count: int
    hash: str


def canonical(value: object) -> str:
    """Write JSON in the one way that is hashed: keys sorted, no spaces, ASCII, floats so that they read back the same.

    Raises:
        ValueError: it holds NaN or an infinity, which JSON has not.
        TypeError: it holds something that JSON has not.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_of(
    seq: int, at: float, wall: float, deployment: str, kind: str, actor: str, reason: str, data: str, previous: str
) -> str:
    """Return the SHA-256 (hex) that binds an event to its place; `data` is canonical JSON."""
    text = canonical([seq, float(at), float(wall), deployment, kind, actor, reason, data, previous])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def head_of(connection: Connection) -> Head:
    """Return the end of the chain, as the database's head row says it."""
    row = connection.execute(select(_HEAD.c.count, _HEAD.c.hash)).one_or_none()
    return Head(*row) if row is not None else Head(0, GENESIS)


def hash_at(connection: Connection, seq: int) -> str | None:
    """Return the hash of one event; None where there is no such event."""
    return connection.scalar(select(_EVENT.c.hash).where(_EVENT.c.seq == seq))


def lock_log(connection: Connection) -> Head:
    """Make other writers wait until this transaction ends, and return the end of the chain.

    On SQLite a transaction that writes is alone from its beginning; elsewhere the head's row is the lock.
    """
    return Head(*connection.execute(select(_HEAD.c.count, _HEAD.c.hash).with_for_update()).one())


def append(
    connection: Connection,
    *,
    at: float,
    wall: float,
    deployment: str,
    kind: str,
    actor: str,
    reason: str,
    data: Mapping[str, Any],
) -> Event:
    """Append an event within the caller's transaction, which must be one that writes.

    Raises:
        ValueError, TypeError: `data` is not JSON.
    """
    head = lock_log(connection)
    text = canonical(dict(data))
    deployment, kind, actor, reason = (storable(value) for value in (deployment, kind, actor, reason))
    actor = actor[:_ACTOR]  # a name that is too long is cut: no event is to be lost for that
    seq, at, wall = head.count + 1, float(at), float(wall)
    digest = hash_of(seq, at, wall, deployment, kind, actor, reason, text, head.hash)
    event = Event(seq, at, wall, deployment, kind, actor, reason, json.loads(text), head.hash, digest)
    insert_events(connection, [event], Head(seq, digest))
    return event


def insert_events(connection: Connection, events: Collection[Event], head: Head) -> None:
    """Store events that are chained already, and the end of the chain after them."""
    connection.execute(insert(_EVENT), [_values(event) for event in events])
    connection.execute(update(_HEAD).values(count=head.count, hash=head.hash))


def _values(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _EVENT.c.keys()} | {"data": canonical(event.data)}  # noqa: SIM118


def events(
    connection: Connection,
    *,
    deployment: str | None = None,
    after: int = 0,
    kinds: Collection[str] | None = None,
    actor: str | None = None,
    text: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[Event]:
    """Return events in their order (or the newest first).

    Args:
        connection: of the store.
        deployment, actor: only of this one.
        after: only those with a greater `seq`.
        kinds: only of these kinds.
        text: only those with this text, in capitals or not, in kind, actor, reason or data.
        limit: so many at most.
        newest_first: turns the order round, before `limit` is applied.
    """
    query = _ALL.order_by(_EVENT.c.seq.desc() if newest_first else _EVENT.c.seq).limit(limit)
    if after > 0:
        query = query.where(_EVENT.c.seq > after)
    if deployment is not None:
        query = query.where(_EVENT.c.deployment == deployment)
    if actor is not None:
        query = query.where(_EVENT.c.actor == actor)
    if kinds is not None:
        query = query.where(_EVENT.c.kind.in_(list(kinds)))
    if text:
        # `data` is kept in ASCII: what isn't is looked for as it is escaped there.
        escaped = json.dumps(text)[1:-1]
        columns = [_EVENT.c[name].icontains(text, autoescape=True) for name in ("kind", "actor", "reason")]
        query = query.where(or_(*columns, _EVENT.c.data.icontains(escaped, autoescape=True)))
    return [event_of(row) for row in connection.execute(query)]


def stream_rows(connection: Connection) -> Iterator[Row[Any]]:
    """Yield the rows of the log in their order, `data` as the text that was hashed, a few at a time."""
    yield from connection.execute(_ALL.order_by(_EVENT.c.seq).execution_options(yield_per=1000))


def event_of(row: Row[Any]) -> Event:
    """Read a row of the log; `data` that was tampered with and isn't a JSON object any more is shown as it stands."""
    fields = dict(row._mapping)
    try:
        data = json.loads(fields["data"])
    except (TypeError, ValueError):
        data = None
    return Event(**fields | {"data": data if isinstance(data, dict) else {"unreadable": str(fields["data"])}})


def storable(text: str) -> str:
    """Replace what some database doesn't take (NUL, half of a surrogate pair): no event is to be lost for that."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")

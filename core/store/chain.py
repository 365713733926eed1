"""Verification of the event log: walks the chain and says what was done to it, and to which event first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from core.store import schema
from core.store.anchor import FILE, Anchor, AnchorDamaged, read_anchor
from core.store.eventlog import GENESIS, Head, hash_of, head_of, stream_rows

if TYPE_CHECKING:
    from core.store.store import Store

_EVENT = schema.event
_RENUMBERED = 1000  # how many events that were removed, and the rest renumbered, are told as such


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found.

    Attributes:
        ok: nothing is wrong with the chain, as far as database and anchor can tell.
        count: events in the database. head: hash of the last one.
        anchored: how many of them the anchor vouches for; None without an anchor.
        seq: first event that is wrong, where there is one.
        problem: what is wrong with it, as a sentence; "" if `ok`.
        warning: what can't be vouched for although nothing is wrong; "" if there is no such thing.
    """

    ok: bool
    count: int
    head: str
    anchored: int | None
    seq: int | None = None
    problem: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Broken:
    seq: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class _Walk:
    """A chain that hangs together: its end, its first hash, and the hash where the anchor should be."""

    end: Head
    first: str
    at_anchor: str | None


def verify_log(store: Store) -> Verification:
    """Walk the whole chain, compare it with the head's row and with the anchor.

    Without a secret, whoever can write both database and anchor can forge both: keep copies of the anchor elsewhere.

    Raises:
        StoreUnavailable: the database can't be read.
    """
    # The anchor is read first: the chain may go on meanwhile, but what is anchored is committed.
    damage = ""
    try:
        anchor = read_anchor(store.home)
    except AnchorDamaged as error:
        anchor, damage = None, f"{error}: it was altered. Compare it with a copy; delete it only if there is none."
    except OSError as error:
        anchor, damage = None, f"{FILE} can't be read ({error.strerror}): check its owner and permissions"
    with store.read() as connection:
        count = connection.scalar(select(func.count()).select_from(_EVENT)) or 0
        head = head_of(connection)
        walk = _walk(connection, anchor.count if anchor else 0)
        problem = walk if isinstance(walk, _Broken) else _against_anchor(walk, anchor) or _against_head(walk, head)
    anchored = min(anchor.count, count) if anchor else None
    if problem is None and damage:
        problem = _Broken(None, damage)
    if problem is not None:
        return Verification(False, count, head.hash, anchored, problem.seq, problem.problem)
    return Verification(True, count, head.hash, anchored, warning=_warning(anchor, count))


def _warning(anchor: Anchor | None, count: int) -> str:
    if anchor is None:
        return (
            f"{FILE} is missing: a tail that was cut off, or a chain rewritten as a whole, would not be noticed. "
            "Put it back from a copy; otherwise the next event begins a new one."
        )
    if anchor.since > 0:
        return (
            f"{FILE} was begun anew when there were {anchor.since} events already: "
            "whether those were rewritten or cut before then can't be told."
        )
    if anchor.count == 0 and count > 0:
        return f"{FILE} vouches for none of the {count} events yet."
    return ""


def _walk(connection: Connection, anchored: int) -> _Walk | _Broken:
    end, first, at_anchor = Head(0, GENESIS), "", None
    for row in stream_rows(connection):
        place = end.count + 1
        if row.seq != place or row.previous != end.hash or not _fits(row, place):
            return _diagnose(connection, row, place, end.hash)
        end = Head(place, row.hash)
        if place == 1:
            first = row.hash
        if place == anchored:
            at_anchor = row.hash
    return _Walk(end, first, at_anchor)


def _against_anchor(walk: _Walk, anchor: Anchor | None) -> _Broken | None:
    if anchor is None or anchor.count == 0:
        return None
    if walk.end.count > 0 and anchor.first and anchor.first != walk.first:
        return _Broken(1, f"the chain was rewritten from its first event on: it isn't the one that {FILE} vouches for")
    if anchor.count > walk.end.count:
        seq = walk.end.count + 1
        return _Broken(seq, f"the tail was cut off: {_events(seq, anchor.count)} missing, which {FILE} vouches for")
    if anchor.hash != walk.at_anchor:
        return _Broken(
            anchor.count,
            f"the chain was rewritten at or before event {anchor.count}: it isn't the one that {FILE} vouches for",
        )
    return None


def _against_head(walk: _Walk, head: Head) -> _Broken | None:
    end = walk.end
    if head == end:
        return None
    if head.count > end.count:
        return _Broken(end.count + 1, f"the tail was cut off: {_events(end.count + 1, head.count)} missing")
    if head.count < end.count:
        seq = head.count + 1
        return _Broken(
            seq, f"event {seq} was inserted at the end, or the head's row altered: it says {head.count} events"
        )
    return _Broken(end.count, f"the head's row disagrees with event {end.count}: one of them was altered")


def _diagnose(connection: Connection, row: Row[Any], place: int, before: str) -> _Broken:
    """Say what was done where the chain breaks: `row` stands where event `place` should, after the hash `before`."""
    others = select(_EVENT).where(_EVENT.c.seq != row.seq).order_by(_EVENT.c.seq)
    rightful = next((r for r in connection.execute(others.where(_EVENT.c.previous == before)) if _fits(r, place)), None)
    if row.seq > place:
        if rightful is not None:
            return _Broken(place, f"event {place} was moved: the events were reordered")
        return _Broken(place, f"{_events(place, row.seq - 1)} missing: removed")
    if row.seq < place:
        return _Broken(row.seq, f"event {row.seq} was inserted: the log begins with event 1")
    if connection.execute(others.where(_EVENT.c.hash == row.hash)).first() is not None:
        return _Broken(place, f"event {place} was inserted: it is a copy of another one")
    after = connection.execute(others.where(_EVENT.c.hash == row.previous)).first()
    origin = 0 if row.previous == GENESIS else after.seq if after is not None else None  # what it was chained to
    if rightful is not None:
        if row.previous == before or origin is None:
            return _Broken(place, f"event {place} was inserted: the right one stands at {rightful.seq}")
        return _Broken(place, f"event {place} was reordered: the right one stands at {rightful.seq}")
    if row.previous == before:
        return _Broken(place, f"event {place} was altered: its hash doesn't fit what it says")
    # The row belongs somewhere else, or the ones before it aren't those that it was chained to.
    if origin is not None and origin < place - 1 and _fits(row, origin + 1):
        return _Broken(origin + 1, f"event {origin + 1} was inserted: the chain goes on without it")
    if _fits(row, place):
        seq = max(1, place - 1)
        return _Broken(seq, f"event {seq} was altered, its hash too: what follows is chained to another one")
    was = next((seq for seq in range(place + 1, place + _RENUMBERED) if _fits(row, seq)), None)
    if was is not None:
        return _Broken(place, f"{_events(place, was - 1)} missing: removed, and the rest renumbered")
    return _Broken(place, f"event {place} was altered: its hash doesn't fit what it says")


def _fits(row: Row[Any], seq: int) -> bool:
    """Whether the hash is right if the event stands at `seq`."""
    try:
        expected = hash_of(
            seq, row.at, row.wall, row.deployment, row.kind, row.actor, row.reason, row.data, row.previous
        )
    except (TypeError, ValueError):
        return False  # not even of the right type
    return bool(row.hash == expected)


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"

"""Calls and acknowledgements as the store remembers them; each change is one transaction with its event."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.delivery import Incident, incidents
from core.store import Store, Tx, events, schema

_CALLS, _ACKS, _LINKS = schema.oncall_call, schema.oncall_ack, schema.oncall_link
DUE, SENT, GIVEN_UP = "due", "sent", "given up"


class AckRefused(RuntimeError):
    """An acknowledgement that was not taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A message to one person about one incident; or, with `incident` "", about an event.

    Attributes:
        step, level: which call of the escalation. person: a name of the roster.
        state: "due", "sent" or "given up". attempts: so far. due: wall time of the next one. error: of the last.
    """

    id: str
    incident: str
    deployment: str
    step: int
    level: str
    person: str
    subject: str
    body: str
    state: str
    attempts: int
    created: float
    due: float
    sent: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Who acknowledged an incident, when (wall time), and how: "dashboard", "cli", "api" or "link"."""

    incident: str
    person: str
    at: float
    how: str


def add_call(tx: Tx, call: Call, actor: str) -> bool:
    """Remember a call that is to be made, with its event; False where that very call is known already."""
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(insert(_CALLS), {name: getattr(call, name) for name in Call.__dataclass_fields__})
    except IntegrityError:
        return False
    data = {"call": call.id, "incident": call.incident, "level": call.level, "person": call.person, "step": call.step}
    if call.incident:
        tx.append("called", actor, f"{call.level}: {call.person}", call.deployment, data)
    return True


def calls(connection: Connection, *, due_by: float | None = None, limit: int = 200) -> list[Call]:
    """Return calls, newest first; with `due_by` those that are to be made by then, oldest first."""
    query = select(_CALLS).limit(limit)
    if due_by is not None:
        query = query.where(_CALLS.c.state == DUE, _CALLS.c.due <= due_by).order_by(_CALLS.c.created, _CALLS.c.id)
    else:
        query = query.order_by(_CALLS.c.created.desc(), _CALLS.c.id)
    return [Call(**row._mapping) for row in connection.execute(query)]


def claim(tx: Tx, call: Call, until: float) -> bool:
    """Take a call to make it; False where somebody else has, or it is no longer to be made."""
    where = (_CALLS.c.id == call.id) & (_CALLS.c.state == DUE) & (_CALLS.c.due == call.due)
    done = tx.connection.execute(update(_CALLS).where(where).values(due=until, attempts=_CALLS.c.attempts + 1))
    return done.rowcount == 1


def note_sent(tx: Tx, call: Call, now: float, actor: str) -> None:
    """Remember that a call was made, with its event."""
    tx.connection.execute(update(_CALLS).where(_CALLS.c.id == call.id).values(state=SENT, sent=now, error=""))
    data = {"call": call.id, "incident": call.incident, "person": call.person}
    tx.append("call delivered", actor, f"{call.person}: {call.subject}", call.deployment, data)


def note_failed(tx: Tx, call: Call, error: str, again: float | None, actor: str) -> None:
    """Remember that a call could not be made; `again`: when it is tried next, None: it is given up."""
    values = {"error": error} | ({"state": GIVEN_UP} if again is None else {"due": again})
    tx.connection.execute(update(_CALLS).where(_CALLS.c.id == call.id).values(**values))
    if call.attempts == 0 or again is None:
        data = {"call": call.id, "incident": call.incident, "person": call.person, "given_up": again is None}
        tx.append("call failed", actor, f"{call.person}: {error}", call.deployment, data)


def drop_calls(tx: Tx, incident: str) -> None:
    """Forget calls about an incident that have not been made: it was acknowledged, or is over."""
    where = (_CALLS.c.incident == incident) & (_CALLS.c.state == DUE)
    tx.connection.execute(update(_CALLS).where(where).values(state=GIVEN_UP, error="no longer needed"))


def acknowledgements(connection: Connection) -> dict[str, Ack]:
    """Return all acknowledgements, by incident."""
    return {row.incident: Ack(row.incident, row.person, row.at, row.how) for row in connection.execute(select(_ACKS))}


def acknowledge(
    store: Store, incident: str, *, person: str, how: str, actor: str, now: float, comment: str = ""
) -> Ack:
    """Acknowledge an incident: from then on nobody is called about it. The first one counts; a second changes nothing.

    Raises:
        AckRefused: there is no such incident.
    """
    with store.transaction() as tx:
        return _acknowledge(tx, _incident(tx.connection, incident), person, how, actor, now, comment)


def _acknowledge(tx: Tx, found: Incident, person: str, how: str, actor: str, now: float, comment: str) -> Ack:
    known = acknowledgements(tx.connection).get(found.id)
    if known is not None:
        return known
    made = Ack(found.id, person, now, how)
    tx.connection.execute(insert(_ACKS), {"incident": found.id, "person": person, "at": now, "how": how})
    drop_calls(tx, found.id)
    reason = comment or f"{found.cause}: acknowledged"
    tx.append("acknowledged", actor, reason, found.deployment, {"incident": found.id, "person": person, "how": how})
    return made


def make_link(tx: Tx, incident: str, person: str, expires: float) -> str:
    """Make a secret for a link that acknowledges one incident as one person, once; kept as a hash."""
    secret = secrets.token_urlsafe(24)
    row = {"hash": _digest(secret), "incident": incident, "person": person, "expires": expires, "used": None}
    tx.connection.execute(insert(_LINKS), row)
    return secret


@dataclass(frozen=True, slots=True)
class Link:
    """What a link in a message is for, as its page shows it. `refusal`: why it does nothing (any more)."""

    incident: Incident | None
    person: str
    refusal: str
    ack: Ack | None = None


def look_at_link(connection: Connection, secret: str, now: float) -> Link:
    """Return what a link is for; looking changes nothing."""
    row = connection.execute(select(_LINKS).where(_LINKS.c.hash == _digest(secret))).first()
    if row is None:
        return Link(None, "", "this link is not known here")
    found = next((i for i in incidents(connection) if i.id == row.incident), None)
    ack = acknowledgements(connection).get(row.incident)
    refusal = ""
    if row.used is not None:
        refusal = "this link was used already"
    elif now >= row.expires:
        refusal = "this link has expired; acknowledge it on the On-call page, or by `canary ack`"
    elif ack is not None:
        refusal = f"{ack.person} has acknowledged it already"
    return Link(found, row.person, refusal, ack)


def use_link(store: Store, secret: str, now: float) -> Ack:
    """Acknowledge by a link, once.

    Raises:
        AckRefused: it is unknown, used, expired, or somebody else was faster.
    """
    with store.transaction() as tx:
        link = look_at_link(tx.connection, secret, now)
        if link.refusal or link.incident is None:
            raise AckRefused(link.refusal or "there is no such incident any more")
        where = (_LINKS.c.hash == _digest(secret)) & _LINKS.c.used.is_(None)
        if tx.connection.execute(update(_LINKS).where(where).values(used=now)).rowcount != 1:
            raise AckRefused("this link was used already")
        return _acknowledge(tx, link.incident, link.person, "link", f"link:{link.person}", now, "")


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is open, since when (wall time), and who has acknowledged it."""

    incident: Incident
    opened: float
    ack: Ack | None


def open_incidents(connection: Connection) -> list[OpenIncident]:
    """Return the incidents that are open, oldest first."""
    found = incidents(connection, open_only=True)
    if not found:
        return []
    walls = {str(e.data.get("incident")): e.wall for e in events(connection, kinds=("incident opened",))}
    acks = acknowledgements(connection)
    told = [OpenIncident(i, walls.get(i.id, 0.0), acks.get(i.id)) for i in found]
    return sorted(told, key=lambda o: o.opened)


def _incident(connection: Connection, wanted: str) -> Incident:
    found = next((i for i in incidents(connection) if i.id == wanted), None)
    if found is None:
        raise AckRefused(f"there is no incident {wanted!r}; `canary ack` lists those that are open")
    return found


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

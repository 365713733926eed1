"""Signing off: decisions of people in seats, each one transaction with its event, bound to the gate that they saw."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, insert, select, update

from core.delivery import records
from core.delivery.gate import GO, NO_GO, Decision, Tally, asked_of, tally
from core.delivery.model import Status
from core.store import Store, Tx, schema

_TABLE = schema.sign_off
MAX_COMMENT = 1000


class SignOffRefused(RuntimeError):
    """A decision that was not taken; the text says why, and what to do."""


def decisions(connection: Connection, deployment: str, gate: str | None = None) -> list[Decision]:
    """Return the decisions on a deployment (at a gate), oldest first; withdrawn and stale ones, too."""
    query = select(_TABLE).where(_TABLE.c.deployment == deployment).order_by(_TABLE.c.at, _TABLE.c.id)
    if gate is not None:
        query = query.where(_TABLE.c.gate == gate)
    return [Decision(**row._mapping) for row in connection.execute(query)]


def standing(connection: Connection, status: Status) -> Tally | None:
    """Return how the sign-off that is asked for now stands; None where none is."""
    asked = asked_of(status)
    if asked is None or not status.gate:
        return None
    return tally(asked, decisions(connection, status.id, status.gate), status.gate)


def sign(
    store: Store,
    deployment: str,
    *,
    person: str,
    seats: Iterable[str],
    decision: str,
    comment: str,
    actor: str,
    seat: str | None = None,
    gate: str | None = None,
) -> Decision:
    """Record what a person decides at the gate of a deployment.

    Args:
        person: their address. seats: that they hold, from who they are. seat: which of these, where there are several
            that are asked for; never one that they don't hold.
        gate: that they looked at; a decision for another one is refused. None: the present one.

    Raises:
        SignOffRefused: nobody is asked, not theirs to decide, or not what they saw any more.
        records.Unknown: there is no such deployment.
    """
    comment = " ".join(comment.split())
    if decision not in {GO, NO_GO}:
        raise SignOffRefused(f"{decision!r} is no decision: say {GO} or {NO_GO}")
    if not comment:
        raise SignOffRefused("say why in a comment: it goes onto the sign-off sheet")
    if len(comment) > MAX_COMMENT:
        raise SignOffRefused(f"a comment of at most {MAX_COMMENT} characters, please")
    with store.transaction() as tx:
        status, asked_seats = _open_gate(tx, deployment, gate)
        chosen = _seat(tuple(seats), asked_seats, seat)
        for other in decisions(tx.connection, deployment, status.gate):
            if not other.stands_at(status.gate):
                continue
            if other.person == person and other.seat != chosen:
                raise SignOffRefused(f"you have decided already, for {other.seat}: one person, one seat")
            if other.seat == chosen:
                if (other.person, other.decision) == (person, decision):
                    return other
                whose = "you" if other.person == person else other.person
                raise SignOffRefused(f"{whose} said {other.decision} for {chosen}: withdraw that first")
        now = store.clock().now()
        made = Decision(
            uuid.uuid4().hex[:12], deployment, status.attempt, status.phase, status.gate, chosen, person, decision,
            comment, now,
        )  # fmt: skip
        tx.connection.execute(insert(_TABLE), asdict(made))
        tx.append("signed off" if decision == GO else "sign-off refused", actor, comment, deployment, _data(made))
    return made


def withdraw(store: Store, deployment: str, *, person: str, actor: str, reason: str) -> Decision:
    """Take back what a person decided at the present gate.

    Raises:
        SignOffRefused: nobody is asked any more, or they have decided nothing that stands.
        records.Unknown: there is no such deployment.
    """
    with store.transaction() as tx:
        status, _ = _open_gate(tx, deployment, None)
        found = decisions(tx.connection, deployment, status.gate)
        mine = next((d for d in found if d.person == person and d.stands_at(status.gate)), None)
        if mine is None:
            raise SignOffRefused("you have decided nothing here that could be withdrawn")
        now = store.clock().now()
        tx.connection.execute(update(_TABLE).where(_TABLE.c.id == mine.id).values(withdrawn=now))
        tx.append("sign-off withdrawn", actor, reason or "withdrawn", deployment, _data(mine))
    return mine


def _open_gate(tx: Tx, deployment: str, gate: str | None) -> tuple[Status, tuple[str, ...]]:
    status = records.read_status(tx.connection, deployment)
    asked = asked_of(status)
    if not status.gate or asked is None or status.state.ended:
        if asked is None or status.state.ended:
            raise SignOffRefused(f"nobody is asked to sign off {deployment}: it is {status.state}")
        name = status.plan.phases[status.phase].name
        raise SignOffRefused(f"nobody is asked to sign off yet: {name} is still under way")
    if gate is not None and gate != status.gate:
        raise SignOffRefused("the verdicts have changed since you looked: look again, then decide")
    return status, asked.seats


def _seat(held: tuple[str, ...], asked: tuple[str, ...], wanted: str | None) -> str:
    mine = [seat for seat in asked if seat in held]
    if wanted is not None and wanted not in mine:
        raise SignOffRefused(f"you don't hold the seat {wanted!r}")
    if not mine:
        have = (
            f"you hold {', '.join(sorted(held))}"
            if held
            else "you hold none (docs/sign-in.md says how seats are given)"
        )
        raise SignOffRefused(f"this sign-off asks for {', '.join(asked)}; {have}")
    if wanted is None and len(mine) > 1:
        raise SignOffRefused(f"you hold {' and '.join(mine)}: say for which of them you decide")
    return wanted or mine[0]


def _data(made: Decision) -> dict[str, object]:
    return {
        "gate": made.gate,
        "seat": made.seat,
        "person": made.person,
        "decision": made.decision,
        "attempt": made.attempt,
        "phase": made.phase,
    }

"""Deployments, checkpoints, verdicts, incidents and drills as the store remembers them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.delivery.model import State, Status, Verdict
from core.delivery.plan import Plan
from core.delivery.planfile import parse_plan
from core.delivery.wire import verdict_from_json, verdict_to_json
from core.store import Event, Tx, events, schema

_COLUMNS = ("id", "state", "revision", "share", "created")  # of Status, that have a column of their own


class Unknown(LookupError):
    """There is no deployment with that id."""


class Conflict(RuntimeError):
    """Somebody else changed the deployment in between; nothing was done."""


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """What was judged at one checkpoint. `number` counts from 0 within the phase; `late_s` is in plan seconds."""

    deployment: str
    attempt: int
    phase: int
    number: int
    at: float
    late_s: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that a person has to look into; times are plan time."""

    id: str
    deployment: str
    opened: float
    closed: float | None
    cause: str
    summary: str


@dataclass(frozen=True, slots=True)
class Drill:
    """One rollback, measured: what decided it, and how long each step took, in plan and in wall seconds.

    `switched_*` and `verified_*` run from the decision; None where it has not happened. `unverified` says why a
    rollback could not be verified from traffic, and how it was shown instead.
    """

    deployment: str
    attempt: int
    actor: str
    reason: str
    by_person: bool
    decided_at: float
    decided_wall: float
    switched_plan_s: float | None = None
    switched_wall_s: float | None = None
    verified_plan_s: float | None = None
    verified_wall_s: float | None = None
    unverified: str = ""


def assignment_salt(plan: Plan) -> str:
    """Return what seeds the assignment of learners: the plan's salt, else one for each flag and candidate."""
    return plan.salt or f"{plan.flag}:{plan.candidate}"


def add_deployment(tx: Tx, status: Status) -> None:
    """Insert a new deployment."""
    plan = status.plan
    fixed = {
        "flag": plan.flag,
        "plan": plan.text,
        "baseline": plan.baseline,
        "candidate": plan.candidate,
        "salt": assignment_salt(plan),
    }
    tx.connection.execute(insert(schema.deployment).values(**_row_of(status), **fixed))


def replace_deployment(tx: Tx, before: Status, after: Status) -> None:
    """Write a deployment's new status if it still is at the revision it was read at.

    Raises:
        Conflict: it isn't.
    """
    table = schema.deployment
    where = (table.c.id == before.id) & (table.c.revision == before.revision)
    if tx.connection.execute(update(table).where(where).values(**_row_of(after))).rowcount != 1:
        raise Conflict(f"deployment {before.id} was changed by somebody else")


def read_status(connection: Connection, deployment_id: str) -> Status:
    """Return a deployment's status.

    Raises:
        Unknown: there is no such deployment.
    """
    query = select(schema.deployment).where(schema.deployment.c.id == deployment_id)
    row = None if "\0" in deployment_id else connection.execute(query).one_or_none()  # PostgreSQL takes no NUL in text
    if row is None:
        raise Unknown(f"there is no deployment {deployment_id!r}")
    return _status_of(row)


def read_all(connection: Connection, flag: str | None = None) -> list[Status]:
    """Return every deployment (of a flag), newest first."""
    query = select(schema.deployment).order_by(schema.deployment.c.created.desc(), schema.deployment.c.id)
    if flag is not None:
        query = query.where(schema.deployment.c.flag == flag)
    return [_status_of(row) for row in connection.execute(query)]


def add_checkpoint(tx: Tx, record: CheckpointRecord) -> bool:
    """Insert what was judged at a checkpoint; False if that checkpoint is there already."""
    values = asdict(record) | {"verdict": verdict_to_json(record.verdict)}
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(insert(schema.checkpoint).values(**values))
    except IntegrityError:
        return False
    return True


def checkpoints(connection: Connection, deployment_id: str, attempt: int | None = None) -> list[CheckpointRecord]:
    """Return the checkpoints judged so far, in order."""
    table = schema.checkpoint
    query = select(table).where(table.c.deployment == deployment_id)
    if attempt is not None:
        query = query.where(table.c.attempt == attempt)
    rows = connection.execute(query.order_by(table.c.attempt, table.c.phase, table.c.number))
    return [CheckpointRecord(**dict(row._mapping) | {"verdict": verdict_from_json(row.verdict)}) for row in rows]


def put_latest_verdict(tx: Tx, deployment_id: str, verdict: Verdict) -> None:
    """Keep the monitor's latest word on a deployment."""
    table = schema.latest_verdict
    values = {"at": verdict.at, "verdict": verdict_to_json(verdict)}
    if not tx.connection.execute(update(table).where(table.c.deployment == deployment_id).values(**values)).rowcount:
        tx.connection.execute(insert(table).values(deployment=deployment_id, **values))


def latest_verdict(connection: Connection, deployment_id: str) -> Verdict | None:
    """Return the monitor's latest word on a deployment."""
    table = schema.latest_verdict
    value = connection.execute(select(table.c.verdict).where(table.c.deployment == deployment_id)).scalar_one_or_none()
    return None if value is None else verdict_from_json(value)


def open_incident(tx: Tx, deployment_id: str, cause: str, summary: str, actor: str) -> Incident:
    """Open an incident and say so in the event log."""
    incident = Incident(uuid.uuid4().hex[:12], deployment_id, tx.store.clock().now(), None, cause, summary)
    tx.connection.execute(insert(schema.incident).values(**asdict(incident), by_monitor=actor == "monitor"))
    tx.append("incident opened", actor, summary, deployment_id, {"incident": incident.id, "cause": cause})
    return incident


def close_incident(tx: Tx, incident: Incident, actor: str, reason: str) -> None:
    """Close an incident and say so in the event log."""
    now = tx.store.clock().now()
    tx.connection.execute(update(schema.incident).where(schema.incident.c.id == incident.id).values(closed=now))
    tx.append("incident closed", actor, reason, incident.deployment, {"incident": incident.id, "cause": incident.cause})


def incidents(connection: Connection, deployment_id: str | None = None, *, open_only: bool = False) -> list[Incident]:
    """Return incidents, newest first."""
    table = schema.incident
    query = select(table).order_by(table.c.opened.desc(), table.c.id)
    if deployment_id is not None:
        query = query.where(table.c.deployment == deployment_id)
    if open_only:
        query = query.where(table.c.closed.is_(None))
    return [
        Incident(row.id, row.deployment, row.opened, row.closed, row.cause, row.summary)
        for row in connection.execute(query)
    ]


def drills(connection: Connection, deployment_id: str | None = None) -> list[Drill]:
    """Return every rollback and its measured times, newest first, read off the event log."""
    kinds = ("rolled back", "traffic switched", "rollback verified", "rollback unverified")
    return measure_drills(events(connection, deployment=deployment_id, kinds=kinds))


def measure_drills(log: Sequence[Event]) -> list[Drill]:
    """Pair each rollback in a log (oldest first) with the events that followed it; newest first."""
    found: list[Drill] = []
    under_way: dict[str, int] = {}
    for event in log:
        if event.kind == "rolled back":
            under_way[event.deployment] = len(found)
            found.append(
                Drill(
                    event.deployment,
                    int(event.data["attempt"]),
                    event.actor,
                    event.reason,
                    bool(event.data["by_person"]),
                    event.at,
                    event.wall,
                )
            )
            continue
        index = under_way.get(event.deployment)
        if index is None:
            continue
        drill = found[index]
        if event.kind == "traffic switched" and event.data["share"] == 0 and drill.switched_plan_s is None:
            found[index] = replace(
                drill, switched_plan_s=event.at - drill.decided_at, switched_wall_s=event.wall - drill.decided_wall
            )
        elif event.kind == "rollback verified":
            verified = float(event.data["verified_at"])
            found[index] = replace(
                drill,
                verified_plan_s=verified - drill.decided_at,
                verified_wall_s=float(event.data["verified_wall"]) - drill.decided_wall,
            )
            del under_way[event.deployment]
        elif event.kind == "rollback unverified":
            found[index] = replace(drill, unverified=event.reason)
            del under_way[event.deployment]
    return found[::-1]


@lru_cache(maxsize=64)
def _plan_of(text: str) -> Plan:
    return parse_plan(text, "stored plan")


def _row_of(status: Status) -> dict[str, Any]:
    fields = {name: getattr(status, name) for name in Status.__dataclass_fields__ if name not in ("plan", *_COLUMNS)}
    return {
        "id": status.id,
        "state": str(status.state),
        "revision": status.revision,
        "share": status.share,
        "created": status.created,
        "status": fields,
    }


def _status_of(row: Row[Any]) -> Status:
    return Status(
        id=row.id,
        plan=_plan_of(row.plan),
        state=State(row.state),
        revision=row.revision,
        share=row.share,
        created=row.created,
        **row.status,
    )

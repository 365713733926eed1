"""Deployments: looking at them, and acting on them."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from core.delivery import (
    Action,
    Busy,
    Command,
    Conflict,
    Outcome,
    PlanError,
    Status,
    Unknown,
    allowed,
    checkpoints,
    incidents,
    latest_verdict,
    parse_plan,
    status_to_json,
    verdict_to_json,
)
from core.store import events
from core.traffic import SwitchError
from core.web.actions import PROTECTS
from core.web.api.auth import Caller, Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import Problem
from core.web.api.schemas import CommandIn, DeploymentIn

router = APIRouter(prefix="/api/v1/deployments", tags=["deployments"])
READ = [Depends(require(Scope.READ))]
Actor = Annotated[Caller, Depends(require(Scope.ACT))]
Protector = Annotated[Caller, Depends(require(Scope.ACT, Scope.ROLL_BACK))]
DeploymentId = Annotated[str, Path(max_length=200)]

NEEDS_REASON = frozenset({Action.ROLL_BACK, Action.ABORT})
"""Actions that take something away; whoever reads the log later wants to know why."""

_PLAN_FILE = "plan"


def _not_too_often(context: Context, caller: Caller, *, protects: bool = False) -> None:
    wait_s = context.limits.wait_s(caller.actor, protects=protects)
    if wait_s:
        said = f"More than {context.settings.changes_per_minute} changes within a minute: wait {wait_s} s."
        raise Problem(429, said, headers={"Retry-After": str(wait_s)})


class ActionName(StrEnum):
    """What people can do to a deployment (all of `Action` but what only the monitor does)."""

    START = "start"
    ADVANCE = "advance"
    HOLD = "hold"
    RESUME = "resume"
    RETRY = "retry"
    ABORT = "abort"
    ROLLBACK = "rollback"


@router.get("", dependencies=READ)
def list_deployments(context: Ctx, flag: Annotated[str | None, Query(max_length=200)] = None) -> dict[str, Any]:
    """Return all deployments (of a flag), newest first."""
    found = [status for status in context.deliveries.all() if flag in {None, status.plan.flag}]
    return {"deployments": [status_to_json(status) for status in found]}


@router.post("", status_code=201)
def create_deployment(body: DeploymentIn, context: Ctx, caller: Actor, response: Response) -> dict[str, Any]:
    """Make a deployment of a plan, and start it if asked to."""
    _not_too_often(context, caller)
    try:
        plan = parse_plan(body.plan, _PLAN_FILE)
    except PlanError as error:
        problems = [asdict(problem) for problem in error.problems]
        raise Problem(422, str(error), title="The plan is not valid", problems=problems) from error
    try:
        status = context.deliveries.create(plan, caller.actor, body.reason)
    except Busy as error:
        raise Problem(409, str(error), title="Busy") from error
    except SwitchError as error:
        raise Problem(422, f"{error}.", title="The traffic switch can't do what the plan says") from error
    response.headers["Location"] = f"/api/v1/deployments/{status.id}"
    if not body.start:
        return {"deployment": status_to_json(status)}
    command = Command(Action.START, caller.actor, body.reason or "started with its creation")
    return _outcome(context.deliveries.command(status.id, command))


@router.get("/{deployment_id}", dependencies=READ)
def get_deployment(deployment_id: DeploymentId, context: Ctx) -> dict[str, Any]:
    """Return a deployment: where it stands, the monitor's latest verdict, incidents, and what can be done now."""
    status = _status(context, deployment_id)
    with context.store.read() as connection:
        verdict = latest_verdict(connection, deployment_id)
        found = incidents(connection, deployment_id)
    actions = allowed(status, context.store.clock().now())
    return {
        "deployment": status_to_json(status),
        "plan": status.plan.text,
        "verdict": verdict_to_json(verdict) if verdict is not None else None,
        "incidents": [asdict(incident) for incident in found],
        "actions": {str(action): refusal.reason if refusal else None for action, refusal in actions.items()},
    }


@router.get("/{deployment_id}/events", dependencies=READ)
def get_events(
    deployment_id: DeploymentId,
    context: Ctx,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Return events of a deployment in order; ask again with `after` = `next` for those that follow."""
    _status(context, deployment_id)
    with context.store.read() as connection:
        found = events(connection, deployment=deployment_id, after=after, limit=limit)
    return {"events": [asdict(event) for event in found], "next": found[-1].seq if found else after}


@router.get("/{deployment_id}/checkpoints", dependencies=READ)
def get_checkpoints(
    deployment_id: DeploymentId,
    context: Ctx,
    attempt: Annotated[int | None, Query(ge=1, le=10**6)] = None,
) -> dict[str, Any]:
    """Return what was judged at each checkpoint so far."""
    _status(context, deployment_id)
    with context.store.read() as connection:
        found = checkpoints(connection, deployment_id, attempt)
    return {
        "checkpoints": [
            {
                "attempt": record.attempt,
                "phase": record.phase,
                "number": record.number,
                "at": record.at,
                "late_s": record.late_s,
                "verdict": verdict_to_json(record.verdict),
            }
            for record in found
        ]
    }


@router.post("/{deployment_id}/{action}")
def act(
    deployment_id: DeploymentId, action: ActionName, body: CommandIn, context: Ctx, caller: Protector
) -> dict[str, Any]:
    """Act on a deployment. `already`: it was so before; what can't be done now is a 409 that says why."""
    asked = Action(action)
    protects = asked in PROTECTS
    if not protects and Scope.ACT not in caller.scopes:
        raise Problem(403, f"This token is for {', '.join(sorted(PROTECTS))} only, not for {asked}.")
    _not_too_often(context, caller, protects=protects)
    if asked in NEEDS_REASON and not body.reason:
        raise Problem(422, f"Give a reason to {asked}: it goes into the event log.", title="Not valid")
    command = Command(asked, caller.actor, body.reason or f"{asked} asked for", extend_s=body.extend_s)
    try:
        outcome = context.deliveries.command(deployment_id, command, expected_revision=body.expected_revision)
    except Unknown as error:
        raise Problem(404, str(error)) from error
    except Conflict as error:
        raise Problem(409, f"{error}. Look again.", title="Conflict") from error
    return _outcome(outcome)


def _status(context: Context, deployment_id: str) -> Status:
    try:
        return context.deliveries.status(deployment_id)
    except Unknown as error:
        raise Problem(404, str(error)) from error


def _outcome(outcome: Outcome) -> dict[str, Any]:
    refusal = outcome.refusal
    if refusal is not None and not refusal.already:
        raise Problem(409, refusal.reason, title="Refused", deployment=status_to_json(outcome.status))
    return {
        "deployment": status_to_json(outcome.status),
        "already": refusal is not None,
        "switched": outcome.switched,
        "note": refusal.reason if refusal is not None else outcome.note,
    }

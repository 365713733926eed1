"""Signing off over HTTP: what there is to agree to, and the decisions of those whose token says who they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from core.delivery import (
    SignOffRefused,
    Status,
    Unknown,
    asked_of,
    decisions,
    latest_verdict,
    sign,
    standing,
    verdict_to_json,
    withdraw,
)
from core.identity import PeopleError, Person
from core.web.api.auth import Caller, Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import Problem
from core.web.api.schemas import Body

router = APIRouter(prefix="/api/v1/deployments", tags=["sign-off"])
Approver = Annotated[Caller, Depends(require(Scope.APPROVE))]
DeploymentId = Annotated[str, Path(max_length=200)]
_Text = Annotated[str, Field(min_length=1, max_length=1000)]
_Gate = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ApprovalIn(Body):
    """A decision. Whose it is and in which seat follows from the token; `seat` only chooses among those they hold."""

    decision: Literal["go", "no-go"]
    comment: _Text = Field(description="why; it stands on the sign-off sheet")
    gate: _Gate = Field(description="what was looked at, as GET .../approvals says; refused if it has changed")
    seat: Annotated[str, Field(max_length=40)] | None = None


class WithdrawalIn(Body):
    """Taking a decision back."""

    reason: Annotated[str, Field(max_length=1000)] = ""


@router.get("/{deployment_id}/approvals", dependencies=[Depends(require(Scope.READ, Scope.APPROVE))])
def get_approvals(deployment_id: DeploymentId, context: Ctx) -> dict[str, Any]:
    """Return what there is to agree to now (`gate`), who has decided what, and every earlier decision."""
    status = _status(context, deployment_id)
    asked = asked_of(status)
    with context.store.read() as connection:
        found = decisions(connection, deployment_id)
        counted = standing(connection, status)
        verdict = latest_verdict(connection, deployment_id)
    return {
        "deployment": deployment_id,
        "gate": status.gate or None,
        "seats": list(asked.seats) if asked is not None else [],
        "quorum": asked.quorum if asked is not None else None,
        "complete": counted.complete if counted is not None else None,
        "missing": list(counted.missing) if counted is not None else [],
        "verdict": verdict_to_json(verdict) if verdict is not None and status.gate else None,
        "decisions": [asdict(d) | {"stands": d.stands_at(status.gate)} for d in found],
    }


@router.post("/{deployment_id}/approvals", status_code=201)
def approve(deployment_id: DeploymentId, body: ApprovalIn, context: Ctx, caller: Approver) -> dict[str, Any]:
    """Decide, in a seat that the token's owner holds. The same decision again changes nothing."""
    who = _owner(context, caller)
    try:
        made = sign(
            context.store,
            deployment_id,
            person=who.id,
            seats=who.seats,
            decision=body.decision,
            comment=body.comment,
            actor=caller.actor,
            seat=body.seat,
            gate=body.gate,
        )
    except Unknown as error:
        raise Problem(404, str(error.args[0])) from error
    except SignOffRefused as error:
        raise Problem(409, f"{str(error)[0].upper()}{str(error)[1:]}.", title="Refused") from error
    return asdict(made) | {"stands": True}


@router.post("/{deployment_id}/approvals/withdraw")
def take_back(deployment_id: DeploymentId, body: WithdrawalIn, context: Ctx, caller: Approver) -> dict[str, Any]:
    """Withdraw what the token's owner decided, while the gate is shut."""
    who = _owner(context, caller)
    try:
        gone = withdraw(context.store, deployment_id, person=who.id, actor=caller.actor, reason=body.reason)
    except Unknown as error:
        raise Problem(404, str(error.args[0])) from error
    except SignOffRefused as error:
        raise Problem(409, f"{str(error)[0].upper()}{str(error)[1:]}.", title="Refused") from error
    return asdict(gone) | {"stands": False}


def _owner(context: Context, caller: Caller) -> Person:
    """Return whose token it is, with the seats that the file of people gives them now."""
    try:
        return context.stored.people.read().listed(caller.owner, "api")
    except PeopleError as error:
        raise Problem(403, "The file of people has mistakes, so nobody has a seat until it is mended.") from error


def _status(context: Context, deployment_id: str) -> Status:
    try:
        return context.deliveries.status(deployment_id)
    except Unknown as error:
        raise Problem(404, str(error.args[0])) from error

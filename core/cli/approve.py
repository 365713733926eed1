"""`canary approve`: sign off what a phase asks agreement for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.delivery import find
from core.cli.output import USAGE, fail, out, print_json
from core.cli.root import DeploymentId, Json, app, deliveries, this_person
from core.delivery import (
    Deliveries,
    SignOffRefused,
    Status,
    asked_of,
    decisions,
    latest_verdict,
    sign,
    standing,
    withdraw,
)


class DecisionName(StrEnum):
    """What can be said."""

    GO = "go"
    NO_GO = "no-go"


@app.command()
def approve(
    decision: Annotated[
        DecisionName | None, typer.Option("--decision", help="Without one: what there is to agree to.")
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="Why; it stands on the sign-off sheet.")] = "",
    seat: Annotated[
        str | None, typer.Option("--seat", help="For which of the seats that you hold; needed where there are several.")
    ] = None,
    gate: Annotated[
        str | None, typer.Option("--gate", metavar="HASH", help="What you looked at; refused if it has changed since.")
    ] = None,
    take_back: Annotated[bool, typer.Option("--withdraw", help="Take your decision back.")] = False,
    deployment: DeploymentId = None,
    as_json: Json = False,
) -> None:
    """Sign off, in the seat that is yours: the file of people (CANARY_PEOPLE) says who you are and which you hold.

    Exit code 1 when nobody is asked, or it isn't yours to decide.
    """
    if take_back and decision is not None:
        fail("--withdraw goes without --decision", USAGE)
    who = this_person()
    with deliveries() as service:
        status = find(service, deployment)
        try:
            if take_back:
                made = withdraw(service.store, status.id, person=who.id, actor=who.actor, reason=comment)
            elif decision is not None:
                made = sign(
                    service.store,
                    status.id,
                    person=who.id,
                    seats=who.seats,
                    decision=decision,
                    comment=comment,
                    actor=who.actor,
                    seat=seat,
                    gate=gate,
                )
            else:
                _show(service, status, as_json)
                return
        except SignOffRefused as error:
            fail(str(error))
        if as_json:
            print_json(asdict(made))
            return
        done = "withdrawn" if take_back else "signed"
        out.print(f"{done}: {made.decision} for {escape(made.seat)} by {escape(made.person)}")
        with service.store.read() as connection:
            out.print(escape(str(standing(connection, service.status(status.id)))))


def _show(service: Deliveries, status: Status, as_json: bool) -> None:
    asked = asked_of(status)
    with service.store.read() as connection:
        found = decisions(connection, status.id)
        counted = standing(connection, status)
        verdict = latest_verdict(connection, status.id)
    if as_json:
        print_json(
            {
                "deployment": status.id,
                "gate": status.gate or None,
                "seats": list(asked.seats) if asked else [],
                "quorum": asked.quorum if asked else None,
                "complete": counted.complete if counted else None,
                "decisions": [asdict(d) | {"stands": d.stands_at(status.gate)} for d in found],
            }
        )
        return
    if counted is None:
        waits = f"{status.plan.phases[status.phase].name} is under way" if asked else f"it is {status.state}"
        out.print(f"{escape(status.id)}: nothing to sign off now; {escape(waits)}")
    else:
        out.print(f"{escape(status.id)}: {escape(status.why)}; {escape(str(counted))}", soft_wrap=True)
        out.print(f"gate {status.gate}", soft_wrap=True)
        for finding in verdict.criteria if verdict is not None else ():
            out.print(f"  {finding.state}: {escape(finding.sentence)}", soft_wrap=True)
    if found:
        table = Table()
        for heading in ("seat", "who", "decision", "comment", "when", ""):
            table.add_column(heading)
        for d in found:
            state = "" if d.stands_at(status.gate) else "withdrawn" if d.withdrawn is not None else "stale"
            when = datetime.fromtimestamp(d.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
            table.add_row(escape(d.seat), escape(d.person), d.decision, escape(d.comment), when, state)
        out.print(table)

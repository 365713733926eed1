"""`canary ack`: somebody looks after an incident, so that nobody else is called. `canary on-call`: who would be."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import USAGE, fail, out, print_json
from core.cli.root import Json, app, settings, store, this_person
from core.delivery.words import duration
from core.oncall import LEVELS, AckRefused, OpenIncident, RosterError, acknowledge, load_roster, open_incidents


@app.command()
def ack(
    incident: Annotated[
        str | None, typer.Argument(metavar="[INCIDENT]", help="Its id; without one: what is open.")
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="For the event log.")] = "",
    as_json: Json = False,
) -> None:
    """Acknowledge an incident: from then on nobody is called about it. It does not roll anything back."""
    who = this_person()
    with store() as opened:
        if incident is None:
            with opened.read() as connection:
                _list(open_incidents(connection), as_json)
            return
        try:
            made = acknowledge(
                opened,
                incident,
                person=who.id,
                how="cli",
                actor=who.actor,
                now=time.time(),
                comment=comment,
            )
        except AckRefused as error:
            fail(str(error))
    if as_json:
        print_json(asdict(made))
    else:
        out.print(f"acknowledged by {escape(made.person)}, {_time(made.at)}: nobody else is called about it")


@app.command("on-call")
def on_call(as_json: Json = False) -> None:
    """Say who is on call now, level by level, by the roster (CANARY_ROSTER); check the roster on the way."""
    path = settings().roster
    if path is None:
        fail("there is no roster: set CANARY_ROSTER to a file (docs/on-call.md)", USAGE)
    try:
        roster = load_roster(path)
    except RosterError as error:
        fail(str(error))
    now = time.time()
    found = {level: roster.on_call(level, now) for level in LEVELS}
    if as_json:
        print_json({level: None if m is None else {"name": m.name, "address": m.address} for level, m in found.items()})
        return
    for level, member in found.items():
        out.print(f"{level}: {'nobody' if member is None else escape(f'{member.name} <{member.address}>')}")


def _list(found: list[OpenIncident], as_json: bool) -> None:
    if as_json:
        print_json({"incidents": [asdict(o) for o in found]})
        return
    if not found:
        out.print("no incident is open")
        return
    table = Table()
    for heading in ("incident", "since", "what", "why", "acknowledged"):
        table.add_column(heading)
    for o in found:
        acked = "no" if o.ack is None else f"{o.ack.person}, {_time(o.ack.at)}"
        since = f"{_time(o.opened)}, {duration(max(0.0, time.time() - o.opened))} ago"
        table.add_row(o.incident.id, since, escape(o.incident.cause), escape(o.incident.summary), escape(acked))
    out.print(table)


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")

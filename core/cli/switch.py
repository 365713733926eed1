"""`canary switch`: what was decided, what the traffic switch does, and setting it anew."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, actor, app, deliveries
from core.delivery import Deliveries, read_switch, restore_switch
from core.delivery.words import percent
from core.traffic import committed_rule


@app.command()
def switch(
    flag: Annotated[str | None, typer.Option("--flag", help="Which flag; default: all of them.")] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Set it anew to what was decided, whatever it does now.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the event log.")] = "",
    as_json: Json = False,
) -> None:
    """Say what share of the learners was decided and what the traffic switch does; exit code 1 where they differ.

    Examples:

      canary switch

      canary switch --restore --reason "HAProxy was replaced"
    """
    if restore and not reason.strip():
        fail('--restore needs --reason: it is what the log will say, such as --reason "HAProxy was replaced"', USAGE)
    with deliveries() as service:
        flags = list(dict.fromkeys(s.plan.flag for s in service.all() if s.phase >= 0))
        if flag is not None and flag not in flags:
            fail(f"no deployment of flag {flag!r} has begun; known: {', '.join(flags) or 'none'}")
        wanted = flags if flag is None else [flag]
        if restore:
            for name in wanted:
                restore_switch(service, name, actor(), reason)
        found = [_facts(service, name) for name in wanted]
        if as_json:
            print_json({"switch": service.switch.name, "flags": found})
        else:
            _print(service, found)
    if any(told["problem"] for told in found):
        stop(NO)


def _facts(service: Deliveries, flag: str) -> dict[str, Any]:
    reading = read_switch(service, flag)
    rule = committed_rule(service.store, flag)
    facts: dict[str, Any] = {
        "flag": flag,
        "decided": None if rule is None else rule.share,
        "share": None,
        "lowest": None,
        "restart": None,
        "problem": "",
    }
    if reading is None:
        return facts | {"problem": "a decision is on its way to the switch and has not been confirmed"}
    if reading.seen is not None:
        facts |= {"share": reading.seen.share, "lowest": reading.seen.lowest, "restart": reading.seen.restart}
    return facts | {"problem": reading.problem}


def _print(service: Deliveries, found: list[dict[str, Any]]) -> None:
    out.print(escape(service.switch.name), soft_wrap=True)
    if not found:
        out.print("no deployment has begun: every learner gets the baseline")
    for told in found:
        after = "" if told["restart"] is None else f", {percent(told['restart'])} after a restart"
        if not told["problem"]:
            out.print(f"[bold]{escape(told['flag'])}[/]: {percent(told['share'])} of the learners, as decided{after}")
        else:
            err.print(f"[bold]{escape(told['flag'])}[/]: [red]{escape(told['problem'])}[/]", soft_wrap=True)

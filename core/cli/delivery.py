"""Commands that act on a deployment: deploy, status, advance, hold, resume, retry, abort, rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import DeploymentId, Json, Reason, actor, app, deliveries
from core.delivery import (
    DRILL_FLAG,
    Action,
    Busy,
    Command,
    Deliveries,
    Outcome,
    PlanError,
    Status,
    Unknown,
    Verdict,
    latest_verdict,
    load_plan,
    status_to_json,
    verdict_to_json,
)
from core.delivery.words import duration, percent
from core.traffic import SwitchError


@app.command()
def deploy(
    path: Annotated[Path, typer.Argument(metavar="PLAN.yaml")],
    reason: Reason = "",
    draft: Annotated[bool, typer.Option("--draft", help="Only remember it; start it later on the Live page.")] = False,
    as_json: Json = False,
) -> None:
    """Remember a plan as a deployment and start it: at its planned time, or now if that is past."""
    try:
        plan = load_plan(path)
    except PlanError as error:
        err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    with deliveries() as service:
        try:
            status = service.create(plan, actor(), reason)
        except (Busy, SwitchError) as error:
            fail(str(error))
        if draft:
            _answer(service, Outcome(status, None, True), as_json)
        else:
            _answer(service, service.command(status.id, Command(Action.START, actor(), reason or "deployed")), as_json)


@app.command()
def status(deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Say how the deployment stands, and what the monitor last found."""
    with deliveries() as service:
        found = find(service, deployment)
        with service.store.read() as connection:
            verdict = latest_verdict(connection, found.id)
        if as_json:
            print_json(status_to_json(found) | {"verdict": verdict and verdict_to_json(verdict)})
        else:
            _print_status(service, found, verdict)


@app.command()
def advance(reason: Reason, deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Go to the next phase now, whatever its criteria say."""
    _act(Command(Action.ADVANCE, actor(), reason), deployment, as_json)


@app.command()
def hold(reason: Reason, deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Stay at this share of the traffic until told to resume; triggers stay armed."""
    _act(Command(Action.HOLD, actor(), reason), deployment, as_json)


@app.command()
def resume(
    reason: Reason,
    extend_min: Annotated[
        float, typer.Option("--extend-min", min=0, help="Lengthen the phase by so many minutes.")
    ] = 0.0,
    deployment: DeploymentId = None,
    as_json: Json = False,
) -> None:
    """Go on after a hold, with more time for the phase if asked for."""
    _act(Command(Action.RESUME, actor(), reason, extend_s=60 * extend_min), deployment, as_json)


@app.command()
def retry(reason: Reason, deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Start the same version again from the first phase, after a rollback or an abort."""
    _act(Command(Action.RETRY, actor(), reason), deployment, as_json)


@app.command()
def abort(reason: Reason, deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Give the deployment up; all traffic goes to the baseline."""
    _act(Command(Action.ABORT, actor(), reason), deployment, as_json)


@app.command()
def rollback(reason: Reason, deployment: DeploymentId = None, as_json: Json = False) -> None:
    """Send all traffic to the baseline at once. Needs no running server and no monitor; safe to repeat.

    Exit code 1 where it is decided and recorded, but the traffic switch has not confirmed it: run it again.
    """
    _act(Command(Action.ROLL_BACK, actor(), reason), deployment, as_json)


def _act(command: Command, deployment: str | None, as_json: bool) -> None:
    if not command.reason.strip():
        fail("--reason must not be empty: it is what the log will say", USAGE)
    with deliveries() as service:
        found = _serving(service) if deployment is None and command.action is Action.ROLL_BACK else None
        found = found or find(service, deployment)
        _answer(service, service.command(found.id, command), as_json)


def _serving(service: Deliveries) -> Status | None:
    """Return the deployment whose candidate has traffic now, which a draft of the next one is not; None without any."""
    flags = dict.fromkeys(s.plan.flag for s in service.all())
    deciding = [found for flag in flags if (found := service.deciding(flag)) is not None]
    serving = [s for s in deciding if s.state.carries_traffic]
    under_way = [s for s in serving if not s.state.ended]
    if len(serving) > 1 and len(under_way) != 1:
        _ask_which(serving)
    return next(iter(under_way or serving), None)


def _ask_which(statuses: list[Status]) -> NoReturn:
    fail(
        f"{len(statuses)} deployments are active; name one: " + ", ".join(f"--deployment {s.id}" for s in statuses),
        USAGE,
    )


def find(service: Deliveries, deployment: str | None) -> Status:
    """Return the deployment that was named, or the only active one; ends the command where that can't be told."""
    if deployment is not None:
        try:
            return service.status(deployment)
        except Unknown as error:
            known = ", ".join(s.id for s in service.all()[:5]) or "none"
            fail(f"{error.args[0]}; known: {known}")
    statuses = [s for s in service.all() if s.plan.flag != DRILL_FLAG]
    active = [s for s in statuses if not s.state.ended]
    if len(active) > 1:
        _ask_which(active)
    if not statuses:
        fail("there is no deployment yet; `canary deploy PLAN.yaml` makes one")
    return active[0] if active else service.deciding(statuses[0].plan.flag) or statuses[0]


def _answer(service: Deliveries, outcome: Outcome, as_json: bool) -> None:
    refusal = outcome.refusal
    if as_json:
        document: dict[str, Any] = {
            "done": refusal is None,
            "already": refusal is not None and refusal.already,
            "refused": refusal.reason if refusal else None,
            "switched": outcome.switched,
            "note": outcome.note,
            "status": status_to_json(outcome.status),
        }
        print_json(document)
    elif refusal is not None:
        err.print(
            f"[yellow]{'nothing to do' if refusal.already else 'refused'}:[/] {escape(refusal.reason)}", soft_wrap=True
        )
    else:
        _print_status(service, outcome.status, None)
        if outcome.note:
            err.print(f"[yellow]{escape(outcome.note)}[/]", soft_wrap=True)
    if (refusal is not None and not refusal.already) or not outcome.switched:
        stop(NO)  # whoever scripts a rollback must not go on while the traffic is where it was


def _print_status(service: Deliveries, status: Status, verdict: Verdict | None) -> None:
    plan, now = status.plan, service.store.clock().now()
    out.print(f"[bold]{escape(status.id)}[/]: [bold]{status.state}[/], attempt {status.attempt}", soft_wrap=True)
    if status.phase < 0:
        out.print("it has not moved any traffic")
    else:
        out.print(
            f"{escape(plan.candidate)} gets {percent(status.share)} of the learners, {escape(plan.baseline)} the rest"
        )
    out.print(escape(status.why), soft_wrap=True)
    if status.needs_switch:
        out.print("[yellow]the traffic switch has not confirmed this yet[/]")
    if status.phase_ends is not None and not status.state.ended:
        left = status.phase_ends - now
        when = f"{duration(left)} left" if left > 0 else f"ended {duration(-left)} ago"
        out.print(f"phase {escape(plan.phases[status.phase].name)}: {when}")
    if plan.simulated:
        out.print(f"[magenta]simulated: {escape(plan.simulated)}[/]")
    if verdict is None:
        return
    table = Table(title=f"judged {duration(max(0.0, now - verdict.at))} ago", title_justify="left")
    for heading in ("", "figure", "state", "why"):
        table.add_column(heading)
    for finding in (*verdict.criteria, *verdict.triggers, *verdict.guardrails):
        table.add_row(str(finding.role), finding.figure.label, str(finding.state), escape(finding.sentence))
    out.print(table)

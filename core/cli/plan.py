"""`canary plan check`: what a plan says, what it will see, and what its triggers will and won't catch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, err, out, print_json, stop
from core.cli.root import Json, app
from core.delivery import PlanError, describe, false_rollback_table, load_plan

plan_app = typer.Typer(no_args_is_help=True, help="Read and check plans.")
app.add_typer(plan_app, name="plan")


@plan_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(metavar="PLAN.yaml")],
    requests_per_s: Annotated[
        float,
        typer.Option("--requests-per-s", min=0.001, max=1e9, help="Traffic of the whole service, requests a second."),
    ] = 150.0,
    learners: Annotated[
        int, typer.Option("--learners", min=1, max=10**11, help="Learners of the whole service.")
    ] = 500_000,
    runs: Annotated[
        int, typer.Option("--runs", min=100, help="Simulated roll-outs behind each row of the table.")
    ] = 2000,
    as_json: Json = False,
) -> None:
    """Check a plan and say it as a person would, with the samples and requests each phase will see.

    Exit code 1 when the plan has errors; each is named with file, line, column, field and what was expected.
    """
    try:
        plan = load_plan(path)
    except PlanError as error:
        if as_json:
            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        else:
            err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    description = describe(plan, requests_per_s=requests_per_s, learners=learners)
    rows = false_rollback_table(plan, requests_per_s=requests_per_s, runs=runs)
    if as_json:
        print_json({"ok": True, **description.as_json(), "table": [row.as_json() for row in rows]})
        return
    out.print(escape(description.text()), soft_wrap=True)
    table = Table(title=f"The triggers, by simulation, {runs:,} roll-outs a row", title_justify="left")
    for heading in ("phase", "what happens", "the plan", "half within", "90 % within"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row.cells())
    out.print(table)

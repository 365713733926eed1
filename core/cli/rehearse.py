"""`canary rehearse`: what would this plan have done with what was recorded?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, app
from core.delivery import PlanError, load_plan, rehearse_groups
from core.metrics import RecordedError, read_recorded


@app.command()
def rehearse(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE.csv", help="Recorded metrics of the new version.")],
    plan_path: Annotated[Path, typer.Option("--plan", metavar="PLAN.yaml", help="The plan to rehearse.")],
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="BASELINE.csv", help="Of the old version.")
    ] = None,
    where: Annotated[str | None, typer.Option("--where", metavar="COL=VALUE", help="Only these rows.")] = None,
    baseline_where: Annotated[str | None, typer.Option("--baseline-where", metavar="COL=VALUE")] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COL", help="One decision for each value of this column.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the judge over recorded metrics: when would it have rolled back, held, gone on?"""
    try:
        plan = load_plan(plan_path)
        groups = read_recorded(candidate, version=plan.candidate, where=pair(where, "--where"), by=by)
        old = None
        if baseline is not None:
            old = read_recorded(baseline, version=plan.baseline, where=pair(baseline_where, "--baseline-where"))
        elif baseline_where is not None:
            fail("--baseline-where goes with --baseline", USAGE)
    except (PlanError, RecordedError) as error:
        err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    results = rehearse_groups(plan, groups, old)
    told = [*groups.warnings, *(old.warnings if old is not None else ()), *(w for r in results for w in r.warnings)]
    for warning in dict.fromkeys(told):  # each once, in order
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    if as_json:
        documents = [result.as_json() for result in results]
        print_json(documents if by else documents[0])
        return
    table = Table()
    for heading in ("group", "samples", "decision", "at (UTC)", "figure", "why"):
        table.add_column(heading)
    for result in results:
        table.add_row(*map(escape, result.cells()))
    out.print(table)


def pair(text: str | None, option: str) -> tuple[str, str] | None:
    """Return COLUMN=VALUE as two; ends the command where it is something else."""
    if text is None:
        return None
    column, equals, value = text.partition("=")
    if not equals or not column:
        fail(f'{option} {text!r}: expected COLUMN=VALUE, such as --where "scenario=high_traffic/healthy"', USAGE)
    return column, value

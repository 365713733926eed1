"""`canary business-case`: what is the new version worth?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, app
from core.experiments.business_case import (
    Case,
    CaseError,
    LiftError,
    Measure,
    Outcome,
    assumptions,
    bar_said,
    beside,
    evaluate,
    load_case,
    load_lift,
    sentences,
    verdict,
)
from core.experiments.business_case import as_json as document_of


@app.command("business-case")
def business_case(
    path: Annotated[Path, typer.Argument(metavar="INPUTS.yaml", help="Such as data/business/first-user.yaml.")],
    lift_from: Annotated[
        Path | None,
        typer.Option(
            "--lift-from", metavar="RESULT.json", help="Take the lift from what `canary experiment --json` wrote."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Whose relative difference is the lift.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute annual benefit, payback, three-year value and multiple, with what isn't known of them.

    Each input is exact ("500,000"), an estimate with its 95 % interval ("5.8 % (5.4 % to 6.3 %)"), a range
    ("50 % to 100 %") or a sum ("180 K + 25 K"). Exit code 1 when the inputs have errors; each is named with file, line,
    column, field and what was expected.
    """
    if (lift_from is None) != (metric is None):
        fail("--lift-from and --metric go together", USAGE)
    try:
        case = load_case(path)
        if lift_from is not None and metric is not None:
            case = case.with_lift(load_lift(lift_from, metric))
    except CaseError as error:
        if as_json:
            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        else:
            err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    except LiftError as error:
        fail(str(error))
    outcome = evaluate(case.inputs)
    if as_json:
        print_json({"ok": True, **document_of(case, outcome)})
    else:
        _print(case, outcome)


def _print(case: Case, outcome: Outcome) -> None:
    if case.simulated:
        err.print(f"[yellow]simulated:[/] {escape(case.simulated)}", soft_wrap=True)
    table = Table(title=escape(case.name), title_justify="left")
    for heading in ("", "computed", "95 of 100 draws", *(["reported"] if case.reported else [])):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in beside(case, outcome):
        table.add_row(
            row.label,
            ", ".join(filter(None, (row.computed, row.note))),
            row.interval,
            *([row.reported] if case.reported else []),
        )
    out.print(table)
    for title, lines in (
        ("How it is computed", sentences(case, outcome)),
        (
            "What moves the annual benefit",
            [bar_said(bar, Measure.ANNUAL, case.currency) for bar in outcome.tornado[Measure.ANNUAL]],
        ),
        ("What is supposed", assumptions(case)),
    ):
        out.print(f"\n[bold]{title}[/]")
        for line in lines:
            out.print(f"  {escape(line)}", soft_wrap=True)
    out.print(f"\n{escape(verdict(outcome))}", soft_wrap=True)
    if case.lift_source:
        out.print(f"The lift is that of {escape(case.lift_source)}.", soft_wrap=True)
    if case.reported:
        whose = case.reported_by or "another document"
        out.print(
            f"Reported figures are those of {escape(whose)}; nothing here was computed from them.", soft_wrap=True
        )

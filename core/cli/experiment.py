"""`canary experiment`: is the new version better, and for whom?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, app
from core.experiments import (
    DataError,
    DeclarationError,
    DesignError,
    Examined,
    Findings,
    Loaded,
    MarginState,
    Question,
    day_number,
    document,
    examine,
    number,
    percent,
    probability,
    sentences,
    spread_sentence,
)

if TYPE_CHECKING:
    from core.experiments import Comparison, Segment

_HEADINGS = (
    "metric", "version", "control", "treatment", "difference", "relative", "p (Holm)", "would see", "method",
)  # fmt: skip
_NARROW = ("metric", "version", "level", "learners", "control", "treatment", "relative", "p (Holm)")
"""Columns that a terminal of 80 characters has room for."""
_WORDS = ("metric", "version", "level", "method")
_WIDE = 130

Data = Annotated[list[Path], typer.Argument(metavar="DATA...", help="CSV or Parquet files, or folders of them.")]
Metrics = Annotated[
    list[str],
    typer.Option(
        "--metric",
        metavar="NAME=KIND(COL)",
        help="mean(COL), rate(COL), rate(COL=WORD|WORD), ratio(NUM,DEN), roi(REVENUE,COST), revenue(COL, cap=99%), "
        "completion(EVENT, EXPOSURE, DAYS), churn(EVENT, EXPOSURE, DAYS). Repeat for more.",
    ),
]
Covariates = Annotated[
    list[str] | None,
    typer.Option("--covariate", metavar="NAME=COL", help="A number from before the experiment, for a metric (CUPED)."),
]
Where = Annotated[list[str] | None, typer.Option("--where", metavar="COL=VALUE", help="Only these rows.")]
Alpha = Annotated[float, typer.Option("--alpha", min=1e-9, max=0.5, help="1 - confidence of all intervals.")]


@app.command(
    epilog="Example: canary experiment learners.parquet --variant version --control original "
    '--metric "roi=roi(revenue,cost)" --metric "done=rate(completed)" --covariate "roi=revenue_before" --segment region'
)
def experiment(
    data: Data,
    variant: Annotated[str, typer.Option("--variant", metavar="COL", help="Column of the versions.")],
    control: Annotated[str, typer.Option("--control", metavar="VALUE", help="The old version, in that column.")],
    metric: Metrics,
    covariate: Covariates = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="COL", help="Show effects by it. Repeat for more.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="COL", help="What was randomised as a whole, such as classes.")
    ] = None,
    learner: Annotated[
        str | None, typer.Option("--learner", metavar="COL", help="Learners' ids: find those in two versions.")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--day", metavar="COL", help="Day on which a learner came in: does the effect fade?")
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(
            "--margin", metavar="NAME=-3%", help="Not worse than that: of the control's value, or -0.05 in the unit."
        ),
    ] = None,
    lower_is_better: Annotated[list[str] | None, typer.Option("--lower-is-better", metavar="NAME")] = None,
    expected: Annotated[
        str | None,
        typer.Option("--expected", metavar="SHARE", help="Planned share of the new version; or A=0.8,B=0.1,C=0.1."),
    ] = None,
    where: Where = None,
    alpha: Alpha = 0.05,
    fewest: Annotated[
        int, typer.Option("--min-segment", min=2, help="Learners of each arm below which a segment is not shown.")
    ] = 100,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DAY", help="Last day the data tell of, for windows.")
    ] = None,
    despite_split: Annotated[
        bool, typer.Option("--ignore-srm", help="Show effects though traffic was not split as planned.")
    ] = False,
    not_randomised: Annotated[
        bool, typer.Option("--not-randomised", help="Versions were not given by chance: differences, not effects.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare versions on declared metrics: effects with intervals, by segment, with what makes them doubtful.

    Exit code 1: the traffic was not split as planned, so that no effect is shown; or a declared margin is not shown to
    be kept; or the data can't be read.
    """
    question = Question(
        paths=tuple(map(str, data)),
        variant=variant,
        control=control,
        metrics=tuple(metric),
        covariates=tuple(covariate or ()),
        margins=tuple(margin or ()),
        lower_is_better=tuple(lower_is_better or ()),
        segments=tuple(segment or ()),
        cluster=cluster,
        learner=learner,
        day=day,
        expected=_shares(expected),
        where=pairs(where),
        alpha=alpha,
        fewest=fewest,
        as_of=_as_of(as_of),
        despite_split=despite_split,
        randomised=not not_randomised,
    )
    try:
        question.declared()
    except DeclarationError as error:
        fail(str(error), USAGE)
    try:
        examined = examine(question)
    except (DataError, DesignError) as error:
        fail(str(error))
    findings = examined.findings
    tell_rejected(examined)
    if as_json:
        told = {"simulated": examined.simulated} if examined.simulated else {}
        print_json(document(findings) | {"rejected": examined.rejected.to_json()} | told)
    else:
        _print(findings)
    missed = any(c.margin is not None and c.margin.state is not MarginState.MET for c in findings.comparisons)
    if findings.withheld or missed:
        stop(NO)


def _shares(text: str | None) -> dict[str, float] | float | None:
    if text is None:
        return None
    parts = [part.partition("=") for part in text.split(",")]
    try:
        if len(parts) == 1 and not parts[0][1]:
            share = float(text)
            if not 0 < share < 1:
                raise ValueError
            return share
        return {name.strip(): float(share) for name, _, share in parts}
    except ValueError:
        fail(
            f"--expected {text!r}: expected the new version's share, between 0 and 1, or each one's: old=9,new=1", USAGE
        )


def pairs(where: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Return COLUMN=VALUE options as pairs."""
    out = []
    for text in where or ():
        column, equals, value = text.partition("=")
        if not equals or not column:
            fail(f"--where {text!r}: expected COLUMN=VALUE, such as --where region=EU", USAGE)
        out.append((column, value))
    return tuple(out)


def _as_of(text: str | None) -> float | None:
    if text is None:
        return None
    day = day_number(text)
    if math.isnan(day):
        fail(f"--as-of {text!r}: expected a day such as 2025-10-31, or its number", USAGE)
    return day


def tell_rejected(loaded: Loaded | Examined) -> None:
    """Say on stderr whether learners were made up, and which rows were left out."""
    rejected = loaded.rejected
    if loaded.simulated:
        err.print(f"[magenta]simulated: {escape(loaded.simulated)}[/]", soft_wrap=True)
    if rejected.rows:
        reasons = ", ".join(f"{n:,} because {reason}" for reason, n in rejected.reasons.items())
        err.print(
            f"[yellow]note:[/] {rejected.rows:,} of {loaded.rows:,} rows left out: {escape(reasons)}", soft_wrap=True
        )
        for row in rejected.examples:
            err.print(f"  {escape(str(row))}", soft_wrap=True)


def _print(findings: Findings) -> None:
    split = findings.split
    told = ", ".join(f"{arm} {n:,}" for arm, n in split.observed.items())
    verdict = "as planned" if split.ok else "NOT AS PLANNED"
    test = f"; {probability(split.p_value)}: {verdict}" if findings.design.randomised else ", not randomised"
    out.print(f"split: {escape(told)}{test}", soft_wrap=True)
    for warning in findings.warnings:
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    if findings.withheld:
        err.print("[bold red]no effect is shown[/]; --ignore-srm shows them all the same", soft_wrap=True)
        return
    several = len(findings.treatments) > 1
    out.print(_table([dict(zip(_HEADINGS, _cells(found), strict=True)) for found in findings.comparisons], several))
    for said in sentences(findings):
        out.print(escape(said), soft_wrap=True)
    for dimension in findings.design.segments:
        _print_segment(findings, dimension)


def _cells(found: Comparison) -> list[str]:
    effect = found.effect
    return [
        found.metric.name,
        found.treatment,
        number(float(effect.control)),
        number(float(effect.treatment)),
        f"{number(float(effect.difference), signed=True)} [{number(float(effect.low), signed=True)}, "
        f"{number(float(effect.high), signed=True)}]",
        _relative(effect),
        _p(found.p_adjusted),
        number(float(effect.mde)),
        effect.method,
    ]


def _relative(effect: Any) -> str:
    if not math.isfinite(effect.relative_low):
        return "-"
    low, high = (percent(float(bound), signed=True) for bound in (effect.relative_low, effect.relative_high))
    return f"{percent(float(effect.relative), signed=True)} [{low}, {high}]"


def _p(p: float) -> str:
    return "-" if math.isnan(p) else probability(p).removeprefix("p = ").removeprefix("p ")


def _print_segment(findings: Findings, dimension: str) -> None:
    rows = [_level(row) for row in findings.segments if row.dimension == dimension]
    out.print(_table(rows, len(findings.treatments) > 1, f"by {dimension}"))
    for spread in findings.spreads:
        if spread.dimension == dimension:
            out.print(escape(spread_sentence(spread)), soft_wrap=True)


def _level(row: Segment) -> dict[str, str]:
    cells = {
        "metric": row.metric.name,
        "version": row.treatment,
        "level": row.level,
        "learners": f"{row.n_control + row.n_treatment:,}",
    }
    if row.effect is None:
        return {**cells, "difference": "", "relative": "too few to show", "p (Holm)": "", "shrunken": ""}
    return {
        **cells,
        "difference": number(float(row.effect.difference), signed=True),
        "relative": _relative(row.effect),
        "p (Holm)": _p(row.p_adjusted),
        "shrunken": number(row.shrunken, signed=True) if math.isfinite(row.shrunken) else "-",
    }


def _table(rows: Sequence[dict[str, str]], several: bool, title: str | None = None) -> Table:
    """Return a table of what the terminal has room for; `several`: versions, which must be told apart."""
    wide = out.width >= _WIDE
    kept = [h for h in rows[0] if (wide or h in _NARROW) and (several or h != "version")]
    table = Table(title=title and escape(title), title_justify="left")
    for heading in kept:
        table.add_column(heading, justify="left" if heading in _WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[heading]) for heading in kept))
    return table

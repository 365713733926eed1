"""`canary power`: how many learners would show an effect, and how small an effect would those there are show?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.experiment import Alpha, Covariates, Where, pairs, tell_rejected
from core.cli.output import USAGE, fail, out, print_json
from core.cli.root import Json, app
from core.experiments import (
    Baseline,
    DataError,
    DeclarationError,
    Roles,
    aggregate,
    baseline,
    declare,
    learners_needed,
    load,
    number,
    percent,
    power_of,
    settled,
    smallest_difference,
)

_AMOUNT = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STATED = re.compile(
    rf"(?:(?P<name>[^=]+)=)?\s*(?:(?:rate\s+)?(?P<rate>{_AMOUNT})\s*(?P<percent>%)?|"
    rf"mean\s+(?P<mean>{_AMOUNT})\s+sd\s+(?P<sd>{_AMOUNT}))\s*"
)
_SIZE = re.compile(rf"\s*(?P<size>{_AMOUNT})\s*(?P<percent>%)?\s*")


@app.command(
    epilog='Examples: canary power learners.parquet --metric "done=rate(completed)" --effect 2%   '
    'canary power --baseline "done=rate 0.75" --baseline "spend=mean 12 sd 30" --effect 2% --per-day 5000'
)
def power(
    data: Annotated[
        list[Path] | None, typer.Argument(metavar="[DATA...]", help="Learners as they are today: CSV or Parquet.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=KIND(COL)", help="As of `canary experiment`.")
    ] = None,
    covariate: Covariates = None,
    where: Where = None,
    stated: Annotated[
        list[str] | None,
        typer.Option("--baseline", metavar='"NAME=..."', help='Without data: "NAME=rate 0.75", "NAME=mean 12 sd 30".'),
    ] = None,
    effect: Annotated[
        str, typer.Option("--effect", metavar="2%", help="To be seen: of the value, or 0.05 in the metric's unit.")
    ] = "2%",
    learners: Annotated[
        int | None, typer.Option("--learners", min=4, help="In both versions together; default: those in the data.")
    ] = None,
    share: Annotated[float, typer.Option("--share", min=0.001, max=0.999, help="Of learners, for the new one.")] = 0.5,
    wanted: Annotated[float, typer.Option("--power", min=0.5, max=0.999, help="Chance to see the effect.")] = 0.8,
    per_day: Annotated[int | None, typer.Option("--per-day", min=1, help="New learners a day: how many days?")] = None,
    alpha: Alpha = 0.05,
    as_json: Json = False,
) -> None:
    """Say how many learners an experiment needs, and how small an effect it would see with those there are."""
    if bool(data) == bool(stated):
        fail("expected either DATA and --metric, or --baseline", USAGE)
    size = _SIZE.fullmatch(effect)
    if size is None or float(size["size"]) == 0:
        fail(f"--effect {effect!r}: expected 2% (of today's value) or 0.05 (in the metric's unit), not zero", USAGE)
    if data:
        found = _measured(data, metric or [], covariate or [], pairs(where))
    else:
        found = [_stated(text) for text in stated or ()]
    rows = []
    for base in found:
        difference = float(size["size"]) * (base.value / 100 if size["percent"] else 1)
        rows.append(_planned(base, difference, learners, share, wanted, per_day, alpha))
    if as_json:
        print_json({"alpha": alpha, "power": wanted, "share": share, "metrics": rows})
        return
    table = Table()
    headings = ("metric", "today", "to be seen", "learners needed", *(["days"] if per_day else []))
    for heading in (*headings, "learners", "would see", "chance"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in rows:
        table.add_row(*_row(row, per_day))
    out.print(table)
    out.print(
        f"two-sided, alpha {alpha:g}, power {percent(wanted)}, {percent(share)} of the learners in the new version",
        soft_wrap=True,
    )


def _row(row: dict[str, Any], per_day: int | None) -> list[str]:
    relative = "" if row["mde_relative"] is None else f" ({percent(row['mde_relative'])})"
    return [
        escape(row["name"]),
        number(row["baseline"]),
        number(row["effect"], signed=True),
        "-" if row["learners_needed"] is None else f"{row['learners_needed']:,}",
        *(["-" if row["days"] is None else f"{row['days']:,}"] if per_day else []),
        "-" if row["learners"] is None else f"{row['learners']:,}",
        "-" if row["mde"] is None else f"{number(row['mde'])}{relative}",
        "-" if row["chance"] is None else percent(row["chance"]),
    ]


def _measured(
    data: Sequence[Path], metrics: Sequence[str], covariates: Sequence[str], where: tuple[tuple[str, str], ...]
) -> list[Baseline]:
    try:
        declared = declare(metrics, covariates)
    except DeclarationError as error:
        fail(str(error), USAGE)
    try:
        loaded = load([str(path) for path in data], Roles(None, declared.inputs, where=where))
    except DataError as error:
        fail(str(error))
    tell_rejected(loaded)
    metrics_now = settled(declared.metrics, loaded.observations)
    table = aggregate(loaded.observations, metrics_now)
    return [baseline(metric, table.metrics[metric.name][0].total()) for metric in metrics_now]


def _stated(text: str) -> Baseline:
    match = _STATED.fullmatch(text)
    if match:
        name = (match["name"] or "metric").strip()
        if match["rate"]:
            rate = float(match["rate"]) / (100 if match["percent"] else 1)
            if 0 < rate < 1:
                return Baseline(name, rate, rate * (1 - rate), t=False)
        elif float(match["sd"]) > 0:
            return Baseline(name, float(match["mean"]), float(match["sd"]) ** 2)
    return fail(f'--baseline {text!r}: expected "NAME=rate 0.75", between 0 and 1, or "NAME=mean 12 sd 30"', USAGE)


def _planned(
    base: Baseline,
    difference: float,
    learners: int | None,
    share: float,
    wanted: float,
    per_day: int | None,
    alpha: float,
) -> dict[str, Any]:
    needed = mde = chance = None
    varies = base.variance > 0
    if difference and varies:
        needed = learners_needed(difference, base.variances(difference), share, alpha, wanted, base.t)
    n = learners or base.learners
    if n is not None and n >= 4 and varies:
        mde = smallest_difference(n, base.variances(0.0), share, alpha, wanted, base.t)
        chance = power_of(difference, n, base.variances(difference), share, alpha, base.t)
    return {
        "name": base.name,
        "baseline": base.value,
        "sd": math.sqrt(base.variance),
        "effect": difference,
        "learners_needed": needed,
        "days": math.ceil(needed / per_day) if needed and per_day else None,
        "learners": n,
        "mde": mde,
        "mde_relative": mde / base.value if mde is not None and base.value > 0 else None,
        "chance": chance,
    }

"""`canary calibrate`: how far beyond its own everyday may this service go before it is an alarm?"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import USAGE, err, fail, out, print_json
from core.cli.rehearse import pair
from core.cli.root import Json, app
from core.delivery import calibration
from core.delivery.words import percent
from core.metrics import RecordedError, read_recorded


@app.command()
def calibrate(
    healthy: Annotated[Path, typer.Argument(metavar="HEALTHY.csv", help="Recorded metrics while all was well.")],
    where: Annotated[str | None, typer.Option("--where", metavar="COL=VALUE", help="Only these rows.")] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", metavar="FAULTS.csv", help="Recorded metrics while something was broken.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COL", help="One fault for each value of this column.")
    ] = None,
    only: Annotated[str, typer.Option("--only", metavar="PATTERN", help="Of these, such as 'low/train-*'.")] = "*",
    allow: Annotated[
        float, typer.Option("--allow", min=0, max=50, metavar="PERCENT", help="Healthy spells that may be stopped.")
    ] = 100 * calibration.ALLOW,
    spell: Annotated[int, typer.Option("--spell", min=1, max=100_000, help="Samples that a spell has.")] = 12,
    as_json: Json = False,
) -> None:
    """Calibrate an alarm on the first half of a healthy record, and try it on the second half and on recorded faults.

    Prints beside it what a rule of thumb would have done (availability < 99 % or p99 > 1,000 ms in 2 of 5 samples).
    """
    if by is not None and faults is None:
        fail("--by goes with --faults", USAGE)
    try:
        record = read_recorded(healthy, version="healthy", where=pair(where, "--where"))
        broken = read_recorded(faults, version="fault", by=by) if faults is not None else None
        groups = [g for g in broken.groups if fnmatchcase(g.value or "", only)] if broken is not None else []
        if broken is not None and not groups:
            known = ", ".join((g.value or "") for g in broken.groups[:8])
            fail(f"--only {only!r}: no group of {faults} is named so; there are {known}", USAGE)
        trial = calibration.try_records(record.groups[0], groups, spell=spell, allow=allow / 100)
    except (RecordedError, calibration.CalibrationError) as error:
        fail(str(error))
    for warning in dict.fromkeys([*record.warnings, *(broken.warnings if broken is not None else ())]):
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    if as_json:
        print_json(calibration.document(trial))
        return
    _print(trial)


def _print(trial: calibration.Trial) -> None:
    alarm = trial.alarm
    table = Table(title="everyday, in the first half", title_justify="left")
    for heading in ("figure", "median", "95th worst percentile"):
        table.add_column(heading)
    for scale in alarm.scales:
        table.add_row(scale.figure.label, *calibration.everyday(scale))
    out.print(table)
    for figure in alarm.left_out:
        out.print(f"{figure.label} is left out: it does not vary, so nothing is beyond its everyday")
    out.print(
        f"alarm: a score over {alarm.limit:.2f} in the last {calibration.WINDOW} samples; of the {alarm.spells} spells "
        f"that it was found on it stops {alarm.allowed}",
        soft_wrap=True,
    )
    low, high = trial.stopped_interval()
    share = percent(trial.stopped / trial.spells) if trial.spells else "none"
    out.print(
        f"healthy, second half: stops {trial.stopped} of {trial.spells} spells ({share}, 95 % interval {percent(low)} "
        f"to {percent(high)}); the rule of thumb stops {trial.naive_stopped}",
        soft_wrap=True,
    )
    if not trial.faults:
        return
    table = Table()
    for heading in ("fault", "alarm after", "score", "figure", "rule of thumb"):
        table.add_column(heading)
    for fault in trial.faults:
        table.add_row(
            escape(fault.name),
            "missed" if fault.after is None else f"{fault.after} samples",
            f"{fault.score:.2f}",
            fault.figure.label,
            "missed" if fault.naive is None else f"{fault.naive} samples",
        )
    out.print(table)
    out.print(f"caught {trial.caught} of {len(trial.faults)} faults; the rule of thumb {trial.naive_caught}")

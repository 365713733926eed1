"""`canary cohorts`: who are the learners in this event log?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from core.cli.output import USAGE, err, fail, out, print_json
from core.cli.root import Json, app

if TYPE_CHECKING:
    from core.learners import Analysis

_STAGES = {"read": "reading", "traits": "computing traits", "cluster": "finding cohorts", "write": "writing"}


class Engine(StrEnum):
    """Where the traits are computed."""

    LOCAL = "local"
    DASK = "dask"


@app.command()
def cohorts(
    events: Annotated[str, typer.Argument(metavar="EVENTS", help="A file, a folder, or an SQLAlchemy URL.")],
    to: Annotated[
        Path, typer.Option("--out", metavar="FILE.parquet", help="One row a learner: traits, cohort, archetype.")
    ],
    format_: Annotated[
        str, typer.Option("--format", help="auto (by content), csv, parquet, jsonl, xapi, caliper, edx, oulad, sql.")
    ] = "auto",
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", metavar="FILE.yaml", help="Which columns are which; see docs/importing.md."),
    ] = None,
    query: Annotated[str | None, typer.Option("--query", metavar="SQL", help="What to select, for a database.")] = None,
    k: Annotated[int | None, typer.Option("--k", min=1, max=50, help="Cohorts; default: chosen from the data.")] = None,
    weeks: Annotated[int, typer.Option("--weeks", min=1, max=1040, help="Length of the window.")] = 12,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="End of the window, ISO 8601; default: the last event."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same cohorts.")] = 0,
    engine: Annotated[
        Engine, typer.Option("--engine", help="This process's threads, or a Dask cluster.")
    ] = Engine.LOCAL,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Of Dask's; default: a cluster of its own here."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", exists=True, file_okay=False, help="For temporary files; workers elsewhere need it, too."
        ),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", metavar="FILE", help="Write rejected rows there (.csv or JSON lines).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the cohorts of the learners in an event log.

    Exit code 1 when the events can't be read, or the answer not be written. Rows that can't be used are counted.
    """
    # Not at the top: what compiles code takes half a second to load, and no other command needs it.
    from core.learners import EventsError, MappingError, analyze, dask, open_events

    if scheduler is not None and engine is not Engine.DASK:
        fail("--scheduler goes with --engine dask", USAGE)
    end = _microseconds(as_of)
    try:
        stream = open_events(events, format_, mapping, query)
        if rejected is not None:
            stream.write_rejected(rejected)
        with dask(scheduler) if engine is Engine.DASK else nullcontext() as cluster, _progress() as tell:
            found = analyze(
                stream, to, k=k, as_of=end, weeks=weeks, seed=seed, progress=tell, folder=folder, engine=cluster
            )
    except (EventsError, MappingError) as error:
        fail(str(error))
    for note in found.notes:
        err.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if stream.rejected.rows:
        err.print(f"[yellow]note:[/] {escape(str(stream.rejected))}", soft_wrap=True)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found, to)


def _microseconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--as-of {text!r}: expected a time such as 2025-10-31 or 2025-10-31T12:00:00Z", USAGE)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Show on a terminal what is being done; nothing elsewhere."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def tell(stage: str, rows: int) -> None:
        if stage not in tasks:
            for task in tasks.values():
                bar.update(task, total=1, completed=1)
            tasks[stage] = bar.add_task(_STAGES[stage], total=None, told="")
        if rows:
            bar.update(tasks[stage], told=f"{rows:,} events")

    with bar:
        yield tell
        for task in tasks.values():
            bar.update(task, total=1, completed=1)


def _print(found: Analysis, to: Path) -> None:
    table = Table()
    for heading in ("cohort", "learners", "velocity", "concentration", "reuse", "recent reuse"):
        table.add_column(heading, justify="left" if heading == "cohort" else "right")
    for cohort in sorted(found.model.cohorts, key=lambda cohort: -cohort.learners):
        figures = [
            cohort.traits[name] for name in ("velocity", "concentration", "reuse_rate", "recency_weighted_reuse")
        ]
        told = ["" if figure is None else f"{figure:.2f}" for figure in figures]
        table.add_row(escape(cohort.name), f"{cohort.learners:,}", *told)
    out.print(table)
    for cohort in found.model.cohorts:
        out.print(escape(cohort.name + cohort.sentence.removeprefix(cohort.archetype)), soft_wrap=True)
    out.print(
        f"{found.learners:,} learners, {found.events:,} events, {found.seconds['total']:.1f} s: {escape(str(to))}"
    )

"""`canary cohorts`: who are the learners in this event log?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from core.cli.output import USAGE, err, fail, out, print_json
from core.cli.root import Json, app, settings
from core.store import Store, StoreUnavailable

if TYPE_CHECKING:
    from core.learners import Analysis, EventStream, Keeping

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
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE.parquet", help="Score learners with the cohorts that this earlier file has."
        ),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", min=1, max=50, help="Cohorts; default: chosen from the data.")] = None,
    weeks: Annotated[
        int | None, typer.Option("--weeks", min=1, max=1040, help="Length of the window. [default: 12]")
    ] = None,
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
    remember: Annotated[
        bool | None,
        typer.Option(
            "--remember/--no-remember",
            help="Show the run on the Cohorts page. Default: if there is an installation (its database).",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the cohorts of the learners in an event log.

    Exit code 1 when the events can't be read, or the answer not be written. Rows that can't be used are counted.

    Examples: `canary cohorts events.csv --out cohorts.parquet`,
    `canary cohorts new.csv --model cohorts.parquet --out new.parquet`,
    `canary cohorts postgresql+psycopg://me@host/lms --query "SELECT * FROM events" --out cohorts.parquet`
    """
    # Not at the top: what compiles code takes half a second to load, and no other command needs it.
    from core.learners import (
        WEEKS,
        EventsError,
        MappingError,
        analyze,
        dask,
        is_warm,
        open_events,
        read_model,
        score,
        warm,
    )

    if scheduler is not None and engine is not Engine.DASK:
        fail("--scheduler goes with --engine dask", USAGE)
    if model is not None and (k is not None or weeks is not None or engine is not Engine.LOCAL):
        fail("--model brings its cohorts and its window: --k, --weeks and --engine dask don't go with it", USAGE)
    _check_writable(to)
    end = _microseconds(as_of)
    run: str | None = None
    try:
        stream = open_events(events, format_, mapping, query)
        with _keeping(remember) as kept:
            if written := rejected or (kept and kept.files.rejected):
                stream.write_rejected(written)
            if not is_warm():
                err.print("compiling the analyzer, once: up to a minute ...")
                warm()
            with dask(scheduler) if engine is Engine.DASK else nullcontext() as cluster, _progress() as tell:
                if model is not None:
                    found = score(stream, read_model(model), to, as_of=end, progress=tell)
                else:
                    found = analyze(
                        stream, to, k=k, as_of=end, weeks=weeks or WEEKS, seed=seed, progress=tell, folder=folder,
                        engine=cluster,
                    )  # fmt: skip
            if kept:
                options = {"query": query, "format": format_, "weeks": weeks or WEEKS, "k": k, "seed": seed}
                options |= {"model": None if model is None else str(model.resolve())}
                run = _remembered(kept, found, stream, to, rejected, options | {"keep_events": False})
    except (EventsError, MappingError) as error:
        fail(str(error))
    for note in found.notes:
        err.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if stream.rejected.rows:
        err.print(f"[yellow]note:[/] {escape(str(stream.rejected))}", soft_wrap=True)
    if as_json:
        print_json(found.to_json() | {"run": run})
        return
    _print(found, to)
    if run is not None:
        out.print(f"On the Cohorts page: {_link(run)}", soft_wrap=True)


@contextmanager
def _keeping(wanted: bool | None) -> Iterator[Keeping | None]:
    """Yield what remembers the run in the home; None where it isn't wanted, or nobody has said so and there is none."""
    from core.learners import Keeping

    if wanted is False or (wanted is None and not _installed()):
        yield None
        return
    at = settings()
    try:
        store = Store.open(at.url, at.home)
    except (StoreUnavailable, OSError) as error:
        if wanted:
            fail(f"the run can't be remembered: {error}")
        err.print(f"[yellow]note:[/] the run won't be remembered: {escape(str(error))}", soft_wrap=True)
        yield None
        return
    try:
        with Keeping(store) as kept:
            yield kept
    finally:
        store.close()


def _check_writable(path: Path) -> None:
    """Find out before the work, and not after it, that there is no place for its answer."""
    if path.is_dir():
        fail(
            f"--out {path}: can't be written: it is a folder; expected the name of a file such as cohorts.parquet",
            USAGE,
        )
    if not path.parent.is_dir():
        fail(f"--out {path}: can't be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        fail(f"--out {path}: can't be written: no right to write into {path.parent}")


def _installed() -> bool:
    at = settings()
    return at.database_url is not None or (at.home / "canary.sqlite").exists()


def _remembered(
    kept: Keeping, found: Analysis, stream: EventStream, to: Path, rejected: Path | None, options: dict[str, Any]
) -> str | None:
    """Remember what was found; the answer is there without that, too."""
    from core.learners import EventsError

    try:
        return kept.keep(found, stream, to, rejected, options).id
    except (StoreUnavailable, EventsError, OSError) as error:
        err.print(f"[yellow]note:[/] the run isn't remembered: {escape(str(error))}", soft_wrap=True)
        return None


def _link(run: str) -> str:
    at = settings()
    host = "localhost" if at.host in ("0.0.0.0", "::") else at.host
    return f"http://{f'[{host}]' if ':' in host else host}:{at.port}/cohorts?run={run}"


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
        f"{_counted(found.learners, 'learner')}, {_counted(found.events, 'event')}, {found.seconds['total']:.1f} s: "
        f"{escape(str(to))}",
        soft_wrap=True,
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

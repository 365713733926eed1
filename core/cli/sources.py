"""`canary sources check`: what a sources file says, and what each of its queries answers now."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, app, deliveries, settings
from core.delivery import watched
from core.metrics import Client, PrometheusSource, QueryTold, SourcesError, Watched, load_sources, try_all
from core.store import Clock

sources_app = typer.Typer(no_args_is_help=True, help="Where figures come from: read and check a sources file.")
app.add_typer(sources_app, name="sources")


@sources_app.command("check")
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Default: the setting `sources`.", show_default=False)
    ] = None,
    version: Annotated[
        list[str] | None,
        typer.Option("--version", help="Ask about this version; several times. Default: those of the flag's plan."),
    ] = None,
    span: Annotated[float, typer.Option("--span", min=1, max=3600, help="Seconds a sample spans.")] = 30.0,
    offline: Annotated[bool, typer.Option("--offline", help="Only read the file; ask nobody.")] = False,
    as_json: Json = False,
) -> None:
    """Check a sources file, and try every query for the last span. Stores nothing.

    Exit code 1 when the file has errors (each named with line and column) or a query brings no figure.

    Example: canary sources check data/sources/example.yaml --version fast --version original
    """
    path = path or settings().sources
    if path is None:
        fail("name a file, or set CANARY_SOURCES", USAGE)
    try:
        sources = load_sources(path)
    except SourcesError as error:
        if as_json:
            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        else:
            err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    answers = [(source, [] if offline else _try(source, version, span)) for source in sources]
    ok = all(told.ok for _, found in answers for told in found)
    if as_json:
        print_json({"ok": ok, "sources": [_document(source, found) for source, found in answers]})
    else:
        for source, found in answers:
            _print(source, found)
    if not ok:
        stop(NO)


def _try(source: PrometheusSource, versions: list[str] | None, span_s: float) -> list[QueryTold]:
    names = tuple(versions or source.versions or _planned(source.flag))
    if not names:
        fail(f"no deployment of flag {source.flag!r} says which versions there are: give them with --version", USAGE)
    with Client(source) as client:
        return try_all(client, source, Watched(source.flag, span_s, names), Clock(), time.time())


def _planned(flag: str) -> tuple[str, ...]:
    with deliveries() as service:
        return next((entry.versions for entry in watched(service) if entry.flag == flag), ())


def _document(source: PrometheusSource, found: list[QueryTold]) -> dict[str, Any]:
    asked = [
        {
            "figure": t.figure,
            "version": t.version,
            "state": str(t.state),
            "value": t.value,
            "said": t.said,
            "query": t.query,
        }
        for t in found
    ]
    return {"name": source.name, "url": source.url, "flag": source.flag, "queries": asked}


def _print(source: PrometheusSource, found: list[QueryTold]) -> None:
    out.print(f"[bold]{escape(source.name)}[/]  {escape(source.url)}  flag {escape(source.flag)}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("figure", "version", "", "value", ""):
        table.add_column(heading)
    for told in found:
        colour = "green" if told.ok else "red"
        value = "" if told.value is None else f"{told.value:,.6g}"
        table.add_row(told.figure, escape(told.version), f"[{colour}]{told.state}[/]", value, escape(told.said))
    if not found:
        for figure in source.figures:
            how = "counted scrape by scrape" if figure.by_selector else "computed by the query"
            table.add_row(figure.figure, "", "", "", f"line {figure.line}: {how}")
    out.print(table)

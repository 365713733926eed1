"""`canary log`: the event log, read, verified, exported and imported."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.cli.output import NO, err, fail, out, print_json, stop
from core.cli.root import Json, app, deliveries, settings
from core.store import LogFileError, Store, events, export_log, import_log, verify_log


@app.command()
def log(
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the chain and its anchor; exit code 1 if broken.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write the whole log, a line an event.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Read an exported log into an empty database.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="ID", help="Only this deployment's events.")
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, max=1_000_000, help="How many events to show.")] = 50,
    as_json: Json = False,
) -> None:
    """Show what happened: who, when, why. The log is append-only and hash-chained."""
    if import_ is not None:
        _import(import_, as_json)
        return
    with deliveries() as service:
        store = service.store
        if verify:
            _verify(store, as_json)
        elif export is not None:
            try:
                with export.open("w", encoding="utf-8") as file, store.read() as connection:
                    written = export_log(connection, file)
            except OSError as error:
                fail(f"{export} can't be written: {error.strerror or error}")
            err.print(f"{written:,} events written to {escape(str(export))}")
        else:
            with store.read() as connection:
                found = events(connection, deployment=deployment, limit=last, newest_first=True)[::-1]
            if as_json:
                print_json([asdict(event) for event in found])
                return
            for event in found:
                at = dt.datetime.fromtimestamp(event.at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
                out.print(
                    f"[dim]{event.seq:>5}  {at}[/]  [bold]{escape(event.kind)}[/]  {escape(event.actor)}  "
                    f"[dim]{escape(event.deployment)}[/]  {escape(event.reason)}",
                    soft_wrap=True,
                )
            if not found:
                out.print("no events yet")


def _verify(store: Store, as_json: bool) -> None:
    result = verify_log(store)
    if as_json:
        print_json(asdict(result))
    elif result.ok:
        anchored = "no anchor" if result.anchored is None else f"anchored up to {result.anchored:,}"
        out.print(f"the log is whole: {result.count:,} events, head {result.head[:12]}…, {anchored}")
        if result.warning:
            err.print(f"[yellow]{escape(result.warning)}[/]", soft_wrap=True)
    else:
        err.print(f"[bold red]the log is broken:[/] {escape(result.problem)}", soft_wrap=True)
    if not result.ok:
        stop(NO)


def _import(path: Path, as_json: bool) -> None:
    at = settings()
    store = Store.open(at.url, at.home)
    try:
        count = import_log(store, path)
    except LogFileError as error:
        err.print(f"[bold red]not imported:[/] {escape(str(error))}", soft_wrap=True)
        stop(NO)
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror or error}")
    finally:
        store.close()
    if as_json:
        print_json({"imported": count})
    else:
        err.print(f"{count:,} events imported; the chain is the same")

"""`canary report`: documents for people, made from the event log."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.cli.output import NO, err, fail, stop
from core.cli.root import app, settings, store
from core.delivery import PlanError
from core.oncall import RosterError, duty_of
from core.reports import KINDS, Facts, UnknownDeployment, as_html, as_markdown, build, choose, facts_of, read_facts
from core.store import LogFileError, read_log


class Format(StrEnum):
    """What a report is written as."""

    MARKDOWN = "md"
    HTML = "html"


KindName = StrEnum("KindName", {name.upper().replace("-", "_"): name for name in KINDS})  # type: ignore[misc]

_LIST = "\n\n".join(f"{name}: {kind.about}" for name, kind in KINDS.items())


@app.command(
    help="Write a report from the event log, here or exported: the same log gives the same bytes.\n\n"
    + _LIST
    + "\n\nExamples: canary report summary --out summary.html; canary report rollback --log events.jsonl\n\n"
    "Exit code 1 when there is no such deployment, or the exported log isn't whole."
)
def report(
    kind: Annotated[KindName, typer.Argument(metavar="KIND", help=f"One of: {', '.join(KINDS)}.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="Default: what --out ends in, else Markdown.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not to stdout.")] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="ID", help="Which deployment; default: the latest.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="EXPORT.jsonl", help="An exported log; needs no database.")
    ] = None,
) -> None:
    """Write a report."""
    try:
        document = build(str(kind), _facts(log, deployment))
    except (UnknownDeployment, PlanError, RosterError) as error:
        fail(str(error))
    html = format_ is Format.HTML or (format_ is None and out is not None and out.suffix in {".html", ".htm"})
    text = as_html(document) if html else as_markdown(document)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        fail(f"{out} can't be written: {error.strerror or error}")
    err.print(f"{document.title} written to {escape(str(out))}", soft_wrap=True)


def _facts(log: Path | None, deployment: str | None) -> Facts:
    duty = duty_of(settings().roster)
    if log is None:
        with store() as opened, opened.read() as connection:
            return read_facts(connection, deployment, duty)
    try:
        found = read_log(log)
    except LogFileError as error:
        err.print(f"[bold red]no report:[/] {escape(str(error))}", soft_wrap=True)
        stop(NO)
    except OSError as error:
        fail(f"{log} can't be read: {error.strerror or error}")
    return facts_of(found, choose(found, deployment), duty)

"""`canary backup`, `canary restore`, `canary drill`: getting everything back, and knowing that it works."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

import core
from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, actor, app, deliveries, settings, store
from core.delivery import (
    RESTORE_DRILLED,
    ROLLBACK_DRILLED,
    back_to_baseline,
    drill_restore,
    drill_rollback,
)
from core.store import BackupError, Manifest, backup_name, events, make_backup, read_archive, restore_backup

drill = typer.Typer(help="Practise a rollback or a restore; no learner is moved.", no_args_is_help=True)
app.add_typer(drill, name="drill")

ROLLBACK_TARGET_S = 120.0


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        fail(str(error))


@app.command()
def backup(
    path: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: a new file in backups/ in CANARY_HOME.")
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Put tokens and the learners' key in, too: keep the file as safe as them.")
    ] = False,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Only check a backup that is there, byte by byte.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Back up database, event log and anchor into one file while everything goes on, and read it back.

    Tokens and the learners' key stay out unless asked for; assignments of cohorts are named, not copied.

    Examples:

      canary backup

      canary backup --out /mnt/backups/canary-monday.tar.gz

      canary backup --check /mnt/backups/canary-monday.tar.gz
    """
    if check is not None:
        with _said():
            manifest = read_archive(check)
        _tell(check, manifest, as_json)
        return
    at = settings()
    with store() as opened, _said():
        target = path or at.home / "backups" / backup_name(dt.datetime.now(dt.UTC))
        cohorts = sorted((at.home / "cohorts").glob("*.parquet"))
        with err.status("backing up ..."):
            manifest = make_backup(opened, target, program=core.__version__, secrets=secrets, references=cohorts)
    _tell(target, manifest, as_json)


def _tell(path: Path, manifest: Manifest, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(path), "bytes": path.stat().st_size} | manifest.to_json())
    else:
        rows = sum(manifest.tables.values())
        out.print(
            f"{escape(str(path))}: whole, {path.stat().st_size / 1e6:.1f} MB; as of {manifest.created}, "
            f"{manifest.events:,} events, {rows:,} rows; "
            + ("with secrets" if manifest.secrets else "without secrets"),
            soft_wrap=True,
        )
        if manifest.references:
            err.print(f"{len(manifest.references)} files of cohorts are named in it, not copied")
    if manifest.log_problem:
        err.print(f"[bold red]its event log is broken:[/] {escape(manifest.log_problem)}", soft_wrap=True)
        stop(NO)


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(metavar="BACKUP")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a database file that is there aside (it is kept).")
    ] = False,
    keep_traffic: Annotated[
        bool, typer.Option("--keep-traffic", help="Leave deployments that were under way as they were.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back as this installation's database; asks before it does.

    Stop every process that uses the database first. Deployments that were under way go back to the baseline, since
    nobody knows what was decided after the backup. PostgreSQL: let CANARY_DATABASE_URL name an empty database.

    Examples:

      canary restore data/state/backups/canary-20251031T120000Z.tar.gz

      canary restore canary-monday.tar.gz --replace --yes
    """
    at = settings()
    with _said():
        manifest = read_archive(path)
        if not yes:
            _ask(path, manifest, at.home)
        done = restore_backup(path, at.url, at.home.absolute(), replace=replace)
    with deliveries() as service:
        with service.store.transaction() as tx:
            data = {"backup": path.name, "created": manifest.created, "events": manifest.events}
            tx.append("restored", actor(), f"from a backup of {manifest.created}", data=data)
        reason = f"restored from a backup of {manifest.created}: what was decided since isn't known"
        rolled_back = [] if keep_traffic else back_to_baseline(service, actor(), reason)
    if as_json:
        print_json(
            {
                "restored": not done.problems,
                "problems": list(done.problems),
                "aside": None if done.aside is None else str(done.aside),
                "rolled_back": rolled_back,
                "manifest": manifest.to_json(),
            }
        )
    else:
        out.print(
            f"restored: {manifest.events:,} events, {sum(manifest.tables.values()):,} rows, as of {manifest.created}"
        )
        if done.aside is not None:
            out.print(f"what was there before is in {escape(str(done.aside))}", soft_wrap=True)
        for deployment in rolled_back:
            out.print(
                f"{escape(deployment)} was under way: rolled back; `canary retry` starts it again", soft_wrap=True
            )
        for problem in done.problems:
            err.print(f"[bold red]not as the backup says:[/] {escape(problem)}", soft_wrap=True)
    if done.problems:
        stop(NO)


def _ask(path: Path, manifest: Manifest, home: Path) -> None:
    if not sys.stdin.isatty():
        fail("nobody to ask whether to restore: add --yes", USAGE)
    err.print(
        f"{escape(str(path))} is of {manifest.created}: {manifest.events:,} events. What happened since is not in it. "
        f"It becomes the database of {escape(str(home))}.",
        soft_wrap=True,
    )
    if not typer.confirm("Restore it?", err=True):
        fail("not restored")


@drill.command("rollback")
def rollback_drill(as_json: Json = False) -> None:
    """Give a flag that nobody asks for to a candidate and take it back, the way of every rollback; measured.

    Exit code 1 if it did not work.
    """
    with deliveries() as service:
        done = drill_rollback(service, actor())
    if as_json:
        print_json(asdict(done) | {"target_s": ROLLBACK_TARGET_S})
    elif done.ok:
        out.print(
            f"rolled back in {1000 * done.decided_s:.0f} ms, seen by an evaluation after {1000 * done.seen_s:.0f} ms; "
            f"{done.astray} of {done.learners} evaluations astray (through {escape(done.switch)}; aim: under "
            f"{ROLLBACK_TARGET_S / 60:.0f} min)",
            soft_wrap=True,
        )
    else:
        err.print(f"[bold red]the rollback did not work:[/] {escape(done.problem)}", soft_wrap=True)
    if not done.ok:
        stop(NO)


@drill.command("restore")
def restore_drill(
    path: Annotated[
        Path | None, typer.Option("--from", metavar="BACKUP", help="Restore this one; default: a fresh one is made.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Restore a backup into a scratch place and compare it with the original: log, rows, flags; measured.

    Exit code 1 if it did not come back whole.
    """
    with deliveries() as service, _said(), err.status("...") as status:
        done = drill_restore(
            service, actor(), program=core.__version__, backup=path, told=lambda stage: status.update(f"{stage} ...")
        )
    if as_json:
        print_json(asdict(done))
    else:
        moved = f" ({done.moved_on} more have moved on since)" if done.moved_on else ""
        out.print(
            f"{escape(done.backup)} of {done.created}: {done.events:,} events, {done.rows:,} rows, {done.flags} flags "
            f"answer as the original{moved}; backup {done.backup_s:.1f} s, restore {done.restore_s:.1f} s, "
            f"comparison {done.verify_s:.1f} s",
            soft_wrap=True,
        )
        for problem in done.problems:
            err.print(f"[bold red]not whole:[/] {escape(problem)}", soft_wrap=True)
    if not done.ok:
        stop(NO)


@drill.command("history")
def history(as_json: Json = False) -> None:
    """List the drills there have been, newest first."""
    with store() as opened, opened.read() as connection:
        found = events(connection, kinds=(ROLLBACK_DRILLED, RESTORE_DRILLED), newest_first=True)
    if as_json:
        drills: list[dict[str, Any]] = [{"at": e.wall, "kind": e.kind, "actor": e.actor, **e.data} for e in found]
        print_json(drills)
        return
    for event in found:
        at = dt.datetime.fromtimestamp(event.wall, dt.UTC).strftime("%Y-%m-%d %H:%M")
        mark = "[green]ok[/]" if event.data.get("ok") else "[bold red]failed[/]"
        out.print(
            f"[dim]{at}[/]  {mark}  [bold]{event.kind}[/]  {escape(event.actor)}  {escape(event.reason)}",
            soft_wrap=True,
        )
    if not found:
        out.print("no drills yet: `canary drill rollback`, `canary drill restore`")

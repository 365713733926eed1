"""Bringing a backup back, into a place where nothing is lost by it, and proving that it came back whole."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, inspect, make_url

from core.store import anchor, migrations
from core.store.archive import Manifest, read_archive
from core.store.backup import DUMP, SECRETS, SQLITE, count_rows
from core.store.chain import verify_log
from core.store.engine import open_engine
from core.store.errors import BackupError, StoreUnavailable
from core.store.files import locked
from core.store.lease import current_lease
from core.store.pgtools import run_program
from core.store.store import Store


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back.

    Attributes:
        manifest: of the backup.
        aside: folder that what was there before was moved to; None where there was nothing.
        problems: what is not as the manifest says, as sentences; none normally.
    """

    manifest: Manifest
    aside: Path | None
    problems: tuple[str, ...]


def restore_backup(path: Path, url: str, home: Path, *, replace: bool = False, lease: str = "monitor") -> Restored:
    """Unpack a backup as the database and the home of an installation, and verify it there.

    A SQLite file that is there is moved aside with its anchor, if `replace` allows it. A database on a server must be
    empty: the one that it takes the place of stays as it is.

    Args:
        path: of the backup. url: of the database to be. home: directory of its anchor.
        replace: there may be a database already. lease: of those who may be at work on it.

    Raises:
        BackupError: the backup can't be used, or the place isn't free. StoreUnavailable: the database can't be used.
    """
    target = make_url(url)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / "store.lock"), tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as name:
            folder = Path(name)
            manifest = read_archive(path, folder)
            _fits(path, manifest, target)
            if manifest.kind == "sqlite":
                aside = _put_file(Path(str(target.database)), home, folder, replace, lease)
            else:
                aside = _put_dump(target, home, folder)
            for secret in SECRETS:
                if (folder / secret).exists():
                    os.replace(folder / secret, home / secret)
    except OSError as error:
        raise BackupError(f"{path} can't be restored into {home}: {error.strerror or error}") from error
    return Restored(manifest, aside, _verified(url, home, manifest))


def _fits(path: Path, manifest: Manifest, target: URL) -> None:
    if manifest.kind != target.get_backend_name():
        raise BackupError(
            f"{path} is of a {manifest.kind} database, and CANARY_DATABASE_URL names {target.get_backend_name()}: "
            f"name one of the same kind. The event log alone: `canary log --import` its events.jsonl"
        )
    if manifest.revision > migrations.HEAD:
        raise BackupError(
            f"{path} was made by version {manifest.program} with tables at revision {manifest.revision}; this program "
            f"knows them up to {migrations.HEAD}. Install that version"
        )


def _put_file(database: Path, home: Path, folder: Path, replace: bool, lease: str) -> Path | None:
    aside = None
    there = [p for p in (database, Path(f"{database}-wal"), Path(f"{database}-shm"), home / anchor.FILE) if p.exists()]
    if database.exists():
        _nobody_at_work(database, home, lease)
        if not replace:
            raise BackupError(
                f"{database} is there already. With --replace it is moved aside, and nothing of it is lost"
            )
    if there:
        aside = home / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        for old in there:
            os.replace(old, aside / old.name)
    database.parent.mkdir(parents=True, exist_ok=True)
    if (folder / anchor.FILE).exists():
        os.replace(folder / anchor.FILE, home / anchor.FILE)
    _move(folder / SQLITE, database)
    return aside


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError:  # another file system
        with source.open("rb") as old, target.open("xb") as new:
            while chunk := old.read(1 << 20):
                new.write(chunk)
            new.flush()
            os.fsync(new.fileno())


def _nobody_at_work(database: Path, home: Path, lease: str) -> None:
    """Raise BackupError while a monitor holds its lease; a file that can't be read has none that could act."""
    engine = open_engine(f"sqlite:///{database}")
    store = Store(str(engine.url), home, engine)
    try:
        with store.read() as connection:
            held = current_lease(connection, lease)
    except StoreUnavailable:
        return
    finally:
        store.close()
    if held is not None and held.is_held(time.time()):
        raise BackupError(f"a {lease} is at work on {database} ({held.holder}). Stop every process that uses it first")


def _put_dump(target: URL, home: Path, folder: Path) -> Path | None:
    engine = open_engine(target.render_as_string(hide_password=False), connections=1)
    store = Store(str(target), home, engine)
    try:
        with store.read() as connection:
            tables = inspect(connection).get_table_names()
    finally:
        store.close()
    if tables:
        raise BackupError(
            f"the database {target.database} has tables already. Make an empty one (createdb), let "
            "CANARY_DATABASE_URL name it, and restore there: the old one stays as it is"
        )
    run_program("pg_restore", target, "--single-transaction", "--no-owner", "--no-privileges", str(folder / DUMP))
    aside = None
    if (home / anchor.FILE).exists():
        aside = home / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        os.replace(home / anchor.FILE, aside / anchor.FILE)
    if (folder / anchor.FILE).exists():
        os.replace(folder / anchor.FILE, home / anchor.FILE)
    return aside


def _verified(url: str, home: Path, manifest: Manifest) -> tuple[str, ...]:
    engine = open_engine(url, connections=2)
    store = Store(url, home, engine)
    try:
        with store.read() as connection:
            rows = count_rows(connection)
        log = verify_log(store)
    finally:
        store.close()
    problems = [
        f"table {name} has {rows.get(name, 0):,} rows, not {expected:,}"
        for name, expected in manifest.tables.items()
        if rows.get(name) != expected
    ]
    if not log.ok and log.problem != manifest.log_problem:
        problems.append(f"the event log is broken: {log.problem}")
    if (log.count, log.head) != (manifest.events, manifest.head):
        problems.append(f"the event log ends at event {log.count:,}, not {manifest.events:,}")
    return tuple(problems)

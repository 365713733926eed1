"""Backups: one consistent moment of the database, its event log and anchor, while everything goes on."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, func, inspect, select, text

from core.store import anchor, migrations
from core.store.archive import Manifest, Member, Reference, member_of, read_archive, write_archive
from core.store.chain import verify_log
from core.store.engine import open_engine, patient, reader
from core.store.errors import BackupError
from core.store.eventlog import head_of
from core.store.pgtools import run_program
from core.store.store import Store
from core.store.transfer import export_log

SQLITE, DUMP, LOG = "database.sqlite", "database.pgdump", "events.jsonl"
SECRETS = ("tokens.json", "learner.key")
"""Files of home that are in a backup only if asked for."""


def backup_name(created: datetime) -> str:
    """Return what a backup of that moment is called."""
    return f"canary-{created:%Y%m%dT%H%M%SZ}.tar.gz"


def make_backup(
    store: Store,
    out: Path,
    *,
    program: str,
    secrets: bool = False,
    references: Iterable[Path] = (),
    created: datetime | None = None,
) -> Manifest:
    """Write a backup and read it back.

    Nobody waits for it: it is taken from a snapshot. Its event log is walked and compared with the anchor; one that is
    broken is kept as evidence, and the manifest says so.

    Args:
        store: to be backed up.
        out: file to be written; there must be none.
        program: version of this program.
        secrets: put tokens and the learners' key in, too.
        references: files to be named but not copied.
        created: now; an argument for tests.

    Raises:
        BackupError: it can't be made. StoreUnavailable: the database can't be read.
    """
    moment = created or datetime.now(UTC)
    if out.exists():
        raise BackupError(f"{out} is there already: name another file")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=out.parent) as name:
            folder = Path(name)
            # The anchor first: what it vouches for is committed by then, and so in the snapshot.
            if (store.home / anchor.FILE).is_file():
                shutil.copyfile(store.home / anchor.FILE, folder / anchor.FILE)
            for secret in SECRETS if secrets else ():
                if (store.home / secret).is_file():
                    shutil.copyfile(store.home / secret, folder / secret)
            manifest = _snapshot(store, folder, program, secrets, moment, references)
            write_archive(out, manifest, folder)
    except OSError as error:
        raise BackupError(f"{out} can't be written: {error.strerror or error}") from error
    try:
        read_archive(out)
    except BackupError:
        out.unlink(missing_ok=True)
        raise
    return manifest


def _snapshot(
    store: Store, folder: Path, program: str, secrets: bool, moment: datetime, references: Iterable[Path]
) -> Manifest:
    if store.engine.dialect.name == "sqlite":
        copy_sqlite(Path(store.name), folder / SQLITE)
        engine = open_engine(f"sqlite:///{folder / SQLITE}")
        snapshot = Store(str(engine.url), folder, engine)
        try:
            with snapshot.read() as connection:
                counts = _describe(connection, folder)
            found = verify_log(snapshot)
        finally:
            snapshot.close()
        for suffix in ("-wal", "-shm"):
            (folder / f"{SQLITE}{suffix}").unlink(missing_ok=True)
    else:
        with patient(reader(store.engine)).begin() as connection:
            taken = connection.scalar(text("SELECT pg_export_snapshot()"))
            url = store.engine.url
            run_program("pg_dump", url, "--format=custom", f"--snapshot={taken}", "--no-owner", "--no-privileges",
                        f"--file={folder / DUMP}")  # fmt: skip
            counts = _describe(connection, folder)
        found = verify_log(Store(store.url, folder, store.engine))  # against the anchor of that moment
    tables, revision, events, head = counts
    names = (SQLITE, DUMP, LOG, anchor.FILE, *SECRETS)
    members: tuple[Member, ...] = tuple(member_of(folder / n) for n in names if (folder / n).exists())
    return Manifest(
        created=moment.isoformat(timespec="seconds"),
        program=program,
        kind=store.engine.dialect.name,
        revision=revision,
        tables=tables,
        events=events,
        head=head,
        anchored=found.anchored,
        log_problem=found.problem,
        secrets=secrets,
        files=members,
        references=tuple(Reference(str(p), p.stat().st_size, p.stat().st_mtime) for p in references if p.is_file()),
    )


def copy_sqlite(source: Path, copy: Path) -> None:
    """Copy a SQLite file as of one moment while others write to it, and check the copy.

    Raises:
        BackupError: the file, or what was copied of it, is damaged.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=10.0)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with closing(sqlite3.connect(copy)) as connection:
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{source} can't be copied: {error}") from error
    if said != "ok":
        raise BackupError(f"{source} is damaged ({said}): restore an older backup, and keep the file as it is")


def count_rows(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    tables = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
    return {name: connection.scalar(select(func.count()).select_from(text(f'"{name}"'))) or 0 for name in tables}


def _describe(connection: Connection, folder: Path) -> tuple[dict[str, int], str, int, str]:
    with (folder / LOG).open("w", encoding="utf-8") as file:
        export_log(connection, file)
    head = head_of(connection)
    return count_rows(connection), migrations.revision(connection) or "", head.count, head.hash

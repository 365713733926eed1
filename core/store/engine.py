"""How the database is opened: a SQLite file that many processes and threads share, or a server by URL."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from core.store.errors import StoreUnavailable, unavailable

BUSY_S = 10.0
"""Wall seconds that a writer waits for another one before it gives up."""

_POOL = {"pool_size": 8, "max_overflow": 56}  # a connection to a file is cheap; waiting for one in the pool is not


def open_engine(url: str, connections: int | None = None) -> Engine:
    """Open a database by SQLAlchemy URL; a SQLite file is created where there is none.

    Args:
        url: of the database: `sqlite:////var/lib/canary.db`, `postgresql+psycopg://user@host/canary`.
        connections: to a server, how many at most; None: enough for a server process.

    Raises:
        StoreUnavailable: the URL is wrong, or the file can't be created.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return _open_server(parsed, connections)
    except ArgumentError as error:
        # The URL itself isn't repeated: there may be a password in it.
        raise StoreUnavailable(
            "That is not a database URL. Expected for example sqlite:////var/lib/canary.db or "
            "postgresql+psycopg://user@host/canary"
        ) from error
    if parsed.database in {None, "", ":memory:"}:
        raise StoreUnavailable(
            "A database in memory can't be shared between processes. Name a file: sqlite:///canary.db"
        )
    return _open_file(parsed, Path(str(parsed.database)).absolute())


def _open_server(url: URL, connections: int | None) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise StoreUnavailable(
            f"{url.get_backend_name()} is not a database that this works with. SQLite is (sqlite:///FILE), and "
            "PostgreSQL (postgresql+psycopg://user@host/database)."
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        from core.store.server import open_server  # the driver is an extra: only where it is needed
    except ImportError as error:
        raise StoreUnavailable(
            "The driver for PostgreSQL is not installed. Install it: pip install 'cohort-canary[postgres]'"
        ) from error
    return open_server(url, connections)


def _open_file(url: URL, path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise unavailable(str(path), error) from error

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that has gone is an error then, not a new and empty database.
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_S, check_same_thread=False, isolation_level=None
        )

    engine = create_engine(url, creator=connect, **_POOL)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        record.info["inode"] = _inode(path)
        # FULL: what was committed survives a power cut, which a log that is to be believed needs.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "checkout")
    def same_file(connection: sqlite3.Connection, record: Any, proxy: Any) -> None:  # noqa: ARG001
        # An open file that was deleted can still be written to, and all of it would be lost.
        if record.info["inode"] != _inode(path):
            raise DisconnectionError("the database file was removed or replaced")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver's own BEGIN comes late and is always deferred: two writers that both read first would deadlock.
        mode = connection.get_execution_options().get("store_mode", "read")
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if mode == 'write' else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")

    return engine


def writer(engine: Engine) -> Engine:
    """Return the engine whose transactions write: one at a time on SQLite, from their beginning."""
    return engine.execution_options(store_mode="write")


def reader(engine: Engine) -> Engine:
    """Return the engine whose transactions read one consistent snapshot and can't write."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def patient(engine: Engine) -> Engine:
    """Return the engine whose transactions may take any time, for work such as a migration or a backup."""
    return engine.execution_options(patient=True)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

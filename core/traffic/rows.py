"""Where flag evaluation reads deployments: cheaply enough to ask before every evaluation whether anything has changed.

SQLite counts the commits of other connections (`PRAGMA data_version`), which takes microseconds to read; another
database is asked for the rows themselves.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Select, select
from sqlalchemy.exc import SQLAlchemyError

from core.store import StoreUnavailable, open_engine, schema
from core.traffic.bucketing import Rule

BUSY_MS = 50
"""How long an evaluation waits for a locked database: callers have given up by the time a longer wait ends."""

ANSWER_S = 0.15
"""Wall seconds that an evaluation waits for a database server: as with `BUSY_MS`."""

INSIST_S = 5.0
"""Wall seconds that reading the switch back waits for it: nobody's learner waits meanwhile."""

_STARTED = frozenset({"running", "holding", "advancing"})


class RowsUnavailable(StoreUnavailable):
    """The deployments can't be read now. The text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a committed deployment says of its flag.

    Attributes:
        phase: index of the phase it is or was in; -1: never started.
        phase_started, rolled_back_at, judged_at: plan times, None where it has not happened.
    """

    id: str
    flag: str
    baseline: str
    candidate: str
    salt: str
    state: str
    revision: int
    share: float
    created: float
    phase: int = -1
    phase_started: float | None = None
    rolled_back_at: float | None = None
    judged_at: float | None = None

    @property
    def under_way(self) -> bool:
        """Whether its phases are going on."""
        return self.state in _STARTED

    @property
    def decided_at(self) -> float:
        """Plan time of the last decision that moved traffic (a completed deployment's later checkpoints move none)."""
        if self.state == "rolled back":
            moved = self.rolled_back_at
        elif self.state == "aborted":
            moved = self.judged_at
        else:
            moved = self.phase_started
        return moved if moved is not None else self.created


def rule_of(rows: list[Row]) -> Rule | None:
    """Return what decides a flag, from all of its deployments; None when there are none.

    A deployment under way decides. Else the one that moved traffic last: one that completed at 100 % goes on serving
    its candidate while the next is a draft, and one that was rolled back serves its baseline, whatever completed
    before it. With none ever started the flag is off and the newest draft's baseline serves.
    """
    if not rows:
        return None
    started = [row for row in rows if row.phase >= 0]
    if not started:
        return _rule(max(rows, key=lambda row: row.created), active=False)
    return _rule(max(started, key=lambda row: (row.under_way, row.decided_at, row.created)), active=True)


def _rule(row: Row, *, active: bool) -> Rule:
    serves = active and (row.under_way or row.state == "completed")
    share = row.share if serves else 0.0
    return Rule(row.flag, row.id, row.baseline, row.candidate, row.salt, share, row.revision, active)


class DeploymentRows(Protocol):
    """Reads committed deployments. Every method raises RowsUnavailable."""

    blocking: bool
    """Whether reading takes long enough to keep it off an event loop."""

    def version(self) -> object:
        """Return a value that differs whenever rows may have changed since it was last asked for."""

    def read(self, flag: str, *, insist: bool = False) -> list[Row]:
        """Return all deployments of a flag; `insist`: take longer rather than give up."""

    def flags(self) -> list[str]:
        """Return all flags that have a deployment, in order."""

    def close(self) -> None:
        """Let go of connections."""


_C = schema.deployment.c
_COLUMNS = (_C.id, _C.flag, _C.baseline, _C.candidate, _C.salt, _C.state, _C.revision, _C.share, _C.created, _C.status)


_NAMES = tuple(column.name for column in _COLUMNS[:-1])


def _row(values: Sequence[Any], status: Mapping[str, Any]) -> Row:
    told = {name: status[name] for name in ("phase", "phase_started", "rolled_back_at", "judged_at") if name in status}
    return Row(**dict(zip(_NAMES, values, strict=True)), **told)


def committed_rows(connection: Connection, flag: str) -> list[Row]:
    """Return all deployments of a flag, over a connection of the store's."""
    found = connection.execute(select(*_COLUMNS).where(_C.flag == flag))
    return [_row(values[:-1], values[-1]) for values in found]


class SqliteRows:
    """Deployments in an SQLite file, through one connection of its own. Not thread-safe: the caller locks.

    A file that was deleted or replaced under an open connection still reads, and never changes again; so its identity
    is compared before each read.
    """

    blocking = False
    _SELECT = f"SELECT {', '.join(c.name for c in _COLUMNS)} FROM {schema.deployment.name} WHERE flag = ?"  # noqa: S608
    _FLAGS = f"SELECT DISTINCT flag FROM {schema.deployment.name} ORDER BY flag"  # noqa: S608

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._opened = 0

    def version(self) -> object:
        """Return (times opened, SQLite's data version)."""
        connection = self._checked()
        try:
            return self._opened, connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def read(self, flag: str, *, insist: bool = False) -> list[Row]:  # noqa: ARG002 -- a file answers at once or not
        """Return all deployments of a flag."""
        return [_row(values[:-1], json.loads(values[-1])) for values in self._fetch(self._SELECT, flag)]

    def flags(self) -> list[str]:
        """Return all flags, in order."""
        return [values[0] for values in self._fetch(self._FLAGS)]

    def close(self) -> None:
        """Close the connection; the next read opens a new one."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _fetch(self, sql: str, *parameters: str) -> list[Any]:
        connection = self._checked()
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _checked(self) -> sqlite3.Connection:
        try:
            status = os.stat(self._path)
        except OSError as error:
            self.close()
            raise RowsUnavailable(f"the database file can't be found: {error.strerror}") from error
        file = (status.st_dev, status.st_ino)
        if self._connection is None or file != self._file:
            self.close()
            self._connection = self._open()
            self._file = file
            self._opened += 1
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            # rw, not rwc: a missing file must not come back as an empty one. query_only: this connection never writes.
            uri = f"{Path(self._path).absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
            )
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise RowsUnavailable(f"the database can't be opened: {error}") from error
        return connection

    def _failed(self, error: sqlite3.Error) -> RowsUnavailable:
        self.close()
        return RowsUnavailable(f"the database can't be read: {error}")


class SqlRows:
    """Deployments on a database server, asked for at every evaluation, over a connection of its own.

    The asking is done on one other thread, so that a server that hangs costs an evaluation no more than `ANSWER_S`.
    Not thread-safe: the caller locks.
    """

    blocking = True

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, connections=1).execution_options(isolation_level="AUTOCOMMIT")
        self._worker: ThreadPoolExecutor | None = None
        self._asked: Future[list[Any]] | None = None

    def version(self) -> object:
        """Return a value that is never the same twice: rows are read each time."""
        return object()

    def read(self, flag: str, *, insist: bool = False) -> list[Row]:
        """Return all deployments of a flag."""
        if "\0" in flag:  # which PostgreSQL takes in no text
            return []
        found = self._ask(select(*_COLUMNS).where(_C.flag == flag), insist)
        return [_row(values[:-1], values[-1]) for values in found]

    def flags(self) -> list[str]:
        """Return all flags, in order."""
        return [flag for (flag,) in self._ask(select(_C.flag).distinct().order_by(_C.flag), False)]

    def close(self) -> None:
        """Close the connection; the next read opens a new one."""
        if self._worker is not None:
            self._worker.shutdown(wait=False)
            self._worker = None
        self._engine.dispose()

    def _ask(self, query: Select[Any], insist: bool) -> list[Any]:
        end = time.monotonic() + (INSIST_S if insist else ANSWER_S)
        try:
            if self._asked is not None:  # by who has given up waiting since
                with suppress(SQLAlchemyError):
                    self._asked.result(end - time.monotonic())
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="flags")
            self._asked = self._worker.submit(self._fetch, query)
            found = self._asked.result(end - time.monotonic())
        except TimeoutError as error:
            raise RowsUnavailable("the database has not answered in time") from error
        except SQLAlchemyError as error:
            self._asked = None
            raise RowsUnavailable("the database can't be read") from error
        self._asked = None
        return found

    def _fetch(self, query: Select[Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))

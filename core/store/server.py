"""A database server: connections that never wait for ever, and lose what they hold when their process stands still.

Four bounds, because each sees what the others don't: the server's own on a statement, on waiting for a lock and on a
transaction in which nothing happens, and ours on an answer, for a server (or a network) that has stopped answering.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

CONNECT_S = 3
"""Wall seconds to make a connection."""

STATEMENT_S = 10
"""Wall seconds for one statement, waiting for other writers included."""

IDLE_S = 5
"""Wall seconds that a transaction may stand still: a process that was stopped in one keeps all others waiting."""

ANSWER_S = 12.0
"""Wall seconds without an answer after which the connection is given up; more than the server's own bounds."""

_POOL = {"pool_size": 8, "max_overflow": 12, "pool_timeout": 5.0, "pool_pre_ping": True, "pool_use_lifo": True}
_BOUNDS = (
    f"-c statement_timeout={STATEMENT_S}s -c lock_timeout={STATEMENT_S}s "
    f"-c idle_in_transaction_session_timeout={IDLE_S}s"
)
_PATIENT = (
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes longer than `answer_s` wall seconds; None: any time."""

    answer_s: float | None = ANSWER_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server. Raises psycopg.OperationalError when it doesn't answer in time."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, self.answer_s)
        except psycopg.OperationalError as error:
            if self.answer_s is None or time.monotonic() - began < self.answer_s:
                raise
            # What the server does with the statement isn't known, and its answer may come yet: never use it again.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"connection given up: no answer within {self.answer_s:g} s") from error


def open_server(url: URL, connections: int | None = None) -> Engine:
    """Return an engine on a PostgreSQL server; connections are made when they are needed.

    What the URL says (`?connect_timeout=10&options=-c statement_timeout=60s`) wins over the bounds here.

    Args:
        url: of the database.
        connections: how many at most; None: enough for a server process.
    """
    pool = _POOL if connections is None else {**_POOL, "pool_size": connections, "max_overflow": 0}
    engine = create_engine(url, **pool)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, cargs: tuple[Any, ...], cparams: dict[str, Any]) -> BoundedConnection:  # noqa: ARG001
        options = f"{_BOUNDS} {cparams.get('options', '')}".strip()
        bounds: dict[str, Any] = {"connect_timeout": CONNECT_S, "application_name": "cohort-canary"}
        # A host that is gone without a word: noticed when idle and when something was sent to it.
        network = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}
        return BoundedConnection.connect(*cargs, **bounds | network | cparams | {"options": options})

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        patient = connection.get_execution_options().get("patient", False)
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, BoundedConnection)
        raw.answer_s = None if patient else ANSWER_S
        if patient:
            connection.exec_driver_sql(_PATIENT)

    return engine

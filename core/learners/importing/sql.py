"""Databases: any SQLAlchemy URL and a query, whose rows come some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from core.learners.events import EventsError
from core.learners.importing import fingerprint
from core.learners.importing.canonical import FIELDS
from core.learners.importing.chunk import Chunk, columns_original
from core.learners.importing.source import Source

ROWS = 1 << 16
"""Rows that are held at once."""


def is_url(source: str) -> bool:
    """Say whether a source is a database's URL."""
    return "://" in source


def safe_name(url: str) -> str:
    """Return a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.split("://", 1)[0] + "://..."


def open_query(url: str, query: str | None) -> Source:
    """Return what a query selects; it is run once here, to learn the names of its columns.

    Raises EventsError: no query, an unknown kind of database, no connection, or the database refuses the query.
    """
    name = safe_name(url)
    if not query or not query.strip():
        raise EventsError(f"{name}: a database needs a query that selects learner_id, ts, domain and skill")
    statement = text(_literal(query))
    with _connected(url, name) as connection:
        result = connection.execute(statement)
        if not result.returns_rows:
            raise EventsError(f"{name}: the query gives no rows; expected a SELECT")
        columns = list(result.keys())
        result.close()
    return Source(name, "sql", columns, lambda wanted: _read(url, name, statement, wanted))


def _literal(query: str) -> str:
    """Return a query whose colons are colons and no parameters."""
    return query.replace("\\", "\\\\").replace(":", "\\:")


@contextmanager
def _connected(url: str, name: str) -> Iterator[Connection]:
    try:
        parsed = make_url(url)
        database = parsed.database
        if parsed.get_backend_name() == "sqlite" and database and ":memory:" not in database:
            # SQLite would make an empty database of a name that isn't there.
            path = Path(database.removeprefix("file:").split("?", 1)[0])
            if not path.exists():
                raise EventsError(f"{path}: no such file; expected an SQLite database")
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise EventsError(
            f"{name}: not a database that can be reached: {error}; expected an SQLAlchemy URL such as "
            "postgresql+psycopg://user@host/database, its driver being installed"
        ) from None
    try:
        with engine.connect() as connection:
            yield connection.execution_options(stream_results=True, yield_per=ROWS)
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise EventsError(f"{name}: the database says: {why}") from None
    finally:
        engine.dispose()


def _read(url: str, name: str, statement: TextClause, wanted: list[str]) -> Iterator[Chunk]:
    with _connected(url, name) as connection:
        result = connection.execute(statement)
        names = list(result.keys())
        kept = [column for column in names if column in wanted]
        partial = len(kept) < len(names) or not set(names) <= set(FIELDS)
        row = 1
        for part in result.partitions(ROWS):
            values = list(zip(*part, strict=True))
            columns = {column: _column(values[at]) for at, column in enumerate(names)}
            yield Chunk(
                file=name,
                columns={column: columns[column] for column in kept},
                lines=np.arange(row, row + len(part)),
                original=columns_original(names, columns),
                ids=fingerprint.of_rows(list(columns.values())) if partial else None,
            )
            row += len(part)


def _column(values: Sequence[Any]) -> pa.Array:
    """Return a column in the type that its values have; as text where they have several."""
    try:
        return pa.array(values, from_pandas=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if v is None else _told(v) for v in values], pa.string())


def _told(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""`INSERT ... ON CONFLICT`, which SQLite and PostgreSQL both have and SQLAlchemy spells once for each."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_adding(connection: Connection, table: Table, *added: str) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that, where a row with the key is there already, adds to the named columns instead."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    query = make(table)
    return query.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + query.excluded[name] for name in added},
    )

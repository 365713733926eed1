"""Alembic's entry: runs on the connection that the store hands over, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from core.store.schema import metadata

connection = context.config.attributes["connection"]
# Batch mode: SQLite can't alter most things of a table in place.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()

"""Bringing a database's tables up to date, from code and from an installed package (Alembic, with no ini file)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, func, inspect, select, text

from core.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0006"
"""The newest revision."""

_LOCK = 0xCA9A27  # of this program's migrations, among all advisory locks of a database
_one_at_a_time = threading.Lock()  # Alembic keeps what it is doing in module globals


def upgrade(engine: Engine) -> None:
    """Migrate to `HEAD`; the caller keeps this machine's other processes away.

    Raises:
        StoreUnavailable: the database is newer than this program.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Machines that share a server don't share the lock file in home.
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        found = revision(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise StoreUnavailable(
                f"The database was written by a newer version of this program (its tables are at revision {found}, "
                f"known here up to {HEAD}). Install that version, or restore a backup from before it."
            )
        _run(connection)


def revision(connection: Connection) -> str | None:
    """Return the revision of a database's tables; None of an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def config_for(connection: Connection) -> Config:
    """Return what Alembic is told: where the revisions are, and the connection to work on."""
    from alembic.config import Config  # takes as long to import as all the rest: only where there is something to do

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection) -> None:
    from alembic import command

    with _one_at_a_time:
        command.upgrade(config_for(connection), "head")

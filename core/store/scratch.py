"""A database for a moment, of the same kind and on the same server as another one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from core.store.engine import open_engine
from core.store.errors import BackupError


@contextmanager
def scratch_database(like: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database with nothing in it, which is gone afterwards.

    Args:
        like: URL of a database of that kind. folder: for a file.

    Raises:
        BackupError: this user may not make one on the server.
    """
    url = make_url(like)
    if url.get_backend_name() == "sqlite":
        yield f"sqlite:///{folder / 'canary.sqlite'}"
        return
    name = f"canary_scratch_{secrets.token_hex(4)}"
    engine = open_engine(like, connections=1).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    except DBAPIError as error:
        engine.dispose()
        raise BackupError(
            f"a scratch database can't be made on the server ({str(error.orig).strip()}). Let the user of "
            "CANARY_DATABASE_URL make databases for the drill (ALTER USER ... CREATEDB)"
        ) from error
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()

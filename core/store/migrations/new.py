"""Writes the next revision from a change of schema.py: `python -m core.store.migrations.new "why"`; then read it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from core.store.engine import open_engine, writer
from core.store.migrations import HEAD, config_for, upgrade


def main(why: str) -> None:
    """Compare an empty database at `HEAD` with schema.py and write the revision that makes up for the difference."""
    with tempfile.TemporaryDirectory() as folder:
        engine = writer(open_engine(f"sqlite:///{Path(folder) / 'new.db'}"))
        upgrade(engine)
        number = f"{int(HEAD) + 1:04d}"
        with engine.connect() as connection:
            config = config_for(connection)
            config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
            command.revision(config, why, autogenerate=True, rev_id=number)
        engine.dispose()
    print(f'Read it through, then set HEAD = "{number}" in {Path(__file__).with_name("__init__.py").name}.')


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "change")

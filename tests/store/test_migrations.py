from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from core.store import Store, StoreUnavailable, migrations, schema
from tests.store.making import database_of

OPENER = (
    "import sys; from pathlib import Path; from core.store import Store; Store.open(sys.argv[1], Path(sys.argv[2]))"
)


def test_the_revisions_make_what_the_schema_says(store):
    """Fails when schema.py was changed: write a revision with `python -m core.store.migrations.new`."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_the_newest_revision_is_known(store):
    with store.engine.connect() as connection:
        script = ScriptDirectory.from_config(migrations.config_for(connection))
        assert script.get_current_head() == migrations.HEAD == migrations.revision(connection)


@pytest.mark.sqlite
def test_opening_again_changes_nothing(store, url):
    before = database_of(store).read_bytes()
    Store.open(url, store.home).close()
    assert database_of(store).read_bytes() == before


def test_a_newer_database_is_refused(store, url):
    with store.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match=r"newer version.*9999"):
        Store.open(url, store.home)


def test_processes_that_start_at_once_do_not_race(url, tmp_path):
    command = [sys.executable, "-c", OPENER, url, str(tmp_path)]
    starting = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in starting:
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")
    store = Store.open(url, tmp_path)
    with store.read() as connection:
        assert migrations.revision(connection) == migrations.HEAD
    store.close()


def test_the_first_revision_renders_for_postgresql(store):
    with store.engine.connect() as connection:
        script = ScriptDirectory.from_config(migrations.config_for(connection))
    out = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": out})
    with Operations.context(context):
        script.get_revision("0001").module.upgrade()
    sql = out.getvalue()
    assert "seq BIGSERIAL NOT NULL" in sql
    assert "latency BYTEA NOT NULL" in sql
    assert "CREATE FUNCTION refuse_event_change" in sql
    assert "BEFORE UPDATE OR DELETE OR TRUNCATE ON event" in sql

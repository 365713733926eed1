from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from core.store import Clock, Store, StoreUnavailable, migrations, open_engine, schema, verify_log
from core.store.engine import writer
from tests.store.making import database_of, write_events

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


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """Return the URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        cluster = request.getfixturevalue("postgres")
        name = cluster.create()
        yield cluster.url(name)
        cluster.drop(name)


def columns_of(engine):
    found = inspect(engine)
    return {
        (table, column["name"]): column
        for table in found.get_table_names()
        for column in found.get_columns(table)
        if table != "alembic_version"
    }


def test_a_database_of_the_first_version_is_brought_up_to_date_and_the_version_before_still_runs_on_it(empty, tmp_path):
    engine = writer(open_engine(empty))
    with engine.begin() as connection:
        command.upgrade(migrations.config_for(connection), "0001")
        connection.exec_driver_sql("INSERT INTO clock VALUES (1, 1.5, 2.5, 40.0)")
    before = columns_of(engine)
    store = Store.open(empty, tmp_path)
    assert store.clock() == Clock(1.5, 2.5, 40.0)
    write_events(store, 2)
    assert verify_log(store).ok
    after = columns_of(engine)
    # Expand, then contract: what is there stays, and who doesn't know what was added needn't fill it in.
    assert before.keys() <= after.keys()
    for (table, name), column in after.items():
        if (table, name) in before:
            assert column["nullable"] >= before[table, name]["nullable"], (table, name)
        elif any(table == known for known, _ in before):
            assert column["nullable"] or column["default"] is not None, (table, name)
    store.close()
    engine.dispose()

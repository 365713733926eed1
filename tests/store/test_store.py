from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.exc import OperationalError

from core.store import Clock, Store, StoreUnavailable, engine, events, head_of, verify_log
from core.store.anchor import FILE, read_anchor
from tests.store.making import database_of, write_events

APPENDER = """
import sys
from pathlib import Path
from core.store import Store
store = Store.open(sys.argv[1], Path(sys.argv[2]))
for number in range(int(sys.argv[3])):
    with store.transaction() as tx:
        tx.append("test", sys.argv[4], str(number))
"""


def python(code: str, *args: object, **more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], cwd=Path(__file__).parents[2], **more)


def run(process: subprocess.Popen) -> None:
    assert process.wait(60) == 0


def test_events_are_numbered_and_chained(store):
    write_events(store, 3)
    with store.read() as connection:
        log = events(connection)
        assert head_of(connection).hash == log[-1].hash
    assert [event.seq for event in log] == [1, 2, 3]
    assert [event.previous for event in log[1:]] == [event.hash for event in log[:-1]]
    assert log[0].data == {"x": 0.1, "é": "ü"}


def test_events_are_found(store):
    for deployment, kind, actor, reason in (
        ("d1", "started", "alice", "100 % sure"),
        ("d2", "held", "bob", "Größe"),
        ("d1", "rolled back", "alice", "errors"),
    ):
        with store.transaction() as tx:
            tx.append(kind, actor, reason, deployment, {"why": reason})

    def found(**filters):
        with store.read() as connection:
            return [event.seq for event in events(connection, **filters)]

    assert found() == [1, 2, 3]
    assert found(deployment="d1") == [1, 3]
    assert found(kinds=["held", "started"]) == [1, 2]
    assert found(actor="bob") == [2]
    assert found(after=1) == [2, 3]
    assert found(newest_first=True, limit=2) == [3, 2]
    assert found(text="ERRORS") == [3]
    assert found(text="größe") == [2]
    assert found(text="0 %") == [1]
    assert found(text="%%") == []


def test_what_no_database_takes_is_replaced(store):
    with store.transaction() as tx:
        event = tx.append("test", "a\0b", "half a pair: \ud800", data={"raw": "\0\ud800"})
    with store.read() as connection:
        assert events(connection) == [event]
    assert verify_log(store).ok


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": object()}])
def test_data_that_is_not_json_is_refused(store, data):
    with pytest.raises((ValueError, TypeError)), store.transaction() as tx:
        tx.append("test", "tester", "x", data=data)
    assert verify_log(store).count == 0


def test_a_transaction_that_fails_leaves_no_event(store):
    def failing():
        with store.transaction() as tx:
            tx.append("test", "tester", "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert verify_log(store).count == 0
    assert read_anchor(store.home).count == 0


def test_threads_and_processes_write_one_chain(store, url):
    processes = [python(APPENDER, url, store.home, 25, f"process {n}") for n in range(2)]
    threads = [threading.Thread(target=write_events, args=(store, 25)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        run(process)
    result = verify_log(store)
    assert (result.ok, result.count, result.anchored, result.warning) == (True, 125, 125, "")


def test_writers_killed_at_any_moment_leave_a_whole_chain(store, url):
    random = Random(1)
    for attempt in range(6):
        writer = python(APPENDER, url, store.home, 100_000, f"writer {attempt}")
        before = verify_log(store).count
        while verify_log(store).count == before:  # it takes a while to start
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.1))
        writer.kill()
        writer.wait()
        Store.open(url, store.home).close()
        result = verify_log(store)
        assert (result.ok, result.anchored, result.warning) == (True, result.count, "")


def test_a_transaction_within_another_is_refused_at_once(store):
    with store.transaction(), pytest.raises(RuntimeError, match="within a transaction"), store.transaction():
        pass
    write_events(store, 1)
    assert verify_log(store).count == 1


def test_a_snapshot_stays_as_it_is(store):
    write_events(store, 1)
    with store.read() as connection:
        assert len(events(connection)) == 1
        write_events(store, 1)
        assert len(events(connection)) == 1
    with store.read() as connection:
        assert len(events(connection)) == 2


def test_a_reader_cannot_write(store):
    with pytest.raises(StoreUnavailable, match="can't be written"), store.read() as connection:
        connection.exec_driver_sql("UPDATE event_head SET count = 9")


def test_the_anchor_catches_up_after_a_crash_between_commit_and_anchor(store, url):
    write_events(store, 3)
    behind = (store.home / FILE).read_text()
    write_events(store, 2)
    (store.home / FILE).write_text(behind)
    assert verify_log(store).anchored == 3
    Store.open(url, store.home).close()
    result = verify_log(store)
    assert (result.ok, result.anchored, result.warning) == (True, 5, "")


def test_a_first_event_whose_anchor_was_never_written(store, url):
    fresh = (store.home / FILE).read_text()
    write_events(store, 1)
    (store.home / FILE).write_text(fresh)
    assert "vouches for none" in verify_log(store).warning
    Store.open(url, store.home).close()
    assert verify_log(store).warning == ""


def test_the_anchor_never_moves_back(store):
    write_events(store, 2)
    ahead = json.loads((store.home / FILE).read_text()) | {"count": 7, "hash": "e" * 64}
    (store.home / FILE).write_text(json.dumps(ahead))
    write_events(store, 1)
    assert read_anchor(store.home).count == 7


def test_the_clock_is_real_time_until_set_and_seen_by_others(store, url):
    assert store.clock() == Clock()
    assert store.clock().now() == pytest.approx(time.time(), abs=1)
    other = Store.open(url, store.home)
    clock = Clock(anchor_wall=time.time(), anchor_plan=1.5e9, speed=40.0)
    store.set_clock(clock)
    assert store.clock() == other.clock() == clock
    with store.transaction() as tx:
        event = tx.append("test", "tester", "x")
    assert event.at == clock.plan(event.wall)
    faster = Clock(clock.anchor_wall, clock.anchor_plan, 80.0)
    other.set_clock(faster)
    time.sleep(1.05)
    assert store.clock() == faster
    other.close()


@pytest.mark.sqlite
def test_a_database_that_is_gone_is_told_and_not_made_anew(store):
    write_events(store, 1)
    path = database_of(store)
    moved = path.rename(path.with_suffix(".away"))
    for attempt in (store.read, store.transaction):
        with pytest.raises(StoreUnavailable, match=r"is gone.*CANARY_HOME"), attempt():
            pass
    assert not path.exists()
    moved.rename(path)
    assert verify_log(store).ok  # and back again without a restart


@pytest.mark.sqlite
def test_a_database_that_is_damaged_is_told(store, url, tmp_path):
    store.close()
    database_of(store).write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        Store.open(url, tmp_path)


@pytest.mark.sqlite
def test_a_database_that_is_locked_is_told(store, url, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_S", 0.1)
    impatient = Store.open(url, store.home)
    with closing(sqlite3.connect(database_of(store), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="held by another process"), impatient.transaction():
            pass
        with impatient.read() as connection:
            assert head_of(connection).count == 0  # reading goes on
    impatient.close()


@pytest.mark.sqlite
@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everything")
def test_a_database_that_is_read_only_is_told(store, url, tmp_path):
    store.close()
    database_of(store).chmod(0o400)
    with pytest.raises(StoreUnavailable, match="permissions"), Store.open(url, tmp_path).transaction():
        pass


def test_what_the_driver_says_about_a_read_only_file_is_explained(store):
    def refused():
        with store.transaction():
            raise OperationalError("", None, sqlite3.OperationalError("attempt to write a readonly database"))

    with pytest.raises(StoreUnavailable, match="permissions of the file"):
        refused()


@pytest.mark.parametrize(
    "url", ["nonsense", "nonsense://here", "sqlite://", "sqlite:///:memory:", "sqlite:////proc/none/canary.db"]
)
def test_a_url_that_cannot_be_used_is_told(url, tmp_path):
    with pytest.raises(StoreUnavailable):
        Store.open(url, tmp_path)


def test_a_home_that_cannot_be_made_is_told(url, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="directory"):
        Store.open(url, tmp_path / "file" / "home")


@pytest.mark.sqlite
def test_settings_of_the_database(store):
    with store.transaction() as tx:
        pragmas = {
            name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}

"""The flag service: another process's commit counts at once; without a database the last known state goes on."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.store import Store
from core.traffic import FlagService, FlagUnavailable, FlagUnknown, SwitchError

Put = Callable[..., None]
KEYS = [f"learner-{n}" for n in range(2000)]


@pytest.fixture
def flags(store: Store) -> Iterator[FlagService]:
    service = FlagService(store)
    yield service
    service.close()


def database(store: Store) -> Path:
    return Path(store.name)


def drop_journal(store: Store) -> None:
    """Leave nothing of a database but its file, as a restore from a backup does."""
    store.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{database(store)}{suffix}").unlink(missing_ok=True)


def wait_for_retry() -> None:
    time.sleep(0.3)  # RETRY_S


def test_every_commit_is_seen_by_the_next_evaluation(flags: FlagService, put: Put) -> None:
    for revision, share in enumerate((0.0, 0.01, 0.1, 1.0, 0.0), 1):
        put("d1", share=share, revision=revision)
        state = flags.get("analyzer")
        assert (state.share, state.revision, state.stale) == (share, revision, False)
        got = sum(flags.evaluate("analyzer", key).value == "fast" for key in KEYS) / len(KEYS)
        assert abs(got - share) < 0.03


@pytest.mark.sqlite
def test_each_step_is_a_superset_of_the_last(flags: FlagService, put: Put) -> None:
    before: set[str] = set()
    for share in (0.0, 0.01, 0.1, 0.5, 1.0):
        put("d1", share=share)
        now = {key for key in KEYS if flags.evaluate("analyzer", key).variant == "candidate"}
        assert before <= now
        before = now
    assert before == set(KEYS)


def test_a_commit_of_another_process_is_seen_by_the_next_evaluation(flags: FlagService, store: Store, put: Put) -> None:
    put("d1", share=1.0)
    assert flags.evaluate("analyzer", "a").value == "fast"
    change = (
        "import sys; from sqlalchemy import create_engine; e = create_engine(sys.argv[1]); c = e.connect(); "
        "c.exec_driver_sql('UPDATE deployment SET share = 0'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", change, store.url], check=True)
    assert flags.evaluate("analyzer", "a").value == "original"


@pytest.mark.sqlite
def test_an_uncommitted_change_is_not_seen(flags: FlagService, store: Store, put: Put) -> None:
    put("d1", share=0.0)
    with store.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE deployment SET share = 1")
        assert flags.evaluate("analyzer", "a").value == "original"
    assert flags.evaluate("analyzer", "a").value == "fast"


def test_a_flag_that_nobody_deployed_is_unknown(flags: FlagService, put: Put) -> None:
    put("d1")
    with pytest.raises(FlagUnknown):
        flags.evaluate("other", "a")
    assert flags.flags() == ["analyzer"]


def test_unknown_flags_are_not_remembered(flags: FlagService, put: Put) -> None:
    put("d1")
    for n in range(50):
        with pytest.raises(FlagUnknown):
            flags.evaluate(f"guess-{n}", "a")
    assert not flags._fresh
    assert not flags._known


def test_setting_is_verifying(flags: FlagService, put: Put) -> None:
    put("d1", share=0.1, revision=4)
    flags.set("analyzer", 0.1, 4)
    flags.set("analyzer", 0.1, 3)  # the row has moved on, at the same share
    with pytest.raises(SwitchError, match=re.escape("share 0.1, revision 4, not share 0.5")):
        flags.set("analyzer", 0.5, 4)
    with pytest.raises(SwitchError, match=re.escape("revision 4, not share 0.1, revision 5")):
        flags.set("analyzer", 0.1, 5)


@pytest.mark.sqlite
def test_without_its_file_the_last_known_state_goes_on_and_says_so(
    flags: FlagService, store: Store, put: Put, tmp_path: Path
) -> None:
    put("d1", share=0.5)
    before = [flags.evaluate("analyzer", key).value for key in KEYS]
    kept = tmp_path / "kept"
    database(store).rename(kept)
    after = [flags.evaluate("analyzer", key) for key in KEYS]
    assert [a.value for a in after] == before
    assert all("can't be found" in a.stale for a in after)
    assert flags.get("analyzer").stale
    assert flags.flags() == ["analyzer"]
    with pytest.raises(SwitchError, match="can't be found"):
        flags.set("analyzer", 0.5, 1)
    kept.rename(database(store))
    wait_for_retry()
    assert flags.evaluate("analyzer", "a").stale == ""


@pytest.mark.sqlite
def test_knowing_nothing_is_an_error_that_says_so(store: Store, put: Put) -> None:
    put("d1", share=1.0)
    service = FlagService(store)
    database(store).unlink()
    with pytest.raises(FlagUnavailable, match="can't be found"):
        service.evaluate("analyzer", "a")


@pytest.mark.sqlite
def test_a_database_restored_from_a_backup_counts(flags: FlagService, store: Store, put: Put, tmp_path: Path) -> None:
    put("d1", share=0.0)
    with sqlite3.connect(tmp_path / "backup") as backup, sqlite3.connect(database(store)) as now:
        now.backup(backup)
    backup.close()
    now.close()
    put("d1", share=1.0)
    assert flags.evaluate("analyzer", "a").value == "fast"
    drop_journal(store)
    os.replace(tmp_path / "backup", database(store))
    given = flags.evaluate("analyzer", "a")
    assert (given.value, given.stale) == ("original", "")


@pytest.mark.sqlite
def test_another_database_in_its_place_does_not_make_us_forget(
    flags: FlagService, store: Store, put: Put, tmp_path: Path
) -> None:
    put("d1", share=1.0)
    assert flags.evaluate("analyzer", "a").value == "fast"
    drop_journal(store)
    shutil.move(database(store), tmp_path / "moved")
    Store.open(store.url, tmp_path / "other").close()
    given = flags.evaluate("analyzer", "a")
    assert given.value == "fast"
    assert "replaced" in given.stale


@pytest.mark.sqlite
def test_a_file_that_is_no_database_is_the_same_as_none(
    flags: FlagService, store: Store, put: Put, tmp_path: Path
) -> None:
    put("d1", share=1.0)
    flags.evaluate("analyzer", "a")
    (tmp_path / "junk").write_bytes(b"not a database" * 1000)
    drop_journal(store)
    os.replace(tmp_path / "junk", database(store))
    given = flags.evaluate("analyzer", "a")
    assert given.value == "fast"
    assert "can't be read" in given.stale


@pytest.mark.sqlite
def test_a_locked_database_holds_up_one_caller_for_a_moment_and_the_others_not_at_all(
    store: Store, put: Put, tmp_path: Path
) -> None:
    put("d1", share=1.0)
    url = f"sqlite:///{tmp_path / 'plain.sqlite'}"
    with sqlite3.connect(database(store)) as source, sqlite3.connect(tmp_path / "plain.sqlite") as plain:
        source.backup(plain)
    source.close()
    plain.execute("PRAGMA journal_mode = DELETE")  # in WAL mode readers are never locked out
    plain.close()
    locker = sqlite3.connect(tmp_path / "plain.sqlite", isolation_level=None)
    other = Store(url, tmp_path, store.engine)
    flags = FlagService(other)
    assert flags.evaluate("analyzer", "a").stale == ""
    locker.execute("UPDATE deployment SET revision = 2")
    locker.execute("BEGIN EXCLUSIVE")
    times = []
    for _ in range(100):
        began = time.perf_counter()
        given = flags.evaluate("analyzer", "a")
        times.append(time.perf_counter() - began)
        assert given.value == "fast"
    assert "locked" in given.stale
    assert max(times) < 0.25
    assert sorted(times)[50] < 0.001
    locker.execute("ROLLBACK")
    locker.close()
    wait_for_retry()
    assert flags.evaluate("analyzer", "a").stale == ""
    flags.close()


@pytest.mark.sqlite
def test_threads_share_one_service(flags: FlagService, put: Put) -> None:
    put("d1", share=0.5)
    expected = [flags.evaluate("analyzer", key).value for key in KEYS]
    wrong: list[object] = []

    def work() -> None:
        try:
            got = [flags.evaluate("analyzer", key).value for key in KEYS]
            if got != expected:
                wrong.append("differs")
        except Exception as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for n in range(30):
        put("d1", share=0.5, revision=n)
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.sqlite
def test_an_evaluation_is_fast(flags: FlagService, put: Put) -> None:
    put("d1", share=0.1)
    began = time.perf_counter()
    for key in KEYS:
        flags.evaluate("analyzer", key)
    assert (time.perf_counter() - began) / len(KEYS) < 200e-6  # about 8 µs on an idle machine

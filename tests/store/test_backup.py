"""Backups of a store that is written to: one moment of it, checked byte by byte, and brought back."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.store import (
    BackupError,
    Store,
    acquire_lease,
    add_samples,
    events,
    import_log,
    make_backup,
    migrations,
    pgtools,
    read_archive,
    restore_backup,
    scratch_database,
    verify_log,
)
from core.store.anchor import FILE
from core.store.archive import MANIFEST
from tests.store.making import looks, write_events

WRITER = """
import sys
from pathlib import Path
from core.store import Store
store = Store.open(sys.argv[1], Path(sys.argv[2]))
print("writing", flush=True)
while True:
    with store.transaction() as tx:
        tx.append("test", "writer", "one more")
"""


@pytest.fixture
def written(store):
    write_events(store, 10)
    with store.transaction() as tx:
        add_samples(tx.connection, "analyzer", looks(5))
    return store


@pytest.fixture
def backup(written, tmp_path):
    path = tmp_path / "backups" / "b.tar.gz"
    make_backup(written, path, program="1.2.3")
    return path


def test_what_it_says_of_itself(written, backup, tmp_path):
    manifest = read_archive(backup)
    assert (manifest.program, manifest.revision) == ("1.2.3", migrations.HEAD)
    assert manifest.kind == written.engine.dialect.name
    assert (manifest.events, manifest.anchored, manifest.log_problem) == (10, 10, "")
    assert (manifest.tables["event"], manifest.tables["sample"]) == (10, 80)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert {member.name for member in manifest.files} >= {"events.jsonl", FILE}
    assert [p.name for p in backup.parent.iterdir()] == [backup.name]  # nothing is left lying about


def test_back_in_another_place_it_is_the_same(written, backup, tmp_path):
    home = tmp_path / "other"
    home.mkdir()
    with scratch_database(written.url, home) as url:
        done = restore_backup(backup, url, home)
        assert (done.problems, done.aside) == ((), None)
        copy = Store.open(url, home)
        with written.read() as one, copy.read() as other:
            assert events(one) == events(other)
        result = verify_log(copy)
        assert (result.ok, result.anchored, result.warning) == (True, 10, "")
        write_events(copy, 1)
        with copy.transaction() as tx:  # numbers go on after those that were restored
            add_samples(tx.connection, "analyzer", looks(1, seed=2))
        copy.close()


def test_a_backup_while_others_write_is_of_one_moment(written, tmp_path, url):
    command = [sys.executable, "-c", WRITER, url, str(written.home)]
    writer = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "writing\n"
        for number in range(3):
            path = tmp_path / f"{number}.tar.gz"
            manifest = make_backup(written, path, program="x")
            folder = tmp_path / f"files{number}"
            folder.mkdir()
            read_archive(path, folder)
            assert manifest.log_problem == ""
            assert manifest.anchored <= manifest.events
            lines = (folder / "events.jsonl").read_text().splitlines()
            assert len(lines) == manifest.events + 1 == manifest.tables["event"] + 1
            assert json.loads(lines[-1])["hash"] == manifest.head
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.sqlite
def test_the_event_log_in_it_can_be_imported(backup, tmp_path):
    read_archive(backup, tmp_path / "backups", names=["events.jsonl"])
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other")
    assert import_log(other, tmp_path / "backups" / "events.jsonl") == 10
    other.close()


@pytest.mark.sqlite
def test_secrets_are_in_it_only_if_asked_for(written, tmp_path):
    (written.home / "tokens.json").write_text("the secret")
    (written.home / "tokens.json").chmod(0o600)
    assert not make_backup(written, tmp_path / "without.tar.gz", program="x").secrets
    make_backup(written, tmp_path / "with.tar.gz", program="x", secrets=True)
    names = {name: {m.name for m in read_archive(tmp_path / f"{name}.tar.gz").files} for name in ("with", "without")}
    assert names["with"] - names["without"] == {"tokens.json"}
    home = tmp_path / "other"
    restore_backup(tmp_path / "with.tar.gz", f"sqlite:///{home / 'canary.sqlite'}", home)
    assert (home / "tokens.json").read_text() == "the secret"
    assert (home / "tokens.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.sqlite
def test_large_files_are_named_and_not_copied(written, tmp_path):
    large = tmp_path / "cohorts.parquet"
    large.write_bytes(b"x" * 5000)
    manifest = make_backup(written, tmp_path / "b.tar.gz", program="x", references=[large, tmp_path / "gone"])
    assert [(r.path, r.bytes) for r in manifest.references] == [(str(large), 5000)]


@pytest.mark.sqlite
def test_a_file_that_is_there_is_not_written_over(written, backup):
    before = backup.read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        make_backup(written, backup, program="x")
    assert backup.read_bytes() == before


@pytest.mark.sqlite
def test_a_damaged_database_gives_no_backup_and_says_so(written, tmp_path):
    path = Path(written.name)
    written.close()
    pages = bytearray(path.read_bytes())
    pages[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
    path.write_bytes(pages)
    with pytest.raises(BackupError, match=r"can't be copied|is damaged"):
        make_backup(written, tmp_path / "b.tar.gz", program="x")
    assert not (tmp_path / "b.tar.gz").exists()


def altered(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a backup anew with something changed in it."""
    with tarfile.open(path) as tar:
        files = {info.name: tar.extractfile(info).read() for info in tar}
    change(files)
    out = path.with_name("altered.tar.gz")
    with tarfile.open(out, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out


def said(members: dict[str, bytes], **changes: object) -> None:
    members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | changes).encode()


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: f.update({"events.jsonl": f["events.jsonl"][:-9]}), "events.jsonl is damaged"),
        (lambda f: f.pop("events.jsonl"), "events.jsonl is missing"),
        (lambda f: f.update({"more": b""}), "'more', of which its manifest"),
        (lambda f: f.pop(MANIFEST), "doesn't begin with manifest.json"),
        (lambda f: f.update({MANIFEST: b"{"}), "can't be read"),
        (lambda f: said(f, version=99), "version 99"),
        (lambda f: said(f, format="other"), "format 'other'"),
        (lambda f: said(f, tables=None, files=[{"name": "../x", "bytes": 1, "sha256": ""}]), "outside the backup"),
    ],
)
def test_a_backup_that_was_altered_is_refused(backup, tmp_path, change, problem):
    path = altered(backup, change)
    home = tmp_path / "other"
    with pytest.raises(BackupError, match=problem):
        restore_backup(path, f"sqlite:///{home / 'canary.sqlite'}", home)
    assert not (home / "canary.sqlite").exists()


@pytest.mark.sqlite
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_backup_that_was_cut_off_is_refused(backup, part):
    whole = backup.read_bytes()
    backup.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(BackupError, match=r"damaged|cut off|no backup"):
        read_archive(backup)


@pytest.mark.sqlite
def test_what_is_no_backup_is_said_to_be_none(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(BackupError, match="no backup"):
        read_archive(tmp_path / "x")
    with pytest.raises(BackupError, match="can't be read: No such file"):
        read_archive(tmp_path / "y")


@pytest.mark.sqlite
def test_a_database_that_is_there_is_moved_aside_and_kept(written, backup, url):
    write_events(written, 2)
    with pytest.raises(BackupError, match="--replace"):
        restore_backup(backup, url, written.home)
    written.close()
    done = restore_backup(backup, url, written.home, replace=True)
    assert done.problems == ()
    back = Store.open(url, written.home)
    assert (verify_log(back).ok, verify_log(back).count) == (True, 10)
    back.close()
    kept = Store.open(f"sqlite:///{done.aside / Path(written.name).name}", done.aside)
    assert (verify_log(kept).ok, verify_log(kept).count) == (True, 12)
    kept.close()


@pytest.mark.sqlite
def test_nothing_is_replaced_under_a_monitor_at_work(written, backup, url):
    acquire_lease(written, "monitor", "here:1", 60)
    with pytest.raises(BackupError, match="a monitor is at work"):
        restore_backup(backup, url, written.home, replace=True)
    assert verify_log(written).count == 10


@pytest.mark.sqlite
def test_a_damaged_database_can_be_replaced(written, backup, url):
    written.close()
    Path(written.name).write_bytes(b"not a database at all" * 1000)
    assert restore_backup(backup, url, written.home, replace=True).problems == ()


@pytest.mark.sqlite
def test_a_backup_of_a_newer_version_or_of_another_kind_is_refused(backup, tmp_path):
    newer = altered(backup, lambda files: said(files, revision="9999"))
    with pytest.raises(BackupError, match=r"revision 9999.*Install that version"):
        restore_backup(newer, f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "x")
    with pytest.raises(BackupError, match="is of a sqlite database"):
        restore_backup(backup, "postgresql+psycopg://x@/y", tmp_path / "x")


def test_a_server_database_with_tables_stays_as_it_is(written, backup, url, tmp_path):
    if make_url(url).get_backend_name() == "sqlite":
        return
    with pytest.raises(BackupError, match=r"has tables already.*createdb"):
        restore_backup(backup, url, tmp_path / "other", replace=True)
    assert verify_log(written).count == 10


def test_without_the_servers_programs_it_says_what_to_do(written, tmp_path, url, monkeypatch):
    if make_url(url).get_backend_name() == "sqlite":
        return
    monkeypatch.setattr(pgtools, "glob", lambda _: [])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match=r"pg_dump is not installed.*canary log --export"):
        make_backup(written, tmp_path / "b.tar.gz", program="x")

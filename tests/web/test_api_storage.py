"""A disk that is full, a database that is read-only or damaged: a clear state in which the traffic is safe."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from core.store import Store, StoreUnavailable, Trouble, keep_reserve, verify_log
from tests.disks import fill, mount
from tests.web.conftest import serving

pytestmark = pytest.mark.sqlite
ASK = {"context": {"targetingKey": "u1"}}


def pushed(api: Any, batch: str) -> Any:
    record = {"ts": time.time(), "learner": "u1", "version": "fast"}
    body = {"batch": batch, "flag": "analyzer", "requests": [record | {"learner": f"u{n}"} for n in range(500)]}
    return api.post("/api/v1/requests", "push", body)


def deploy(api: Any, plan_text: str) -> str:
    made = api.post("/api/v1/deployments", "act", {"plan": plan_text, "start": True})
    assert made.status_code == 201, made.text
    return str(made.json()["deployment"]["id"])


def test_on_a_full_disk_nothing_is_half_done_and_a_rollback_works(small_disk: Path, plan_text: str) -> None:
    with serving(Settings(home=small_disk)) as api:
        running = deploy(api, plan_text)
        assert pushed(api, "before").status_code == 200
        assert keep_reserve(small_disk)
        reserved = (small_disk / "reserve").stat().st_size
        filler = fill(small_disk)
        answers = [pushed(api, f"batch {n}") for n in range(30)]  # the journal has some room to be used again
        refused = [answer for answer in answers if answer.status_code != 200]
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "2")}
        health = api.get("/healthz", None)
        assert (health.status_code, health.json()["database"]["trouble"]) == (503, "full")
        assert "can't be written (full)" in health.json()["problems"][0]
        given = api.post("/ofrep/v1/evaluate/flags/analyzer", "read", ASK)
        assert (given.status_code, given.json()["metadata"].get("stale", False)) == (200, False)
        advance = api.post(f"/api/v1/deployments/{running}/advance", "act", {"reason": "no room for that"})
        assert advance.status_code == 503
        assert api.deliveries.status(running).share == 0.01

        done = api.post(f"/api/v1/deployments/{running}/rollback", "act", {"reason": "the disk is full"})
        assert done.status_code == 200, done.text
        assert api.deliveries.status(running).share == 0.0
        assert 0 < (small_disk / "reserve").stat().st_size < reserved  # some is left for the next decision

        filler.unlink()
        assert pushed(api, refused[0].request.url.path).status_code == 200
        assert "trouble" not in api.get("/healthz", None).json()["database"]
        assert verify_log(api.store).ok


def test_a_command_on_a_full_disk_ends_in_a_sentence(small_disk: Path, plan_text: str) -> None:
    with serving(Settings(home=small_disk)) as api:
        running = deploy(api, plan_text)
        fill(small_disk)
        done = subprocess.run(
            [sys.executable, "-m", "core.cli", "advance", "--reason", "x", "--deployment", running],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Free some space" in done.stderr


def test_a_database_damaged_while_it_is_used_leaves_flags_at_their_last_state(
    api: Any, running: str, home: Path
) -> None:
    before = api.post("/ofrep/v1/evaluate/flags/analyzer", "read", ASK).json()["value"]
    path = home / "canary.sqlite"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    api.store.close()  # what connections hold in memory would hide the damage for a while
    with path.open("r+b") as file:
        file.write(b"\xff" * os.stat(path).st_size)
    given = api.post("/ofrep/v1/evaluate/flags/analyzer", "read", ASK)
    assert (given.status_code, given.json()["value"]) == (200, before)
    assert api.get("/healthz", None).status_code == 503
    assert pushed(api, "x").status_code == 503
    assert api.post(f"/api/v1/deployments/{running}/rollback", "act", {"reason": "x"}).status_code == 503
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", "api"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1  # no server: clients get their code default, the baseline
    assert "Traceback" not in done.stderr
    assert "canary restore" in done.stderr


def test_a_disk_that_became_read_only_is_told(small_disk: Path, plan_text: str) -> None:
    with serving(Settings(home=small_disk)) as api:
        deploy(api, plan_text)
    if not mount("-o", "remount,ro", str(small_disk)):
        pytest.skip("needs the right to make a disk read-only")
    with pytest.raises(StoreUnavailable, match="permissions") as refused:
        Store.open(Settings(home=small_disk).url, small_disk)
    assert refused.value.trouble is Trouble.READ_ONLY


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_user_who_may_only_read_is_told(api: Any, running: str, home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to become somebody else")
    for folder in (home, *home.parents[:3]):
        folder.chmod(0o755)
    for path in home.iterdir():
        path.chmod(0o644)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "core.cli"]
    done = subprocess.run([*command, "rollback", "--reason", "x"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "permissions" in done.stderr

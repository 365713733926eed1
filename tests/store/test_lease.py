from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.store import Fenced, acquire_lease, beat, current_lease, events, hold_fence, release_lease, verify_log

HOLDER = """
import sys
from pathlib import Path
from core.store import Fenced, Store, acquire_lease, hold_fence
url, home, name, ttl = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
store = Store.open(url, home)
token = acquire_lease(store, "monitor", name, ttl)
print("token", token, flush=True)
sys.stdin.readline()
try:
    with store.transaction() as tx:
        hold_fence(tx, "monitor", token)
        tx.append("acted", name, "the lease seemed to be mine")
    print("committed", flush=True)
except Fenced as error:
    print("fenced:", error, flush=True)
"""


def lease_of(store):
    with store.read() as connection:
        return current_lease(connection, "monitor")


def fenced(store, token):
    try:
        with store.transaction() as tx:
            hold_fence(tx, "monitor", token)
            tx.append("acted", "tester", "x")
    except Fenced:
        return True
    return False


def test_free_ours_and_others(store):
    assert lease_of(store) is None
    assert acquire_lease(store, "monitor", "a", 30) == 1
    assert acquire_lease(store, "monitor", "a", 30) == 1
    assert acquire_lease(store, "monitor", "b", 30) is None
    assert acquire_lease(store, "another role", "b", 30) == 1
    lease = lease_of(store)
    assert (lease.holder, lease.token) == ("a", 1)
    assert lease.expires == pytest.approx(time.time() + 30, abs=5)


def test_a_dead_holder_does_not_keep_its_lease_after_the_clock_was_set_back(store, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    acquire_lease(store, "monitor", "a", 6)
    assert lease_of(store).is_held(time.time())
    monkeypatch.setattr(time, "time", real)
    assert not lease_of(store).is_held(time.time())
    assert acquire_lease(store, "monitor", "b", 6) == 2
    assert lease_of(store).is_held(time.time())


def test_a_lease_that_ran_out_goes_to_another_with_a_higher_token(store):
    acquire_lease(store, "monitor", "a", 0.01)
    time.sleep(0.02)
    assert fenced(store, 1)  # even before anybody else has it
    assert acquire_lease(store, "monitor", "b", 30) == 2
    assert acquire_lease(store, "monitor", "a", 30) is None
    assert fenced(store, 1)
    assert not fenced(store, 2)
    with store.read() as connection:
        assert len(events(connection)) == 1  # what was fenced off has left nothing


def test_a_lease_given_back_is_free_at_once(store):
    acquire_lease(store, "monitor", "a", 30)
    release_lease(store, "monitor", 1)
    assert fenced(store, 1)
    assert acquire_lease(store, "monitor", "b", 30) == 2
    release_lease(store, "monitor", 1)  # not theirs any more
    assert lease_of(store).holder == "b"


def test_a_beat_extends_and_says_how_late_it_was(store):
    token = acquire_lease(store, "monitor", "a", 1)
    with store.transaction() as tx:
        beat(tx, "monitor", token, 60, 0.25, 0.05)
    lease = lease_of(store)
    assert (lease.late_s, lease.tick_s) == (0.25, 0.05)
    assert lease.expires == pytest.approx(time.time() + 60, abs=5)
    with pytest.raises(Fenced), store.transaction() as tx:
        beat(tx, "monitor", token + 1, 60, 0.0, 0.0)


def test_a_fence_that_never_was(store):
    assert fenced(store, 1)


def test_a_holder_needs_a_name(store):
    with pytest.raises(ValueError, match="name"):
        acquire_lease(store, "monitor", "", 1)


class Holder:
    """A real process that takes the lease, and acts when it is told to."""

    def __init__(self, store, name: str, ttl_s: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, store.url, str(store.home), name, str(ttl_s)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        return self.process.stdout.readline().strip()

    def act(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


def test_a_process_stopped_past_its_lease_cannot_commit(store):
    first = Holder(store, "first", 1.0)
    second = None
    try:
        assert first.says() == "token 1"
        os.kill(first.process.pid, signal.SIGSTOP)
        time.sleep(1.1)
        second = Holder(store, "second", 60.0)
        assert second.says() == "token 2"
        first.act()
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.says().startswith("fenced: the lease 'monitor' is not held with token 1")
        second.act()
        assert second.says() == "committed"
    finally:
        for holder in filter(None, (first, second)):
            holder.process.kill()
            holder.process.communicate()
    with store.read() as connection:
        assert [event.actor for event in events(connection)] == ["second"]
    assert verify_log(store).ok

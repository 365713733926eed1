"""The cache in a real Redis: shared, running out, hashed; one that is killed or hangs costs nobody an answer."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from core.learners import CacheSettings, LearnerRows, open_cache
from core.learners.cache import Breaker, LocalCache, SharedCache
from core.learners.rediscache import PREFIX, RedisClient
from core.settings import Settings
from core.store import Store
from tests.learners.test_runs import keep, population

REDIS = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(REDIS is None, reason="needs redis-server")
TIMEOUT_S = 20.0


class Server:
    """A redis-server of our own, on a UNIX socket (or a port), without persistence."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port
        self.socket = folder / "redis.sock"
        self.url = f"redis://127.0.0.1:{port}/0" if port else f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        assert REDIS is not None
        log = (self.folder / "redis.log").open("ab")
        self.process = subprocess.Popen(
            [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket), "--save", ""],
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.client = redis.Redis.from_url(self.url, socket_timeout=TIMEOUT_S)
        ends = time.monotonic() + TIMEOUT_S
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                self.client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        pytest.fail(f"redis-server did not start:\n{(self.folder / 'redis.log').read_text()}")

    def stop(self) -> None:
        self.client.close()
        self.process.kill()  # also where it was stopped
        self.process.wait(TIMEOUT_S)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    yield opened
    opened.close()


def rows_over(store: Store, server: Server, timeout_s: float = 2.0) -> LearnerRows:
    """Return what a process of its own would have: generous, as a busy machine must not look like a dead server."""
    shared = RedisClient(server.url, 60.0, timeout_s)
    return LearnerRows(store, SharedCache(LocalCache(1000, 60.0), shared, Breaker(0.05, 0.1)))


def test_what_one_process_read_another_finds(home: Path, store: Store, server: Server) -> None:
    run = keep(store, population())
    settings = Settings(home=home, cache_url=server.url, cache_ttl_s=60.0, cache_timeout_s=1.0)
    one, other = (LearnerRows(store, open_cache(settings)) for _ in range(2))
    answers = [one.membership(f"u{n:03d}") for n in range(20)] + [one.membership("nobody")]
    assert [other.membership(f"u{n:03d}") for n in range(20)] + [other.membership("nobody")] == answers
    assert (one.stats().hits, one.stats().misses) == ({"process": 0, "redis": 0}, 21)
    assert (other.stats().hits, other.stats().misses, other.stats().up) == ({"process": 0, "redis": 21}, 0, True)
    keys = server.client.keys()
    assert len(keys) == 21
    assert all(re.fullmatch(rf"{PREFIX}[0-9a-f]{{40}}".encode(), key) for key in keys)
    assert all(0 < server.client.pttl(key) <= 60_000 for key in keys)
    assert b"u001" not in b"".join(server.client.mget(keys))
    keep(store, population(30))
    assert other.membership("u001").run != run.id


def test_over_tcp(home: Path, store: Store, tmp_path: Path, free_port: int) -> None:
    keep(store, population())
    server = Server(tmp_path, free_port)
    try:
        rows = LearnerRows(store, open_cache(Settings(home=home, cache_url=server.url, cache_timeout_s=1.0)))
        assert rows.membership("u001").known
        assert server.client.dbsize() == 1
    finally:
        server.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_redis_that_is_dead_or_hangs_costs_nobody_an_answer(
    store: Store, server: Server, how: signal.Signals
) -> None:
    keep(store, population())
    rows, judge = rows_over(store, server, 0.05), LearnerRows(store, LocalCache(1000, 60.0))
    expected = {f"u{n:03d}": judge.membership(f"u{n:03d}") for n in range(60)}
    assert rows.membership("u000") == expected["u000"]
    server.process.send_signal(how)
    if how is signal.SIGKILL:
        server.process.wait(TIMEOUT_S)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(expected, pool.map(rows.membership, expected), strict=True)) == expected
    # A hang: without time-outs it would be for ever, with redis-py's own repeats four times a call's.
    assert time.monotonic() - began < TIMEOUT_S
    stats = rows.stats()
    assert not stats.up
    assert stats.errors >= 1
    assert stats.bypassed > stats.errors, "most callers must be spared the time-out"
    if how is signal.SIGKILL:
        server.start()
    else:
        server.process.send_signal(signal.SIGCONT)
    ends = time.monotonic() + TIMEOUT_S
    while not rows.stats().up:
        assert time.monotonic() < ends, "it is never found to be back"
        rows.membership(f"somebody {time.monotonic()}")
        time.sleep(0.01)
    assert rows.membership("u001") == expected["u001"]


def test_a_redis_that_is_full_or_not_there_from_the_start(store: Store, server: Server) -> None:
    keep(store, population())
    server.client.config_set("maxmemory", "1")
    rows = rows_over(store, server)
    assert rows.membership("u001").known  # "OOM command not allowed" is an error like any other
    assert rows.stats().errors == 1
    server.stop()
    other = rows_over(store, server)
    assert other.membership("u001").known
    assert not other.stats().up


@pytest.mark.parametrize(
    ("url", "said"),
    [("memcached://a", "'memcached' is unknown"), ("redis://a:x/0", "cache_url: "), ("localhost:6379", "is unknown")],
)
def test_an_address_that_cannot_be_used_is_said(home: Path, url: str, said: str) -> None:
    with pytest.raises(CacheSettings, match=said):
        open_cache(Settings(home=home, cache_url=url))

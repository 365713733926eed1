"""What is remembered runs out, stays bounded, and is never in the way of an answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.learners.cache import Breaker, LocalCache, SharedCache


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_an_answer_runs_out() -> None:
    clock = Clock()
    cache = LocalCache(10, 60.0, clock)
    cache.put("a", b"1")
    clock.at += 59.9
    assert cache.get("a") == b"1"
    clock.at += 0.1
    assert cache.get("a") is None
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.hit_rate, stats.entries, stats.size) == ({"process": 1}, 1, 0.5, 0, 0)


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = LocalCache(2, 60.0)
    cache.put("a", b"1")
    cache.put("b", b"22")
    assert cache.get("a") == b"1"
    cache.put("c", b"333")
    assert [cache.get(key) for key in "abc"] == [b"1", None, b"333"]
    assert (cache.stats().entries, cache.stats().size) == (2, 6)
    cache.put("a", b"4444")
    assert (cache.get("a"), cache.stats().size) == (b"4444", 9)


def test_nothing_was_looked_up() -> None:
    assert LocalCache(2, 60.0).stats().hit_rate is None


def test_many_threads_keep_the_count() -> None:
    cache = LocalCache(50, 60.0)

    def work(seed: int) -> None:
        for n in range(500):
            key = str((n * seed) % 97)
            if cache.get(key) is None:
                cache.put(key, key.encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1, 9)))
    stats = cache.stats()
    assert stats.entries == 50
    assert stats.hits["process"] + stats.misses == 4000
    assert stats.size == sum(2 * len(key) for key in cache._held)


class Elsewhere:
    """A shared cache that fails when told to, and counts who asks."""

    failure = ConnectionError

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.down, self.calls = False, 0

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise ConnectionError("gone")

    def get(self, key: str) -> bytes | None:
        self._called()
        return self.held.get(key)

    def put(self, key: str, value: bytes) -> None:
        self._called()
        self.held[key] = value


def test_what_another_process_remembered_is_found_once_and_kept_here() -> None:
    elsewhere = Elsewhere()
    one, other = (SharedCache(LocalCache(10, 60.0), elsewhere) for _ in range(2))
    one.put("a", b"1")
    assert other.get("a") == b"1"
    asked = elsewhere.calls
    assert other.get("a") == b"1"
    assert elsewhere.calls == asked
    assert other.get("b") is None
    stats = other.stats()
    assert (stats.hits, stats.misses, stats.up) == ({"process": 1, "redis": 1}, 1, True)


def test_what_fails_is_spared_and_tried_again_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, elsewhere = Clock(), Elsewhere()
    monkeypatch.setattr("core.learners.cache.time.monotonic", clock)
    cache = SharedCache(LocalCache(10, 1e9, clock), elsewhere, Breaker(1.0, 4.0))
    elsewhere.down = True
    cache.put("a", b"1")
    assert cache.get("a") == b"1"  # this process remembers all the same
    assert [cache.get(key) for key in "bcd"] == [None] * 3
    assert (elsewhere.calls, cache.stats().errors, cache.stats().bypassed, cache.stats().up) == (1, 1, 3, False)
    for waits in (1.0, 2.0, 4.0, 4.0):  # longer each time, up to the longest
        clock.at += waits - 0.01
        cache.get("e")
        clock.at += 0.01
        before = elsewhere.calls
        cache.get("e")
        cache.get("e")
        assert elsewhere.calls == before + 1
    elsewhere.down = False
    clock.at += 4.0
    cache.put("f", b"6")
    assert cache.stats().up
    assert elsewhere.held == {"f": b"6"}

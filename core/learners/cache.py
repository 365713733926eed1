"""A bounded memory of answers that don't change: in this process, and in one that processes share where there is one.

A key holds the run that an answer comes from. So an answer never becomes wrong: a new run asks for new keys, and old
ones run out by themselves. All that a cache has to do is to be fast, to stay small, and to cost nobody an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache has done since this process began.

    Attributes:
        hits: answers found, by where: "process", "redis". misses: those found nowhere.
        errors: calls that a shared cache failed. bypassed: those it was spared, because it had failed just before.
        entries, size: what this process holds: how many answers, and bytes of keys and values.
        up: whether the shared cache answers; None where there is none.
    """

    hits: dict[str, int]
    misses: int
    errors: int = 0
    bypassed: int = 0
    entries: int = 0
    size: int = 0
    up: bool | None = None

    @property
    def hit_rate(self) -> float | None:
        """Part of the lookups that found an answer; None before the first."""
        found = sum(self.hits.values())
        return found / (found + self.misses) if found + self.misses else None

    def since(self, before: CacheStats) -> CacheStats:
        """Return what was found and missed since an earlier reading."""
        hits = {where: count - before.hits.get(where, 0) for where, count in self.hits.items()}
        return replace(self, hits=hits, misses=self.misses - before.misses)


class Cache(Protocol):
    """Remembers answers. Never raises."""

    def get(self, key: str) -> bytes | None:
        """Return what is remembered, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Remember."""

    def stats(self) -> CacheStats:
        """Return what it has done."""


class LocalCache:
    """The answers used last, in this process. Thread-safe.

    Args:
        entries: most answers held; the one used longest ago goes first. ttl_s: how long each is held.
        now: a clock, seconds.
    """

    def __init__(self, entries: int, ttl_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._ttl_s, self._now = entries, ttl_s, now
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._size = self._hits = self._misses = 0

    def get(self, key: str) -> bytes | None:
        """Return what is remembered and has not run out, or None."""
        with self._lock:
            ends, value = self._held.get(key, (0.0, None))
            if value is not None and ends <= self._now():
                self._drop(key)
                value = None
            if value is None:
                self._misses += 1
                return None
            self._held.move_to_end(key)
            self._hits += 1
            return value

    def put(self, key: str, value: bytes) -> None:
        """Remember, and forget what was used longest ago where it is too much."""
        with self._lock:
            if key in self._held:
                self._drop(key)
            self._held[key] = (self._now() + self._ttl_s, value)
            self._size += len(key) + len(value)
            while len(self._held) > self._most:
                self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        _, value = self._held.pop(key)
        self._size -= len(key) + len(value)

    def stats(self) -> CacheStats:
        """Return what it has done."""
        with self._lock:
            return CacheStats({"process": self._hits}, self._misses, entries=len(self._held), size=self._size)


class Breaker:
    """Spares callers something that has just failed: one of them tries again after a while, longer each time."""

    def __init__(self, shortest_s: float = 0.5, longest_s: float = 30.0) -> None:
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self._lock = threading.Lock()
        self._wait_s = 0.0
        self._retry_at = 0.0

    @property
    def closed(self) -> bool:
        """Whether all is well, as far as is known."""
        return self._wait_s == 0.0

    def allows(self) -> bool:
        """Say whether this caller may try; while all is not well, one at a time may."""
        if self.closed:
            return True
        with self._lock:
            if time.monotonic() < self._retry_at:
                return False
            self._retry_at = time.monotonic() + max(self._wait_s, self._shortest_s)
            return True

    def worked(self) -> bool:
        """Note a success; True when it ends a failure."""
        if self.closed:
            return False
        with self._lock:
            ended, self._wait_s = self._wait_s > 0.0, 0.0
        return ended

    def failed(self) -> bool:
        """Note a failure; True when it is the first."""
        with self._lock:
            first = self._wait_s == 0.0
            self._wait_s = self._shortest_s if first else min(self._longest_s, 2 * self._wait_s)
            self._retry_at = time.monotonic() + self._wait_s
        return first


class Shared(Protocol):
    """What a client of a shared cache does. Raises `failure` for whatever goes wrong."""

    failure: type[Exception]

    def get(self, key: str) -> bytes | None:
        """Return what is remembered, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Remember."""


class SharedCache:
    """This process's answers, then those that processes share; while the latter fails, it is left alone."""

    def __init__(self, local: LocalCache, shared: Shared, breaker: Breaker | None = None) -> None:
        self._local, self._shared = local, shared
        self._breaker = breaker or Breaker()
        self._lock = threading.Lock()
        self._hits = self._errors = self._bypassed = 0

    def get(self, key: str) -> bytes | None:
        """Return what is remembered, or None."""
        value = self._local.get(key)
        if value is None and (value := self._try(lambda: self._shared.get(key))) is not None:
            self._local.put(key, value)
            with self._lock:
                self._hits += 1
        return value

    def put(self, key: str, value: bytes) -> None:
        """Remember, in both."""
        self._local.put(key, value)
        self._try(lambda: self._shared.put(key, value))

    def _try(self, ask: Callable[[], bytes | None]) -> bytes | None:
        if not self._breaker.allows():
            with self._lock:
                self._bypassed += 1
            return None
        try:
            found = ask()
        except self._shared.failure as error:
            with self._lock:
                self._errors += 1
            if self._breaker.failed():
                logger.warning("the shared cache fails, answers are computed: %s", type(error).__name__)
            return None
        if self._breaker.worked():
            logger.warning("the shared cache is back")
        return found

    def stats(self) -> CacheStats:
        """Return what it has done."""
        local = self._local.stats()
        with self._lock:
            return CacheStats(
                local.hits | {"redis": self._hits},
                local.misses - self._hits,
                self._errors,
                self._bypassed,
                local.entries,
                local.size,
                self._breaker.closed,
            )

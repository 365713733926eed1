"""Runs the polls of all sources beside the monitor: a thread a source, so that one that hangs keeps nobody waiting."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from core.metrics.prometheus.client import Client
from core.metrics.prometheus.poller import Poller, Watched, forget_others, keep, settled_of
from core.metrics.prometheus.sourcefile import PrometheusSource, SourcesError, load_sources
from core.store import Fenced, Store, StoreUnavailable, acquire_lease, release_lease

logger = logging.getLogger(__name__)

_LOOK_S = 2.0  # between two looks at the file
_IDLE_S = 5.0
_LEAST_S = 0.2


class Sources:
    """Polls what a sources file names, and follows the file when it is changed."""

    def __init__(
        self, store: Store, path: Path, watched: Callable[[], Sequence[Watched]], *, lease_s: float = 6.0
    ) -> None:
        """Poll for what `watched` says, each time it is asked; `lease_s`: without a poll another process takes over."""
        self._store, self._path, self._watched, self._lease_s = store, path, watched, lease_s
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._threads: list[tuple[threading.Event, threading.Thread]] = []
        self._read: tuple[float, int] | None = None

    def run(self, stop: threading.Event) -> None:
        """Poll until told to stop. Nothing that goes wrong ends it: it is logged and tried again."""
        while not stop.is_set():
            if (read := self._fingerprint()) != self._read:
                self._read = read
                self._follow()
            stop.wait(_LOOK_S)
        self._end()

    def _fingerprint(self) -> tuple[float, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0.0, -1)
        return (status.st_mtime, status.st_size)

    def _follow(self) -> None:
        """Take over what the file says now; what can't be used is logged, and what was polled goes on."""
        try:
            sources = load_sources(self._path)
            forget_others(self._store, sources)
        except SourcesError as error:
            logger.error("sources are not taken over until this is mended:\n%s", error)
            return
        except StoreUnavailable as error:
            logger.error("sources can't be taken over: %s", error)
            self._read = None
            return
        self._end()
        for source in sources:
            stop = threading.Event()
            thread = threading.Thread(
                target=self._serve, args=(source, stop), name=f"source-{source.name}", daemon=True
            )
            self._threads.append((stop, thread))
            thread.start()
        logger.info("asking %s", ", ".join(f"{source.name} ({source.url})" for source in sources) or "nobody")

    def _end(self) -> None:
        for stop, _ in self._threads:
            stop.set()
        for _, thread in self._threads:
            thread.join(2.0)  # one that hangs in a query ends by its time-out
        self._threads = []

    def _serve(self, source: PrometheusSource, stop: threading.Event) -> None:
        poller, lease = Poller(source), f"source:{source.name}"
        token: int | None = None
        with Client(source) as client:
            while not stop.is_set():
                pause = _IDLE_S
                try:
                    token = acquire_lease(self._store, lease, self._holder, self._lease_s + 4 * source.timeout_s)
                    if token is not None:
                        pause = self._turn(client, poller, lease, token)
                except Fenced:
                    logger.warning(
                        "source %s: a poll took longer than its lease; what it found is dropped", source.name
                    )
                except StoreUnavailable as error:
                    logger.error("source %s: %s", source.name, error)
                except Exception:
                    logger.exception("source %s: a poll failed; the next one tries again", source.name)
                stop.wait(pause)
        if token is not None:
            try:
                release_lease(self._store, lease, token)
            except StoreUnavailable as error:
                logger.warning("source %s: its lease runs out by itself: %s", source.name, error)

    def _turn(self, client: Client, poller: Poller, lease: str, token: int) -> float:
        """Poll once; return how long to wait for the next time, wall seconds."""
        source, clock = poller.source, self._store.clock()
        pause = _IDLE_S
        for watched in self._watched():
            if watched.flag != source.flag:
                continue
            with self._store.read() as connection:
                settled = settled_of(connection, source.name, watched.flag)
            polled = poller.poll(client, watched, clock, settled, time.time())
            if polled.told:
                keep(self._store, source, watched, polled, lease, token)
            if polled.problem:
                return min(_IDLE_S, watched.sample_s / clock.speed)
            now = time.time()
            due = (clock.plan(now - source.delay_s) // watched.sample_s + 1) * watched.sample_s
            pause = min(pause, clock.wall(due) + source.delay_s - now)
        return max(_LEAST_S, pause)

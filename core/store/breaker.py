"""Fails at once while a database server is known not to answer, so that callers don't queue up behind one another."""

from __future__ import annotations

import threading
import time

from core.store.errors import StoreUnavailable, Trouble

RETRY_S = 1.0
"""Wall seconds after a failure before one caller tries the server again."""


class Breaker:
    """Remembers that the server could not be reached. While that is so, one caller in `RETRY_S` is let through.

    A server that has gone answers quickly; one that hangs costs each caller many seconds, and with as many callers as
    there are threads nothing else would be answered.
    """

    def __init__(self, works: bool) -> None:
        self._works = works
        self._lock = threading.Lock()
        self._said = ""
        self._retry_at = 0.0

    def check(self) -> None:
        """Raise StoreUnavailable while the server is known not to answer."""
        if not self._said:
            return
        with self._lock:
            if time.monotonic() < self._retry_at:
                raise StoreUnavailable(self._said, Trouble.UNREACHABLE)
            self._retry_at = time.monotonic() + RETRY_S

    def noted(self, error: StoreUnavailable) -> StoreUnavailable:
        """Take note of a failure, and return it."""
        if self._works and error.trouble is Trouble.UNREACHABLE:
            with self._lock:
                self._said, self._retry_at = str(error), time.monotonic() + RETRY_S
        return error

    def worked(self) -> None:
        """Take note that the server answers."""
        self._said = ""

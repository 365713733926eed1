"""Back-pressure: senders of figures are told to come back later while the store can't keep up with them."""

from __future__ import annotations

import math
import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from core.web.api.problems import Problem

MAX_WRITING = 4
"""Pushes in the works at once. The store has one writer: more would only fill memory and hold threads from the rest."""

_LEAST_WAIT_S, _MOST_WAIT_S = 1, 30


class PushGate:
    """Lets so many pushes in, and answers the others 429 at once, with how long it should take until there is room.

    Pure ASGI; it comes after the body was read, so that a slow sender takes nobody's place.
    """

    def __init__(
        self,
        app: ASGIApp,
        paths: frozenset[str],
        refused: Counter,
        took: Histogram,
        limit: int = MAX_WRITING,
    ) -> None:
        self.app = app
        self.paths = paths
        self.limit = limit
        self._refused, self._took = refused, took
        self._began: dict[object, float] = {}
        self._usual_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] != "http" or scope["path"] not in self.paths or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        now = time.monotonic()
        if len(self._began) >= self.limit:
            self._refused.labels("busy").inc()
            oldest = now - min(self._began.values())
            wait = math.ceil(min(max(_LEAST_WAIT_S, self._usual_s, oldest), _MOST_WAIT_S))
            detail = (
                f"Figures come faster than they can be stored. Send this batch again in {wait} s, with the same id."
            )
            await Problem(429, detail, headers={"Retry-After": str(wait)}).answer()(scope, receive, send)
            return
        mark = object()
        self._began[mark] = now
        try:
            await self.app(scope, receive, send)
        finally:
            took = time.monotonic() - self._began.pop(mark)
            self._usual_s += 0.2 * (took - self._usual_s)
            self._took.observe(took)

"""ASGI middleware: reports each HTTP request that the app under it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from canary_client.reporter import Reporter
from canary_client.request import Extractor, Watch, forget

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class AsgiMiddleware:
    """Reports learner, version, latency and whether it went well, of each HTTP request.

    Latency is the time until the whole answer was handed over; an answer below 500 went well, an exception didn't. A
    request whose client went away before an answer began is not reported: nobody knows what it would have been.
    """

    def __init__(
        self,
        app: App,
        reporter: Reporter,
        *,
        learner: Extractor | None = None,
        version: Extractor | None = None,
        segment: Extractor | None = None,
        region: Extractor | None = None,
    ) -> None:
        """Wrap `app`.

        Args:
            app: any ASGI application.
            reporter: that is told.
            learner, version, segment, region: read it from the scope (`header("X-Learner")`). Not needed where
                `canary_client.openfeature.VersionHook` is installed, or the code under it calls `note`.
        """
        self.app = app
        self._reporter = reporter
        self._watch = Watch(reporter, {"learner": learner, "version": version, "segment": segment, "region": region})

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass on, and watch."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        facts, token = self._watch.begin(scope)
        ok = False
        told = True
        try:
            await self.app(scope, receive, watched)
            ok, told = status is not None and status < 500, status is not None
        except asyncio.CancelledError:
            told = status is not None
            ok = status is not None and status < 500
            raise
        finally:
            forget(token)
            if told:
                self._watch.end(facts, ok=ok, latency_ms=1e3 * (time.perf_counter() - began))

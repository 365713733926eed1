"""The candidate's dependency: a store that hands out the cohort model. The dependency fault really closes it."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.demo.net import Server, address, listen

logger = logging.getLogger(__name__)


class ModelStore:
    """Serves `GET /model`, with an ETag, on a port that stays the same when it is closed and opened again."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._etag = f'"{hashlib.sha256(model.encode()).hexdigest()[:16]}"'
        self._app = Starlette(routes=[Route("/model", self._get)])
        self._port = 0
        self._running: tuple[Server, asyncio.Task[None]] | None = None

    @property
    def url(self) -> str:
        """Address of the model; known once it was opened."""
        return f"http://127.0.0.1:{self._port}/model"

    async def open(self) -> None:
        """Listen, if it doesn't already."""
        if self._running is not None:
            return
        sock = listen(self._port)
        self._port = sock.getsockname()[1]
        server = Server(self._app)
        self._running = server, asyncio.create_task(server.serve(sockets=[sock]), name="model store")
        logger.info("model store open at %s", address(sock))

    async def close(self) -> None:
        """Stop listening and drop its connections."""
        if self._running is None:
            return
        server, task = self._running
        self._running = None
        server.should_exit = True
        await task
        logger.info("model store closed")

    async def _get(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == self._etag:
            return Response(status_code=304, headers={"ETag": self._etag})
        return Response(self._model, media_type="application/json", headers={"ETag": self._etag})

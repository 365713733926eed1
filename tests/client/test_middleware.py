"""Both middlewares round real apps on real servers, and the OpenFeature hook against the real flag service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openfeature import api as openfeature
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.hook import clear_hooks

from canary_client import AsgiMiddleware, WsgiMiddleware, header, note
from canary_client.openfeature import VersionHook
from tests.client.conftest import Real, until


@contextmanager
def asgi(app: Any) -> Iterator[str]:
    """Serve an ASGI app with uvicorn."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def wsgi(app: Any) -> Iterator[str]:
    """Serve a WSGI app with wsgiref."""
    server: WSGIServer = make_server("127.0.0.1", 0, app, handler_class=_Silent)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture
def flags(real: Real) -> Iterator[Any]:
    """Return an OpenFeature client of the real server, with our hook."""
    openfeature.set_provider(
        OFREPProvider(real.url, timeout=5.0, headers_factory=lambda: {"Authorization": f"Bearer {real.read}"})
    )
    openfeature.add_hooks([VersionHook("analyzer")])
    yield openfeature.get_client()
    clear_hooks()
    openfeature.clear_providers()


def test_a_fastapi_service_in_three_lines(real: Real, flags: Any) -> None:
    app = FastAPI()
    given: dict[str, str] = {}

    @app.get("/cohort/{learner}")
    def cohort(learner: str) -> dict[str, str]:  # on a thread of its own, as FastAPI runs plain functions
        version = flags.get_string_value("analyzer", "original", EvaluationContext(learner))
        given[learner] = version
        note(region="asgi", revenue=0.25)
        if learner == "broken":
            raise RuntimeError("broken")
        return {"version": version}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        flags.get_string_value("analyzer", "original", EvaluationContext("streaming"))
        note(region="stream")

        async def parts() -> Any:
            yield b"a"
            await asyncio.sleep(0.2)
            yield b"b"

        return StreamingResponse(parts())

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    with real.reporter("asgi") as reporter:
        app.add_middleware(AsgiMiddleware, reporter=reporter)
        with asgi(app) as url, httpx.Client(base_url=url) as client:
            for learner in real.learners(fast=5, original=25):
                assert client.get(f"/cohort/{learner}").status_code == 200
            assert httpx.get(f"{url}/cohort/broken").status_code == 500
            assert client.get("/stream").content == b"ab"
            assert client.get("/healthz").status_code == 200
        assert reporter.flush()
        assert reporter.stats().unreported == 1
    frame = real.frame("asgi")
    for version in ("original", "fast"):
        mine = frame.select(frame.version == version)
        assert mine.requests.sum() == sum(v == version for v in given.values()) >= 5
    assert frame.errors.sum() == 1
    from core.store import quantile_of

    longest = quantile_of(real.frame("stream"), 1.0)
    assert longest is not None
    assert longest >= 190  # the whole answer, not its first part


def test_a_service_whose_flag_service_is_down_reports_the_default(real: Real) -> None:
    openfeature.set_provider(OFREPProvider("http://127.0.0.1:1", timeout=0.25))
    openfeature.add_hooks([VersionHook("analyzer")])
    client = openfeature.get_client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        client.get_string_value("analyzer", "original", EvaluationContext("u1"))
        note(region="default")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    try:
        with real.reporter("default") as reporter, asgi(AsgiMiddleware(app, reporter)) as url:
            assert httpx.get(url).status_code == 204
            assert reporter.flush()
    finally:
        clear_hooks()
        openfeature.clear_providers()
    frame = real.frame("default")
    assert (frame.requests.sum(), set(frame.version)) == (1, {"original"})


def test_a_client_that_goes_away_before_the_answer_is_nobodys_error(real: Real) -> None:
    begun = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            begun.set()
            await receive()  # the request
            await receive()  # its end
            raise asyncio.CancelledError

    with real.reporter("gone") as reporter:
        wrapped = AsgiMiddleware(
            app, reporter, learner=lambda _: "u1", version=lambda _: "fast", region=lambda _: "gone"
        )
        with asgi(wrapped) as url:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(url, timeout=0.2)
            assert begun.wait(5)
        assert reporter.flush()
        assert reporter.stats().recorded == 0


def test_a_wsgi_service_by_headers(real: Real) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/raises":
            raise RuntimeError("broken")
        start_response("500 Oh" if path == "/fails" else "200 OK", [("Content-Type", "text/plain")])
        if path == "/breaks":

            def breaking() -> Iterator[bytes]:
                yield b"some"
                raise RuntimeError("half-way")

            return breaking()
        note(cost=0.5)
        return [b"fine"]

    with real.reporter("wsgi") as reporter:
        wrapped = WsgiMiddleware(
            app,
            reporter,
            learner=header("X-Learner"),
            version=header("X-Version"),
            region=lambda _: "wsgi",
            segment=lambda _: 1 / 0,  # an extractor that is broken breaks nothing
        )
        with wsgi(wrapped) as url, httpx.Client(base_url=url) as client:
            told = {"X-Learner": "u1", "X-Version": "fast"}
            assert client.get("/", headers=told).text == "fine"
            assert client.get("/", headers=told | {"X-Version": "original"}).text == "fine"
            assert client.get("/fails", headers=told).status_code == 500
            assert client.get("/raises", headers=told).status_code == 500
            assert client.get("/breaks", headers=told).text == "some"  # HTTP/1.0 has no sign of what is missing
            assert client.get("/").status_code == 200
        assert reporter.flush()
        assert reporter.stats().unreported == 1
    frame = real.frame("wsgi")
    fast = frame.select(frame.version == "fast")
    assert (frame.requests.sum(), fast.requests.sum(), fast.errors.sum()) == (5, 4, 3)


def test_note_says_what_it_does_not_know() -> None:
    assert note(learner="u1") is False  # outside of a request nothing happens
    with pytest.raises(TypeError, match="not lerner"):
        note(lerner="u1")

"""Small HTTP servers on loopback: sockets without delayed acknowledgements, servers that leave signals alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

HOST = "127.0.0.1"


def listen(port: int = 0, host: str = HOST) -> socket.socket:
    """Return a listening socket on a port, or on a free one; raises OSError when it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; without it an answer on a kept-alive connection waits 40 ms for an ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, port))
        sock.listen(256)
    except OSError:
        sock.close()
        raise
    return sock


def address(sock: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A uvicorn server that several of can run in one loop: it doesn't touch signal handlers."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers to the process that runs the servers."""
        yield


def client(timeout_s: float, base_url: str = "") -> httpx.AsyncClient:
    """Return a keep-alive client for loopback: no proxies, whatever the environment says."""
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=128, keepalive_expiry=60.0)
    return httpx.AsyncClient(base_url=base_url, timeout=timeout_s, trust_env=False, limits=limits)


def problem(status: int, title: str, **more: object) -> JSONResponse:
    """Return an RFC 9457 problem."""
    return JSONResponse({"title": title, "status": status, **more}, status, media_type="application/problem+json")


def foreign(request: Request, port: int) -> JSONResponse | None:
    """Refuse a request that was made for another host or by another site's page; None where there is nothing wrong.

    A page anywhere can send requests to loopback, and a name anywhere can resolve to it: both carry a foreign name.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    if request.headers.get("host", "") not in own:
        return problem(421, f"this service answers as 127.0.0.1:{port} only")
    origin = request.headers.get("origin")
    if origin is not None and origin.removeprefix("http://") not in own:
        return problem(403, "requests from other sites' pages are refused")
    return None

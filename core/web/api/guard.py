"""What is refused before any handler sees it: foreign hosts and origins, bodies that are too large or not JSON.

Behind a proxy every client looks like loopback, and a page anywhere can have its own name point at 127.0.0.1 or post
to it; so the names by which we may be called are listed, and what changes anything must come from our own pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings
from core.web.api.problems import Problem

API_PREFIXES = ("/api", "/ofrep", "/healthz", "/metrics", "/on-call/ack")
"""Paths that are the API's; all others are the dashboard's."""

_FORMS = "/on-call/ack/"  # the button of a page that a phone shows; what it means is in its address

MAX_BODY = 8 * 2**20
"""Bytes of a body, for pushed figures."""

MAX_SMALL_BODY = 64 * 2**10
"""Bytes of every other body."""

LARGE = frozenset({"/api/v1/samples", "/api/v1/requests"})
"""Paths that figures are pushed to."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORT = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def served_names(settings: Settings) -> tuple[str, ...]:
    """Return the names besides loopback's by which a browser or client may call this server."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = () if host in {"0.0.0.0", "[::]"} else (host,)
    public = (urlsplit(settings.public_url).netloc,) if settings.public_url else ()
    return (*settings.allowed_hosts, *public, *own)


def is_api(path: str) -> bool:
    """Say whether a path is the API's."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PREFIXES)


def host_allowed(host: str, scheme: str, port: int | None, allowed: Iterable[str]) -> bool:
    """Say whether a Host header names this server.

    Args:
        host: the header. scheme: of the request.
        port: that the server listens on; None: not a port (a Unix socket).
        allowed: further names; with a port ("canary.example:8443") only that, without one any.
    """
    name, given = _split(host)
    if not name:
        return False
    if name in _LOOPBACK and (port is None or (given or _DEFAULT_PORT[scheme]) == port):
        return True
    return any(name == wanted and at in {None, given} for wanted, at in map(_split, allowed))


def same_origin(origin: str, host: str) -> bool:
    """Say whether an Origin header is that of the pages served under this Host.

    The scheme isn't compared: behind a proxy that ends TLS the browser's https is http here.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    default = _DEFAULT_PORT.get(parts.scheme)
    if default is None or not parts.netloc:
        return False
    (name, port), (our_name, our_port) = _split(parts.netloc), _split(host)
    return bool(name) and name == our_name and (port or default) == (our_port or default)


def _split(netloc: str) -> tuple[str, int | None]:
    """Return (name in lower case, port or None); the name is "" where it is no host at all."""
    name, port = netloc.lower().strip(), ""
    if not name.endswith("]") and ":" in name:
        name, _, port = name.rpartition(":")
    plain = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if not plain or any(c in "@/\\?# \t" for c in plain) or (plain is name and ":" in plain):
        return "", None
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return "", None
    return name.removesuffix("."), int(port) if port else None


class HostGuard:
    """Refuses requests and WebSockets for a foreign Host, and changes that come from a foreign Origin. Pure ASGI."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self.app = app
        self.allowed = tuple(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is ours."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        problem = self._refuses(scope)
        if problem is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await problem.answer()(scope, receive, send)

    def _refuses(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        server = scope.get("server")
        port = server[1] if server else None
        if len(hosts) != 1 or not host_allowed(hosts[0], scope["scheme"], port, self.allowed):
            detail = "This Host is not served here. If it is a name of this server, add it to CANARY_ALLOWED_HOSTS."
            return Problem(421, detail)
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        origins = headers.getlist("origin")
        foreign = len(origins) > 1 or any(not same_origin(origin, hosts[0]) for origin in origins)
        # A browser says where a request comes from even where it leaves Origin out.
        if foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return Problem(403, "Requests from pages of another origin are refused.")
        return None


class BodyGuard:
    """Refuses bodies that are not JSON or too large; reads the others whole before anything is done. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what can be read."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        form = scope["path"].startswith(_FORMS)
        if not form and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            await Problem(415, "Send Content-Type: application/json.").answer()(scope, receive, send)
            return
        limit = MAX_BODY if scope["path"] in LARGE else MAX_SMALL_BODY
        declared = headers.get("content-length", "0")
        too_large = Problem(413, f"The body is larger than {limit:,} bytes: send it in parts.")
        if not declared.isdigit() or int(declared) > limit:
            await too_large.answer()(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > limit:
                await too_large.answer()(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        await self.app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay

"""What every answer of the dashboard says to the browser about itself, and the way back to where a sign-in began.

The policy lets nothing in that doesn't come from here: Streamlit's one inline script is allowed by its hash, styles are
inline because its widgets write them, and nothing may frame the page, so that no click can be stolen.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
RETURN_COOKIE = "canary_return"
_RETURN_S = 600
_LONGEST = 2000
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_CLOSED = ("/_stcore/metrics", "/_stcore/agent")
"""Streamlit's own paths that ask for no token and that no page needs."""


def policy(index: str) -> str:
    """Return the content-security policy for a page of which this is the text."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" for script in _SCRIPT.findall(index)
    )
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {hashes}".strip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-src 'self'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds the usual headers to every answer. Pure ASGI.

    Args:
        app: what is served. secure: it is reached by https, and is to be from then on.
    """

    def __init__(self, app: ASGIApp, secure: bool = False, index: Path = INDEX) -> None:
        self.app = app
        self._headers = {
            "Content-Security-Policy": policy(index.read_text(encoding="utf-8")),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if any(scope["path"] == path or scope["path"].startswith(f"{path}/") for path in _CLOSED):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, add)


class ReturnsToPage:
    """Brings people back, after they have signed in, to the page from which they went to do so. Pure ASGI.

    Streamlit's login forgets it: so what the browser says it came from is kept in a cookie on the way out, and takes
    the place of "/" on the way back, where it is a path of ours.
    """

    def __init__(self, app: ASGIApp, secure: bool = False) -> None:
        self.app = app
        self._flags = f"; Max-Age={_RETURN_S}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and remember or restore."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path not in {"/auth/login", "/oauth2callback"}:
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope)
        back = came_from(given) if path == "/auth/login" else kept_path(given.getlist("cookie"))

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if path == "/auth/login" and back:
                    headers.append("Set-Cookie", f"{RETURN_COOKIE}={quote(back, safe='')}{self._flags}")
                elif path == "/oauth2callback":
                    headers.append("Set-Cookie", f"{RETURN_COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
                    if back and headers.get("location") == "/":
                        headers["Location"] = back
            await send(message)

        await self.app(scope, receive, change)


def came_from(headers: Headers) -> str:
    """Return the path, with its query, of our own page that a request came from; "" of any other."""
    try:
        parts = urlsplit(headers.get("referer", ""))
    except ValueError:
        return ""
    if not parts.netloc or parts.netloc.lower() != headers.get("host", "").lower():
        return ""
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def kept_path(cookies: Iterable[str]) -> str:
    """Return the path that a cookie keeps; "" where there is none that is ours."""
    for text in cookies:
        try:
            kept = SimpleCookie(text).get(RETURN_COOKIE)
        except CookieError:
            continue
        if kept is not None:
            return own_path(unquote(kept.value))
    return ""


def own_path(path: str) -> str:
    """Return a path if it leads to this server and nowhere else, else "" ("//host" and "/\\host" lead elsewhere)."""
    plain = path.isascii() and path.isprintable() and len(path) <= _LONGEST
    return path if plain and re.match(r"/(?![/\\])", path) and "\\" not in path else ""

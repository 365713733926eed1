"""The dashboard's scripts, styles and fonts: sent from memory, and those that pages need fetched with the page."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(streamlit.__file__).parent / "static"
FOR_ALWAYS = "public, immutable, max-age=31536000"  # their names change with what they say

_IMPORTED = re.compile(r"""(?:from|import)\s*["'`]\./([\w.-]+\.js)["'`]""")
_USED = ("Html", "PlotlyChart", "Selectbox", "Button")
"""Parts of Streamlit's frontend that most pages need, each in a script of its own that is else asked for late.

Not more: proxies take a few thousand characters of headers.
"""
_HEAD = 16_384
"""Characters of a script that its imports are in."""


class Assets:
    """Answers for Streamlit's own files, and tells browsers with a page which scripts it will need. Pure ASGI.

    A page is some ninety files. Each takes Starlette several turns of a thread, and all of them wait for one another;
    from memory they take a tenth of that.
    """

    def __init__(self, app: ASGIApp, static: Path = STATIC, used: Iterable[str] = _USED) -> None:
        self.app = app
        self._files = {f"/{path.relative_to(static).as_posix()}": path for path in (static / "static").rglob("*.*")}
        self._link = ", ".join(f"<./static/js/{name}>; rel=modulepreload" for name in needed(static, used))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on and add to pages."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        file = self._files.get(path[path.rfind("/static/") :]) if "/static/" in path else None
        if file is not None and scope["method"] == "GET" and "range" not in Headers(scope=scope):
            await _response(file)(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if self._link and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", self._link)
            await send(message)

        await self.app(scope, receive, add)


def needed(static: Path, used: Iterable[str]) -> list[str]:
    """Return the scripts of parts of the frontend, and what those import, but for what a page asks for by itself."""
    folder = static / "static" / "js"
    index = (static / "index.html").read_text(encoding="utf-8")
    waiting = [path.name for part in used for path in sorted(folder.glob(f"{part}.*.js"))]
    found: dict[str, None] = {}
    while waiting:
        name = waiting.pop(0)
        if name not in found and name not in index and (folder / name).is_file():
            found[name] = None
            waiting += _IMPORTED.findall((folder / name).read_text(encoding="utf-8")[:_HEAD])
    return list(found)


@cache
def _response(file: Path) -> Response:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(file.read_bytes(), media_type=kind, headers={"Cache-Control": FOR_ALWAYS})

"""The chart library, fetched with a page instead of when the first chart comes."""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(streamlit.__file__).parent / "static"


class EarlyCharts:
    """Tells browsers to fetch the chart library as soon as they have a page's address. Pure ASGI.

    The library is nine tenths of what a page with a chart loads, and compiling it then goes on beside all the rest.
    """

    def __init__(self, app: ASGIApp, static: Path = STATIC) -> None:
        self.app = app
        self._link = ", ".join(
            f"<./static/js/{path.name}>; rel=modulepreload"
            for path in sorted(static.glob("static/js/PlotlyChart.*.js"))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add to pages."""
        if scope["type"] != "http" or not self._link:
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", self._link)
            await send(message)

        await self.app(scope, receive, add)

"""GET over kept-alive connections to one loopback server, at a tenth of what a full HTTP client costs.

The demo sends some 250 requests a second between its own processes on two cores; here is what that takes: HTTP/1.1,
answers with a Content-Length. Everything that leaves the demo (the flag, the pushed figures) goes through real clients.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Unreachable(Exception):
    """No answer: refused, cut off, too late, or not HTTP."""


class Connections:
    """Connections to one server; as many as there are requests in flight."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._end = f" HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n\r\n"
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a path (already quoted); raises Unreachable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(path)
        except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    async def _get(self, path: str) -> tuple[int, bytes]:
        while self._idle:
            try:
                return await self._over(self._idle.pop(), path)
            except (ConnectionError, asyncio.IncompleteReadError):
                continue  # closed by the server while it was idle
        return await self._over(await asyncio.open_connection(self._host, self._port), path)

    async def _over(self, connection: Connection, path: str) -> tuple[int, bytes]:
        reader, writer = connection
        try:
            writer.write(f"GET {path}{self._end}".encode())
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
            status = int(lines[0].split(b" ")[1])
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in lines:
            writer.close()
        else:
            self._idle.append(connection)
        return status, body

    def close(self) -> None:
        """Close the connections that are idle."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

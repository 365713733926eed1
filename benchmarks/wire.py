"""HTTP/1.1 over kept-alive connections, with as little of our own between sending and receiving as can be."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

HOST = "127.0.0.1"
PATIENCE_S = 10.0


class WireError(RuntimeError):
    """The server closed a connection, or answered something that was not expected."""


def question(method: str, path: str, port: int, token: str, body: object = None) -> bytes:
    """Return the bytes of a request."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


class Connection(asyncio.Protocol):
    """One connection: one request at a time, its answer awaited."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._got = b""

    @classmethod
    async def to(cls, port: int) -> Connection:
        """Open one. Raises OSError."""
        connection = cls(port)
        await connection._open()
        return connection

    async def _open(self) -> None:
        await self._loop.create_connection(lambda: self, HOST, self._port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that is waiting."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WireError(f"the server closed the connection: {exc or 'no reason told'}"))

    def data_received(self, data: bytes) -> None:
        """Give the answer once it is whole."""
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._got = b""
            self._answer.set_result((int(lines[0][9:12]), body))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return (status, body). Raises WireError, TimeoutError."""
        assert self._transport is not None
        if self._transport.is_closing():  # servers close what has lain idle for some seconds
            await self._open()
        self._answer = self._loop.create_future()
        self._transport.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await self._answer

    async def ask_json(self, request: bytes) -> Any:
        """Send a request; return its answer's JSON. Raises WireError where it isn't a 2xx."""
        status, body = await self.ask(request)
        if not 200 <= status < 300:
            raise WireError(f"HTTP {status}: {body[:300].decode(errors='replace')}")
        return json.loads(body)

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


@dataclass(frozen=True, slots=True)
class Load:
    """What a load saw.

    Attributes:
        latencies: seconds from when each request was due, so that a queue counts; closed loop: from its sending.
        failed: answered with anything but 200. seconds: that it went on.
    """

    latencies: list[float]
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


@contextmanager
def no_collections() -> Iterator[None]:
    """Keep our own garbage collections out of what is measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float, connections: int = 32) -> Load:
    """Send requests at random moments of a constant mean rate (Poisson), whether or not the last ones were answered."""
    rng = np.random.default_rng(4)
    due: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
    load = Load([], 0, seconds)
    open_ones = [await Connection.to(port) for _ in range(connections)]
    failed = 0

    async def work(connection: Connection) -> None:
        nonlocal failed
        while (job := await due.get()) is not None:
            at, request = job
            status, _ = await connection.ask(request)
            load.latencies.append(time.perf_counter() - at)
            failed += status != 200

    with no_collections():
        workers = [asyncio.create_task(work(connection)) for connection in open_ones]
        at = began = time.perf_counter()
        for request in cycle(requests):
            at += rng.exponential(1 / rate)
            if at > began + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            due.put_nowait((at, request))
        for _ in workers:
            due.put_nowait(None)
        await asyncio.gather(*workers)
        took = time.perf_counter() - began
    for connection in open_ones:
        connection.close()
    return Load(load.latencies, failed, took)


async def closed_loop(port: int, requests: Sequence[bytes], seconds: float, connections: int = 16) -> Load:
    """Send on each connection the next request as soon as the last one is answered."""
    latencies: list[float] = []
    failed = 0
    open_ones = [await Connection.to(port) for _ in range(connections)]
    following = cycle(requests)

    async def work(connection: Connection, until: float) -> None:
        nonlocal failed
        while (at := time.perf_counter()) < until:
            status, _ = await connection.ask(next(following))
            latencies.append(time.perf_counter() - at)
            failed += status != 200

    with no_collections():
        began = time.perf_counter()
        await asyncio.gather(*(work(connection, began + seconds) for connection in open_ones))
        took = time.perf_counter() - began
    for connection in open_ones:
        connection.close()
    return Load(latencies, failed, took)

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.wire import Connection, WireError, closed_loop, open_loop, question

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request with its body, in pieces."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        for piece in (b"HTTP/1.1 200 OK\r\nCont", f"ent-Length: {length}\r\n\r\n".encode(), body[:3], body[3:]):
            writer.write(piece)
            await writer.drain()


async def _leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


def _with_server(handler: Handler, work: Callable[[int], Awaitable[None]]) -> None:
    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(quiet, "127.0.0.1", 0)
        async with server:
            await work(server.sockets[0].getsockname()[1])

    asyncio.run(run())


def test_answers_come_back_whole_on_one_connection() -> None:
    async def work(port: int) -> None:
        connection = await Connection.to(port)
        for number in range(3):
            body = {"number": number}
            assert await connection.ask_json(question("POST", "/", port, "token", body)) == body
        connection.close()

    _with_server(_answering, work)


def test_a_server_that_leaves_is_told() -> None:
    async def work(port: int) -> None:
        connection = await Connection.to(port)
        with pytest.raises(WireError, match="closed the connection"):
            await connection.ask(question("GET", "/", port, "token"))

    _with_server(_leaving, work)


def test_loads_ask_as_often_as_they_say() -> None:
    async def work(port: int) -> None:
        asked = [question("POST", "/", port, "token", {"n": n}) for n in range(5)]
        steady = await open_loop(port, asked, rate=100.0, seconds=0.5, connections=4)
        assert 25 <= len(steady.latencies) <= 80
        assert steady.failed == 0
        most = await closed_loop(port, asked, seconds=0.2, connections=2)
        assert most.rate > 10
        assert most.failed == 0

    _with_server(_answering, work)

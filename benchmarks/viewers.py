"""Browsers on the Live page without the browser: Streamlit's WebSocket protocol, in a process of their own.

`python -m benchmarks.viewers PORT COUNT SECONDS` opens the page COUNT times, then says "measuring", keeps refreshing
as browsers do, and prints what it saw as JSON. As in a browser each fragment has a timer that asks for it every
interval whether or not the last answer has come, and large messages that the server may refer to later are remembered.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

from benchmarks.servers import ROOT
from benchmarks.wire import HOST
from core.demo.processes import end

JOIN_S = 0.15
"""From one viewer's coming to the next's."""

WARM_S = 4.0
OPEN_WITHIN_S = 30.0
_KEPT_RUNS = 3  # for so many runs a browser keeps what the server may refer to (global.maxCachedMessageAge is 2)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a number of viewers saw while it was measured. Seconds, except where named otherwise.

    Attributes:
        openings: from asking for the page to its end, one a viewer. refreshes: from a fragment's timer to the end of
            the run that drew it. unanswered: timers not answered at the end that were older than a second.
        skipped: refreshes that were only answered together with a later one.
        asked: timers. messages, bytes: received. cpu: of the viewers' process, part of one core.
    """

    viewers: int
    seconds: float
    openings: list[float]
    refreshes: list[float]
    asked: int
    skipped: int
    unanswered: int
    messages: int
    bytes: int
    cpu: float


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of fragments, and when its beginning and its end were heard of."""

    fragments: list[str]
    began: float
    ended: float


class Viewer:
    """One tab on the Live page."""

    def __init__(self, port: int) -> None:
        self.opened_s = 0.0
        self.refreshes: list[float] = []
        self.asked = self.skipped = self.messages = self.bytes = 0
        self.problem = ""
        self.pending: dict[str, list[float]] = defaultdict(list)
        self._port = port
        self._page = ""
        self._began = self._run_began = 0.0
        self._early: _Run | None = None
        self._opened = asyncio.Event()
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._kept: dict[str, deque[set[str]]] = defaultdict(lambda: deque([set()], maxlen=_KEPT_RUNS))
        self._reader: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None

    async def open(self) -> None:
        """Open the page and wait until it is drawn. Raises OSError, TimeoutError, RuntimeError."""
        self._socket = await websockets.connect(
            f"ws://{HOST}:{self._port}/_stcore/stream",
            origin=websockets.Origin(f"http://{HOST}:{self._port}"),
            subprotocols=[websockets.Subprotocol("streamlit")],
            max_size=None,
            proxy=None,
        )
        self._began = time.perf_counter()
        await self._ask("")
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(OPEN_WITHIN_S):
            await self._opened.wait()
        self.check()
        if not self._timers:
            raise RuntimeError("the page refreshes nothing by itself: is there a deployment?")

    def check(self) -> None:
        """Raise RuntimeError, or what went wrong while reading, when this viewer doesn't see the page any more."""
        assert self._reader is not None
        if self._reader.done():
            self._reader.result()
        if self.problem:
            raise RuntimeError(self.problem)

    def begin(self) -> None:
        """Forget what was seen so far."""
        self.refreshes, self.asked, self.skipped, self.messages, self.bytes = [], 0, 0, 0, 0

    async def close(self) -> None:
        """Close the tab."""
        tasks = [*self._timers.values(), *([self._reader] if self._reader else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def _ask(self, fragment: str) -> None:
        assert self._socket is not None
        message = BackMsg()
        asked = message.rerun_script
        asked.page_script_hash = self._page
        asked.fragment_id = fragment
        asked.is_auto_rerun = bool(fragment)
        asked.cached_message_hashes.extend({h for runs in self._kept.values() for run in runs for h in run})
        asked.context_info.url = f"http://{HOST}:{self._port}/"
        asked.context_info.color_scheme = "light"
        asked.context_info.timezone = "UTC"
        asked.context_info.locale = "en-GB"
        await self._socket.send(message.SerializeToString())

    async def _refresh_on(self, fragment: str, interval: float) -> None:
        due = time.perf_counter()
        while True:
            due += interval
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.pending[fragment].append(due)
            self.asked += 1
            await self._ask(fragment)

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self.messages += 1
                self.bytes += len(data)
                message = ForwardMsg()
                message.ParseFromString(data)
                self._take(message)
            self.problem = "the server closed a viewer's connection"
        except websockets.ConnectionClosed as error:
            self.problem = f"the server closed a viewer's connection: {error}"
        finally:
            self._opened.set()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._run_began = time.perf_counter()
            self._page = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:
                self._stop(list(self._timers))  # the page begins anew, and says again what it wants refreshed
            elif self._early is not None:
                # A fragment whose end had not been sent when the next one began: it is whole, and only called early.
                self._answered(self._early)
            self._early = None
        elif kind == "delta":
            if message.delta.new_element.WhichOneof("type") == "exception":
                self.problem = f"the page shows an error: {message.delta.new_element.exception.type}"
            if message.metadata.cacheable:
                self._kept[message.delta.fragment_id][-1].add(message.hash)
        elif kind == "ref_hash":
            self._referred(message.ref_hash)
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            if fragment not in self._timers:
                again = self._refresh_on(fragment, message.auto_rerun.interval)
                self._timers[fragment] = asyncio.create_task(again)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.pending.pop(fragment, None)
            self._stop(message.stop_auto_rerun.fragment_ids)
        elif kind == "script_finished":
            self._finished(message)

    def _stop(self, fragments: Iterable[str]) -> None:
        for fragment in fragments:
            if timer := self._timers.pop(fragment, None):
                timer.cancel()

    def _referred(self, known: str) -> None:
        for runs in self._kept.values():
            if any(known in run for run in runs):
                runs[-1].add(known)
                return
        self.problem = "the server referred to a message that it never sent"

    def _finished(self, message: ForwardMsg) -> None:
        """Note what a run has answered."""
        now, how, drawn = time.perf_counter(), message.script_finished, list(message.metadata.run.fragment_ids)
        if how == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.problem = "the page can't be compiled"
        elif how == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self._early = _Run(drawn, self._run_began, now)
        elif how == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self._answered(_Run(drawn, self._run_began, now))
        else:
            if not self._opened.is_set():
                self.opened_s = now - self._began
                self._opened.set()
            self._answered(_Run(list(self.pending), self._run_began, now))  # the whole page, so every fragment

    def _answered(self, run: _Run) -> None:
        for fragment in run.fragments:
            # A timer that fired after this run began is answered by the next.
            answered = [due for due in self.pending[fragment] if due <= run.began]
            self.pending[fragment] = [due for due in self.pending[fragment] if due > run.began]
            self.refreshes += [run.ended - due for due in answered]
            self.skipped += max(0, len(answered) - 1)
            self._kept[fragment].append(set())


async def watch(port: int, count: int, seconds: float) -> Seen:
    """Open the page `count` times, a little apart, and watch it refresh."""
    viewers = [Viewer(port) for _ in range(count)]
    try:
        for viewer in viewers:
            await viewer.open()
            await asyncio.sleep(JOIN_S)
        await asyncio.sleep(WARM_S)
        gc.collect()
        gc.freeze()
        for viewer in viewers:
            viewer.begin()
        sys.stdout.write("measuring\n")
        sys.stdout.flush()
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        now, used = time.perf_counter(), time.process_time() - cpu
        for viewer in viewers:
            viewer.check()
        return Seen(
            viewers=count,
            seconds=now - began,
            openings=[viewer.opened_s for viewer in viewers],
            refreshes=[s for viewer in viewers for s in viewer.refreshes],
            asked=sum(viewer.asked for viewer in viewers),
            skipped=sum(viewer.skipped for viewer in viewers),
            unanswered=sum(due < now - 1.0 for viewer in viewers for dues in viewer.pending.values() for due in dues),
            messages=sum(viewer.messages for viewer in viewers),
            bytes=sum(viewer.bytes for viewer in viewers),
            cpu=used / (now - began),
        )
    finally:
        await asyncio.gather(*(viewer.close() for viewer in viewers), return_exceptions=True)


class Watching:
    """Viewers in a process of their own, so that they don't share an interpreter with what else is measured."""

    def __init__(self, port: int, count: int, seconds: float) -> None:
        command = [sys.executable, "-m", "benchmarks.viewers", str(port), str(count), str(seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True)

    async def measuring(self) -> None:
        """Wait until all have opened the page."""
        assert self.process.stdout is not None
        if await asyncio.to_thread(self.process.stdout.readline) != b"measuring\n":
            raise RuntimeError("the viewers could not open the Live page; what went wrong stands above")

    async def seen(self) -> Seen:
        """Wait for the end; return what they saw."""
        output, _ = await asyncio.to_thread(self.process.communicate)
        if self.process.returncode:
            raise RuntimeError("the viewers failed; what went wrong stands above")
        return Seen(**json.loads(output))


@contextmanager
def watching(port: int, count: int, seconds: float) -> Iterator[Watching]:
    """Let viewers come; they go when the block ends."""
    viewers = Watching(port, count, seconds)
    try:
        yield viewers
    finally:
        end([viewers.process])


def main() -> None:
    """Watch, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    try:
        seen = asyncio.run(watch(options.port, options.count, options.seconds))
    except (OSError, RuntimeError, TimeoutError) as error:
        sys.exit(f"viewers: {str(error) or type(error).__name__}")
    sys.stdout.write(json.dumps(asdict(seen)) + "\n")


if __name__ == "__main__":
    main()

"""The demo service: prepares the learners, runs the front and the model store, and keeps two analyzer workers alive.

`python -m core.demo.service --data DIR --flags URL ...`. Says where it is as one JSON line on stdout, and ends,
with its workers, on SIGTERM or when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from core.demo import dataset, faults
from core.demo.faults import Fault
from core.demo.flags import FlagClient
from core.demo.front import Front, FrontOptions
from core.demo.modelstore import ModelStore
from core.demo.net import Server, address, listen
from core.demo.processes import die_with_parent, stdin_lines
from core.demo.worker import FAST, ORIGINAL
from core.learners import EventsError
from core.settings import get_settings
from core.store import Store, StoreUnavailable

logger = logging.getLogger(__name__)

READY_WITHIN_S = 90.0  # the first start compiles the kernel


class WorkerProcess:
    """An analyzer worker that is started again, on the same port, whenever it dies."""

    def __init__(self, version: str, data: Path, model_store: str | None) -> None:
        self.version = version
        self.port = 0
        self.restarts = 0
        self._data = data
        self._model_store = model_store
        self._process: asyncio.subprocess.Process | None = None
        self._fault: Fault | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Address of the worker."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id; None while it is down."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Start it, wait until it answers, and watch over it from then on."""
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_alive(), name=f"watch {self.version}")

    async def _spawn(self) -> None:
        command = [sys.executable, "-m", "core.demo.worker", "--version", self.version, "--data", str(self._data)]
        command += ["--port", str(self.port)]
        if self._model_store is not None:
            command += ["--model-store", self._model_store]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._process = process
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_WITHIN_S)
        if not line:
            raise RuntimeError(f"the {self.version} worker ended with {await process.wait()} before it was ready")
        self.port = json.loads(line)["ready"]
        self._tell()

    async def _keep_alive(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            self.restarts += 1
            logger.warning("%s worker ended with %s; started again in %s s", self.version, code, faults.RESTART_PAUSE_S)
            await asyncio.sleep(faults.RESTART_PAUSE_S)
            try:
                await self._spawn()
            except (RuntimeError, TimeoutError, OSError) as error:
                logger.error("%s worker: %s", self.version, error)

    def set_fault(self, fault: Fault | None) -> None:
        """Tell the worker its fault, now and after each restart."""
        self._fault = fault
        self._tell()

    def _tell(self) -> None:
        if self.pid is not None and self._process is not None and self._process.stdin is not None:
            fault = None if self._fault is None else self._fault.value
            self._process.stdin.write(json.dumps({"fault": fault}).encode() + b"\n")

    async def stop(self) -> None:
        """End it: ask first, then insist."""
        if self._watch is not None:
            self._watch.cancel()
        if self.pid is None or self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 2.0)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def run(options: argparse.Namespace) -> None:
    """Run the service until told to stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    parent = asyncio.create_task(stdin_lines(lambda _: None, stopped.set))

    data = await asyncio.to_thread(dataset.prepare, options.learners, options.events)
    await asyncio.to_thread(dataset.save, data, options.data)
    if options.remember:
        await asyncio.to_thread(_remember, data)
    store = ModelStore(data.model.to_json())
    await store.open()
    workers = {
        ORIGINAL: WorkerProcess(ORIGINAL, options.data, None),
        FAST: WorkerProcess(FAST, options.data, store.url),
    }
    sock = socket.socket(fileno=options.fd) if options.fd is not None else listen(options.port)

    async def set_fault(fault: Fault | None) -> None:
        workers[FAST].set_fault(fault)
        if fault is Fault.DEPENDENCY:
            await store.close()
        else:
            await store.open()

    def status() -> dict[str, Any]:
        return {
            "source": data.source,
            "simulated": data.simulated,
            "workers": {
                version: {"url": worker.url, "pid": worker.pid, "restarts": worker.restarts}
                for version, worker in workers.items()
            },
        }

    def segment_of(learner: str) -> str | None:
        index = data.events.find(learner)
        return None if index is None else data.segment_of(index)

    front: Front | None = None
    try:
        await asyncio.gather(*(worker.start() for worker in workers.values()))
        headers = {"Authorization": f"Bearer {token}"} if (token := os.environ.get("CANARY_DEMO_READ_TOKEN")) else {}
        front = Front(
            FrontOptions(
                baseline=ORIGINAL,
                candidate=FAST,
                workers={version: worker.url for version, worker in workers.items()},
                compare_share=options.compare_share,
                port=sock.getsockname()[1],
                token=os.environ.get("CANARY_DEMO_TOKEN") or secrets.token_urlsafe(),
            ),
            FlagClient(options.flags, options.flag, ORIGINAL, lambda: headers),
            segment_of,
            status,
            set_fault,
        )
        server = Server(front.app)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        sys.stdout.write(json.dumps({"front": address(sock), **status()}) + "\n")
        sys.stdout.flush()
        await asyncio.wait([serving, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers.values()))
        if front is not None:
            front.close()
        await store.close()
        parent.cancel()


def _remember(data: dataset.Dataset) -> None:
    """Show the learners on the pages. Before anything is served, so that no request waits for it."""
    settings = get_settings()
    store = Store.open(settings.url, settings.home)
    try:
        dataset.remember(data, store)
    finally:
        store.close()


def main() -> None:
    """Run the demo service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for the prepared learners")
    parser.add_argument("--flags", required=True, help="address of the flag service (OFREP)")
    parser.add_argument("--flag", default="analyzer")
    parser.add_argument("--compare-share", type=float, default=0.05)
    parser.add_argument("--learners", type=int, default=20_000)
    parser.add_argument("--events", type=Path)
    parser.add_argument("--remember", action="store_true", help="keep the learners as a run in CANARY_HOME")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fd", type=int, help="an open listening socket instead of a port")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s service %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(run(options))
    except (EventsError, OSError, RuntimeError, StoreUnavailable) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

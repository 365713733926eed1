"""A real server with a canary under way, and a scripted one that misbehaves as real ones do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from canary_client import Reporter
from core.delivery import Action, Command, Deliveries, load_plan
from core.metrics import Sender, senders
from core.settings import Settings
from core.store import SampleFrame, Store, load_samples
from core.traffic import FlagService
from core.web.api import Scope, load_tokens
from tests.conftest import ROOT, port_of_its_own


class Real:
    """`canary api` as a process, its store, and a deployment of the default plan at 1 %."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        here = Settings(home=home)
        self.store = Store.open(here.url, home)
        self.flags = FlagService(self.store)
        deliveries = Deliveries(self.store, self.flags)
        self.deployment = deliveries.create(load_plan(ROOT / "data/plans/default.yaml"), "test").id
        deliveries.command(self.deployment, Command(Action.START, "test", "to test"))
        self.tokens = load_tokens(here)
        self.port = port_of_its_own()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CANARY_")}
        environment |= {"CANARY_HOME": str(home), "CANARY_MONITOR": "false", **settings}
        self.log = home / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "core.cli", "api", "--port", str(self.port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, within_s=30, why=self.log.read_text)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/healthz").status_code in {200, 503}
        except httpx.TransportError:
            return False

    @property
    def push(self) -> str:
        return self.tokens.first(Scope.PUSH)

    @property
    def read(self) -> str:
        return self.tokens.first(Scope.READ)

    def learners(self, **wanted: int) -> list[str]:
        """Return learners that get each version."""
        given: dict[str, list[str]] = {version: [] for version in wanted}
        for number in range(10_000):
            version = self.flags.evaluate("analyzer", f"u{number}").value
            given[version].append(f"u{number}")
        return [learner for version, count in wanted.items() for learner in given[version][:count]]

    def reporter(self, source: str, **options: Any) -> Reporter:
        options = {"interval_s": 0.1, "versions": ["original", "fast"]} | options
        return Reporter(self.url, self.push, "analyzer", source=source, **options)

    def frame(self, region: str) -> SampleFrame:
        with self.store.read() as connection:
            frame = load_samples(connection, "analyzer")
        return frame.select(frame.region == region)

    def sender(self, name: str) -> Sender | None:
        with self.store.read() as connection:
            return next((sender for sender in senders(connection) if sender.name == name), None)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(15)
        self.flags.close()
        self.store.close()


def until(ready: Callable[[], Any], *, within_s: float = 10.0, why: Callable[[], str] = lambda: "") -> None:
    """Wait for something that must come true."""
    end = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < end, f"not within {within_s:g} s {why()}"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    server = Real(tmp_path_factory.mktemp("client"))
    yield server
    server.stop()


@dataclass
class Scripted:
    """A server that answers as a test says; what it was sent is kept.

    Attributes:
        answers: (status, headers, body) for each request in turn; the last stays. 0 as status: cut off without one.
    """

    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=lambda: [(200, {}, {"accepted": 0})])
    got: list[dict[str, Any]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    url: str = ""

    def records(self) -> list[dict[str, Any]]:
        return [record for body in self.got for record in body["requests"]]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    made = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append(json.loads(body))
            made.at.append(time.monotonic())
            status, headers, answer = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            if status == 0:
                self.close_connection = True
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()

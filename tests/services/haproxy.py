"""A real HAProxy with the configuration of docs/haproxy.md, two real backends behind it, and load."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.traffic.runtime import RuntimeSocket

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
TIMEOUT_S = 20.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.server.version.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Fallback", self.headers.get("X-Canary-Fallback", ""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:  # HAProxy was killed: its connections are reset
        pass


class Backend:
    """An HTTP service that answers its version's name."""

    def __init__(self, version: str) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.version = version  # type: ignore[attr-defined]
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass(frozen=True)
class Answer:
    """`started`: time.monotonic() before it was sent. `problem`: why there is no answer, "" when there is one."""

    learner: str
    started: float
    version: str = ""
    problem: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Haproxy:
    """One HAProxy process. Its map outlives it, as a file."""

    def __init__(
        self, folder: Path, document: Path, port: int, original: int, fast: int, tcp: int | None = None
    ) -> None:
        self.folder, self.port = folder, port
        self.map = folder / "canary.map"
        self.map.write_text("# written by the tests\nother 3\nanalyzer 0\n")
        self.socket = str(folder / "admin.sock") if tcp is None else f"127.0.0.1:{tcp}"
        found = re.search(r"```haproxy\n(.*?)```", document.read_text(), re.DOTALL)
        assert found is not None
        text = found[1]
        listens = self.socket if tcp is None else f"ipv4@{self.socket}"
        for documented, here in {
            "/run/haproxy/admin.sock": listens,
            "/etc/haproxy/canary.map": str(self.map),
            "bind :8080": f"bind 127.0.0.1:{port}",
            "127.0.0.1:9001": f"127.0.0.1:{original}",
            "127.0.0.1:9002": f"127.0.0.1:{fast}",
        }.items():
            assert text.count(documented) == 1, documented
            text = text.replace(documented, here)
        self.config = folder / "haproxy.cfg"
        self.config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert HAPROXY is not None
        log = (self.folder / "haproxy.log").open("ab")
        self.process = subprocess.Popen([HAPROXY, "-db", "-f", str(self.config)], stdout=log, stderr=log)
        log.close()
        ends = time.monotonic() + TIMEOUT_S
        while time.monotonic() < ends and self.process.poll() is None:
            with suppress(OSError):
                if ask([""], self.port)[0].version:
                    return
            time.sleep(0.02)
        pytest.fail(f"HAProxy did not start:\n{(self.folder / 'haproxy.log').read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(TIMEOUT_S)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def runtime(self) -> RuntimeSocket:
        return RuntimeSocket(self.socket, 5.0)

    def live(self) -> str:
        return self.runtime.entries(str(self.map))["analyzer"]


def ask(learners: Iterable[str], port: int) -> list[Answer]:
    """Ask for each learner over one kept connection."""
    connection, answers = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S), []
    for learner in learners:
        started = time.monotonic()
        try:
            connection.request("GET", "/", headers={"X-Learner-Id": learner.encode()} if learner else {})
            response = connection.getresponse()
            body = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            answers.append(Answer(learner, started, problem=repr(error)))
            connection.close()
            continue
        problem = "" if response.status == 200 else f"{response.status} {body}"
        answers.append(
            Answer(
                learner,
                started,
                "" if problem else body,
                problem,
                {name.lower(): value for name, value in response.headers.items()},
            )
        )
    connection.close()
    return answers


def ask_all(learners: list[str], port: int, at_once: int = 6) -> list[Answer]:
    """Ask for each learner once, several at a time."""
    with ThreadPoolExecutor(at_once) as pool:
        parts = pool.map(lambda first: ask(learners[first::at_once], port), range(at_once))
        return [answer for part in parts for answer in part]


class Load:
    """Requests of many learners over and over, until the block ends."""

    def __init__(self, learners: list[str], port: int, at_once: int = 4) -> None:
        self._learners, self._port = learners, port
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(at_once)
        self._parts = [learners[first::at_once] for first in range(at_once)]
        self.answers: list[Answer] = []

    def _go_on(self, part: list[str]) -> None:
        while not self._stop.is_set():
            self.answers += ask(part, self._port)

    def __enter__(self) -> Load:
        self._done = [self._pool.submit(self._go_on, part) for part in self._parts]
        return self

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests were answered."""
        wanted, ends = len(self.answers) + more, time.monotonic() + TIMEOUT_S
        while len(self.answers) < wanted:
            assert time.monotonic() < ends, "the load does not come through"
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for done in self._done:
            done.result(TIMEOUT_S)
        self._pool.shutdown()

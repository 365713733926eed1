"""A real Prometheus that scrapes a real target, both started by a test on free ports."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import MetricsHandler

from tests.conftest import port_of_its_own

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="needs Prometheus (apt-get install prometheus)"
)
SCRAPE_S = 0.25
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


class Target:
    """A service with metrics, as prometheus-client gives them; `restart` begins every counter again at 0."""

    def __init__(self) -> None:
        self.port = port_of_its_own()
        self._server: ThreadingHTTPServer | None = None
        self.restart()
        self.up()

    def restart(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["version", "region"]
        self.requests = Counter("http_requests", "Requests.", [*labels, "code"], registry=self.registry)
        self.seconds = Histogram("http_request_seconds", "Latency.", labels, buckets=BUCKETS, registry=self.registry)
        self.odd = Gauge("odd", "Values that are none.", ["kind"], registry=self.registry)
        for kind, value in (("nan", float("nan")), ("inf", float("inf")), ("memory", 5e8)):
            self.odd.labels(kind).set(value)

    def born(self, *versions: str) -> None:
        """Make the series that a well-instrumented service has from its start."""
        for version in versions:
            for region in ("eu", "us"):
                self.requests.labels(version, region, "200")
                self.seconds.labels(version, region)

    def serve(self, version: str, region: str, code: str = "200", seconds: float = 0.03, count: int = 1) -> None:
        """Answer requests."""
        self.requests.labels(version, region, code).inc(count)
        for _ in range(count):
            self.seconds.labels(version, region).observe(seconds)

    def up(self) -> None:
        target = self

        class Handler(MetricsHandler):
            def do_GET(self) -> None:  # noqa: N802
                self.registry = target.registry
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Prometheus:
    """`prometheus` as a process."""

    def __init__(self, folder: Path, *targets: str, more: str = "", scrape: str | None = None) -> None:
        self.folder, self.port = folder, port_of_its_own()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        jobs = scrape or (
            f"- job_name: target\n  static_configs:\n  - targets: [{', '.join(repr(target) for target in targets)}]\n"
        )
        indented = "\n".join(f"  {line}" for line in jobs.splitlines())
        (folder / "prometheus.yml").write_text(
            f"global:\n  scrape_interval: {SCRAPE_S * 1000:.0f}ms\n  scrape_timeout: {SCRAPE_S * 1000:.0f}ms\n"
            f"  evaluation_interval: 1s\n{more}scrape_configs:\n{indented}\n"
        )
        self.log = folder / "prometheus.log"
        self.start()

    def start(self) -> None:
        assert PROMETHEUS is not None
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self.is_ready, within_s=30, why=self.log.read_text)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def value(self, query: str) -> float | None:
        """Return the first value of a query, asked without any of our code."""
        found = httpx.get(f"{self.url}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.process.terminate()
            self.process.wait(20)


def until(ready: Callable[[], Any], *, within_s: float = 15.0, why: Callable[[], str] = lambda: "") -> None:
    """Wait for something that must come true."""
    end = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < end, f"not within {within_s:g} s {why()}"
        time.sleep(0.03)


def until_scraped(prometheus: Prometheus, target: Target, times: int = 2) -> None:
    """Wait until a target, as it is now, has been scraped."""
    now = time.time() + (times - 1) * SCRAPE_S
    query = f'timestamp(up{{instance="127.0.0.1:{target.port}"}})'
    until(lambda: (at := prometheus.value(query)) is not None and at > now)

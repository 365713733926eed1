"""A small demo service with real workers, in front of a stand-in for the flag service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.demo.net import Server, address, listen
from core.traffic import bucket

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-the-faults"


@dataclass
class Platform:
    """A flag service with a share to set, and the API's `requests` route, which remembers what was pushed."""

    share: float = 0.01
    status: int = 200
    pushed: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def evaluate(self, request: Request) -> Response:
        key = (await request.json())["context"]["targetingKey"]
        is_candidate = bucket("salt", key) < self.share
        value, variant = ("fast", "candidate") if is_candidate else ("original", "baseline")
        return JSONResponse({"key": "analyzer", "value": value, "variant": variant, "reason": "SPLIT"}, self.status)

    async def push(self, request: Request) -> Response:
        if self.status == 200:
            self.pushed.append(await request.json())
        return JSONResponse({"accepted": 1, "repeated": 0, "rejected": {}}, self.status)


@contextlib.contextmanager
def platform_running() -> Iterator[Platform]:
    platform = Platform()
    app = Starlette(
        routes=[
            Route("/ofrep/v1/evaluate/flags/analyzer", platform.evaluate, methods=["POST"]),
            Route("/api/v1/requests", platform.push, methods=["POST"]),
        ]
    )
    server = Server(app)
    sock = listen()
    platform.url = address(sock)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    yield platform
    server.should_exit = True
    thread.join()


@pytest.fixture
def platform() -> Iterator[Platform]:
    with platform_running() as running:
        yield running


@dataclass
class Service:
    process: subprocess.Popen[bytes]
    platform: Platform
    url: str
    workers: dict[str, dict[str, Any]]
    data: Path
    http: httpx.Client

    def cohort(self, learner: str) -> httpx.Response:
        return self.http.get(f"/learners/{learner}/cohort")

    def set_fault(self, fault: str | None) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert self.http.put("/faults", json={"fault": fault}, headers=headers).status_code == 200


def first_line(process: subprocess.Popen[bytes], within_s: float = 60) -> dict[str, Any]:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], within_s)[0], "it said nothing"
    return dict(json.loads(process.stdout.readline() or b'{"error": "it ended"}'))


def wait_for(condition: Callable[[], bool], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def spawn(module: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | env,
    )


@contextlib.contextmanager
def service_running(folder: Path, platform: Platform, compare: str = "1") -> Iterator[Service]:
    process = spawn(
        "core.demo.service",
        *("--data", str(folder), "--flags", platform.url, "--learners", "400", "--compare-share", compare),
        CANARY_DEMO_TOKEN=TOKEN,
    )
    try:
        told = first_line(process)
        with httpx.Client(base_url=told["front"], trust_env=False, timeout=10) as http:
            yield Service(process, platform, told["front"], told["workers"], folder, http)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with platform_running() as platform, service_running(tmp_path_factory.mktemp("demo"), platform) as running:
        yield running


@pytest.fixture
def all_candidate(service: Service) -> Iterator[Service]:
    """The service with everybody on the candidate, and whole again afterwards."""
    service.platform.share = 1.0
    yield service
    service.set_fault(None)
    service.platform.share, service.platform.status = 0.01, 200
    wait_for(lambda: service.http.get("/status").json()["flag_service"] == "up")
    wait_for(lambda: service.cohort("demo-000001").status_code == 200)


@pytest.fixture
def fault_token() -> str:
    return TOKEN


@pytest.fixture
def start_service(tmp_path: Path, platform: Platform) -> Iterator[Callable[[], Service]]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(service_running(tmp_path, platform))


@pytest.fixture
def start_load(service: Service) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the load against the service; pushes go to its platform."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*more: str) -> subprocess.Popen[bytes]:
        probes = [f"--probe={version}={worker['url']}" for version, worker in service.workers.items()]
        process = spawn(
            "core.demo.load",
            *("--data", str(service.data), "--front", service.url, "--api", service.platform.url, "--salt", "salt"),
            *probes,
            *more,
            CANARY_DEMO_PUSH_TOKEN="push",
        )
        started.append(process)
        first_line(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()

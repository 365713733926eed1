"""The real OpenFeature client against a real server: shares, stickiness, rollback, a server that stops or dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason

from core.settings import Settings
from core.web.api import Scope, Tokens, load_tokens

TIMEOUT_S = 0.25
"""The timeout that our documentation tells clients to set."""

LEARNERS = [f"learner-{n}" for n in range(800)]


class Server:
    """`canary api` as a process of its own, and an OpenFeature client of it."""

    def __init__(self, home: Path, port: int, root: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.tokens: Tokens = load_tokens(Settings(home=home))
        self.log = home / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from core.cli import main; main()", "api", "--port", str(port)],
                cwd=root,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()
        self.client = self.connect(timeout_s=5.0)  # a busy machine must not look like a dead server

    def connect(self, scope: str = "read", timeout_s: float = TIMEOUT_S) -> OpenFeatureClient:
        openfeature.set_provider(OFREPProvider(self.url, headers_factory=lambda: self.bearer(scope), timeout=timeout_s))
        return openfeature.get_client()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        pytest.fail(f"the server did not start:\n{self.log.read_text()}")

    def bearer(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.first(Scope(scope))}"}

    def ask(self, learner: str) -> FlagEvaluationDetails[str]:
        """Ask as a service would: the code default is the baseline."""
        return self.client.get_string_details("analyzer", "original", EvaluationContext(learner))

    def candidates(self) -> set[str]:
        return {learner for learner in LEARNERS if self.ask(learner).value == "fast"}

    def act(self, path: str, **body: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/api/v1/deployments{path}", json=body, headers=self.bearer("act"))
        assert answer.is_success, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(home: Path, free_port: int, root: Path) -> Iterator[Server]:
    started = Server(home, free_port, root)
    yield started
    openfeature.clear_providers()
    started.stop()


@pytest.fixture
def plan_text(root: Path) -> str:
    return (root / "data" / "plans" / "default.yaml").read_text()


def measured(ask: Callable[[str], FlagEvaluationDetails[str]]) -> tuple[FlagEvaluationDetails[str], float]:
    began = time.perf_counter()
    details = ask("learner-1")
    return details, time.perf_counter() - began


def test_shares_supersets_stickiness_and_rollback(server: Server, plan_text: str) -> None:
    unknown = server.ask("learner-1")
    assert (unknown.value, unknown.reason, unknown.error_code) == ("original", Reason.ERROR, "FLAG_NOT_FOUND")

    deployment = server.act("", plan=plan_text)["deployment"]["id"]
    assert server.ask("learner-1").reason == Reason.DISABLED
    assert server.candidates() == set()

    server.act(f"/{deployment}/start")
    steps = [server.candidates()]
    for _ in range(2):
        server.act(f"/{deployment}/advance", reason="test")
        steps.append(server.candidates())
    for share, step in zip((0.01, 0.1, 1.0), steps, strict=True):
        assert abs(len(step) / len(LEARNERS) - share) <= 4 * (share * (1 - share) / len(LEARNERS)) ** 0.5
    assert steps[0] < steps[1] < steps[2]
    assert server.candidates() == steps[2]

    full = server.ask("learner-1")
    assert (full.value, full.variant, full.reason) == ("fast", "candidate", Reason.STATIC)
    assert full.flag_metadata["share"] == 1.0
    assert full.flag_metadata["stale"] is False

    server.act(f"/{deployment}/rollback", reason="test")
    assert server.ask("learner-1").value == "original"  # the very next call
    assert server.candidates() == set()

    server.act(f"/{deployment}/retry", reason="test")
    assert server.candidates() == steps[0]  # the same learners again


def test_a_rollback_by_another_process_is_seen_by_the_next_call(server: Server, plan_text: str, root: Path) -> None:
    deployment = server.act("", plan=plan_text, start=True)["deployment"]["id"]
    for _ in range(2):
        server.act(f"/{deployment}/advance", reason="test")
    assert server.ask("learner-1").value == "fast"
    command = [sys.executable, "-c", "from core.cli import main; main()", "rollback", "--reason", "test"]
    subprocess.run(command, cwd=root, check=True, capture_output=True, env=os.environ)
    assert server.ask("learner-1").value == "original"


def test_a_stopped_server_costs_a_quarter_of_a_second_and_a_dead_one_nothing(server: Server, plan_text: str) -> None:
    deployment = server.act("", plan=plan_text, start=True)["deployment"]["id"]
    for _ in range(2):
        server.act(f"/{deployment}/advance", reason="test")
    assert server.ask("learner-1").value == "fast"

    server.client = server.connect()
    server.process.send_signal(signal.SIGSTOP)
    stopped, took = measured(server.ask)
    assert (stopped.value, stopped.reason) == ("original", Reason.ERROR)
    assert TIMEOUT_S * 0.8 < took < 4 * TIMEOUT_S

    server.process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 10
    while server.ask("learner-1").value != "fast" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.ask("learner-1").value == "fast"

    server.process.kill()
    server.process.wait()
    dead, took = measured(server.ask)
    assert (dead.value, dead.reason) == ("original", Reason.ERROR)
    assert took < TIMEOUT_S


def test_a_lost_database_leaves_everything_as_it_was(server: Server, plan_text: str, home: Path) -> None:
    deployment = server.act("", plan=plan_text, start=True)["deployment"]["id"]
    server.act(f"/{deployment}/advance", reason="test")
    before = server.candidates()
    (home / "canary.sqlite").rename(home / "gone.sqlite")
    assert server.candidates() == before
    assert server.ask("learner-1").flag_metadata["stale"] is True
    assert httpx.get(f"{server.url}/healthz").status_code == 503


def test_a_wrong_token_means_the_code_default(server: Server, plan_text: str) -> None:
    server.act("", plan=plan_text, start=True)
    server.client = server.connect("push", timeout_s=5.0)
    refused = server.ask("learner-1")
    assert (refused.value, refused.error_message) == ("original", "forbidden")

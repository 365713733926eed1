"""A real server and a real Chromium. What the server said is shown with every failure."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from core.settings import Settings
from core.store import Clock, Store
from core.web.api import Scope, load_tokens
from tests.conftest import port_of_its_own
from tests.web.deployments import NOON, PLAN, Rollout, rollout

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_READY_S = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder; skip it where there is no browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(240))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip("needs Chromium (apt-get install chromium)"))


@dataclass
class Server:
    """A process that serves the dashboard, with a home of its own."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")[-4000:]

    def wait_until(self, ready: Callable[[], bool], within_s: float = _READY_S) -> None:
        """Wait for something of the server, noticing when it has gone."""
        end = time.monotonic() + within_s
        while not ready():
            if self.process.poll() is not None:
                pytest.fail(f"the server ended with exit code {self.process.returncode}:\n{self.said()}")
            if time.monotonic() > end:
                pytest.fail(f"the server is not ready after {within_s:g} s:\n{self.said()}")
            time.sleep(0.2)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_stcore/health", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def version(self, learner: str, flag: str) -> str:
        """Ask the server, as a service does, which version a learner gets."""
        answer = httpx.post(f"{self.url}/ofrep/v1/evaluate/flags/{flag}", json={"context": {"targetingKey": learner}})
        answer.raise_for_status()
        return str(answer.json()["value"])

    def token(self, scope: str) -> str:
        return load_tokens(Settings(home=self.home)).first(Scope(scope))


def start(home: Path, port: int, command: list[str], **settings: str) -> Server:
    """Start a server process in a group of its own, its output in a file."""
    output = home.parent / f"{home.name}-server.log"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CANARY_", "STREAMLIT_"))}
    env |= {"CANARY_HOME": str(home), "CANARY_PORT": str(port), "CANARY_OPEN_MODE": "true", **settings}
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Server(f"http://127.0.0.1:{port}", home, process, output)


def stop(server: Server) -> None:
    """End a server as Ctrl-C does, and its group if it doesn't listen."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait(10)


def dashboard(port: int) -> list[str]:
    """Return the command that serves the dashboard."""
    return [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless", "true"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a dashboard over an empty home, with settings of its own."""
    with ExitStack() as stack:

        def begin(**settings: str) -> Server:
            home = tmp_path / "home"
            home.mkdir(exist_ok=True)
            port = port_of_its_own()
            server = start(home, port, dashboard(port), **settings)
            stack.callback(stop, server)
            server.wait_until(server.answers)
            return server

        yield begin


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a dashboard that several tests share, each with a flag and a deployment of its own."""
    home = tmp_path_factory.mktemp("browser") / "home"
    home.mkdir()
    port = port_of_its_own()
    # The plan's clock stands at noon before the server reads it: one that was read before would be a year ahead.
    store = Store.open(Settings(home=home).url, home)
    store.set_clock(Clock(time.time(), NOON, 1e-9))
    store.close()
    started = start(home, port, dashboard(port), CANARY_TICK_S="0.5")
    try:
        started.wait_until(started.answers)
        yield started
    finally:
        stop(started)


@pytest.fixture
def running(server: Server, request: pytest.FixtureRequest) -> Iterator[Rollout]:
    """Return a deployment 40 minutes into its canary, on the shared server, with a flag named after the test."""
    flag = re.sub(r"[^a-z]+", "-", request.node.name)
    with rollout(server.home, text=PLAN.replace("flag: analyzer", f"flag: {flag}x"), at=None) as made:
        made.go_on(40, watched=False)
        made.let_go()
        yield made


@pytest.fixture(scope="module")  # while it lives, no other test of this process can run an event loop
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
    yield browser
    browser.close()


class Visitor:
    """Somebody with a browser: opens pages, and minds requests that leave the machine and errors in the console."""

    def __init__(self, browser: Browser, width: int, height: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.strangers: list[str] = []
        self.page.on("request", lambda r: self.strangers.append(r.url) if _leaves(r.url) else None)
        self.page.on("pageerror", lambda e: self.strangers.append(f"error in the page: {e}"))

    def open(self, url: str) -> Page:
        """Open an address and wait until its script has run."""
        self.page.goto(url)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until no script is running."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def _leaves(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Return a function that makes visitors; at the end none of them may have been sent elsewhere."""
    visitors: list[Visitor] = []

    def make(width: int = 1280, height: int = 900, scheme: str = "light") -> Visitor:
        visitors.append(Visitor(chromium, width, height, scheme))
        return visitors[-1]

    yield make
    strangers = [url for visitor in visitors for url in visitor.strangers]
    for visitor in visitors:
        visitor.context.close()
    assert strangers == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what the servers of a failed test said."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"output of {name}", value.said()))  # type: ignore[attr-defined]
    return report

"""`canary demo`: starts the dashboard, the demo service and its load, watches them, and leaves no process behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from core.delivery import Plan, assignment_salt, load_plan, parse_plan
from core.demo import processes
from core.demo.api import Api
from core.demo.faults import Fault
from core.demo.home import DemoError, DemoHome, tail
from core.demo.net import HOST, address, listen
from core.demo.options import DemoOptions
from core.demo.outcome import Outcome, wait_for_outcome
from core.settings import get_settings
from core.store import StoreUnavailable

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "data" / "plans" / "demo.yaml"
CANARY_RATE, OTHER_RATE = 15.0, 40.0  # requests a second
READY_WITHIN_S = 120.0
WARM_REQUESTS = 100  # that the candidate has answered before a fault is switched on

console = Console(stderr=True, highlight=False)


def run_demo(options: DemoOptions) -> int:
    """Run the demo until it is stopped, or with `once` until its outcome; return the exit code.

    0: ended as asked. 1: it couldn't run, a part of it died, or with `once` nothing came of it in time.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with ExitStack() as stack:
            return _Demo(options, stop, stack).run()
    except (DemoError, StoreUnavailable) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        return 1


def demo_plan(*, real_learners: bool) -> Plan:
    """Return the demo's plan, which says of real learners that only their revenue is made up."""
    plan = load_plan(PLAN)
    if not real_learners:
        return plan
    return parse_plan(plan.text.replace(plan.simulated, "revenue is made up"), PLAN.name)


class _Demo:
    """One run: what it started is ended through `stack`, in reverse order, whatever happens."""

    def __init__(self, options: DemoOptions, stop: threading.Event, stack: ExitStack) -> None:
        self.options = options
        self.stop = stop
        self.stack = stack
        self.settings = get_settings()
        self.plan: Plan = demo_plan(real_learners=options.events is not None)
        self.logs = self.settings.home.absolute() / "logs"
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.rate = CANARY_RATE + OTHER_RATE
        self.fault = None if options.fault is None else Fault(options.fault)

    def run(self) -> int:
        home = DemoHome(self.settings)
        self.stack.callback(home.close)
        if self.options.reset:
            home.reset()
        port = self._port()
        home.wind_up(self.options.speed)
        self.stack.callback(home.stop_clock)
        self.stack.callback(self._end_children)

        began = time.monotonic()
        front = listen()
        demo_token = secrets.token_urlsafe(32)
        env = os.environ | {
            "CANARY_HOME": str(home.home),
            "CANARY_HOST": HOST,
            "CANARY_PORT": str(port),
            "CANARY_OPEN_MODE": "true",
            "CANARY_MONITOR": "true",
            "CANARY_SWITCH": "flags",  # the demo's load asks the flag service, whatever the installation's traffic does
            "CANARY_DEMO_URL": address(front),
            "CANARY_DEMO_TOKEN": demo_token,
        }
        url = f"http://{HOST}:{port}"
        self._start("server", self._server_command(port), env, talks=False)
        self._start("service", self._service_command(home, url, front), env, pass_fds=(front.fileno(),))
        front.close()

        # The server's room takes a second to import: time that the children need anyway.
        from core.web.api import Scope, TokenError, load_tokens

        try:
            tokens = load_tokens(self.settings)
        except TokenError as error:
            raise DemoError(str(error)) from None
        api = Api(url, tokens.first(Scope.ACT), env["CANARY_DEMO_URL"], demo_token)
        self.stack.callback(api.close)
        with console.status("starting the dashboard and two analyzers; the first time, code is compiled"):
            service = self._wait_for("service")
            if not api.wait_until_healthy(READY_WITHIN_S, self._all_well):
                raise DemoError(self._what_died() or f"the server is not healthy after {READY_WITHIN_S:.0f} s")
            load_env = env | {"CANARY_DEMO_PUSH_TOKEN": tokens.first(Scope.PUSH)}
            self._start("load", self._load_command(home, url, service), load_env)
            load = self._wait_for("load")
        if self.stop.is_set():
            return 0
        deployment = api.start_deployment(self.plan.text)
        started = time.time()
        self._welcome(url, service, load, time.monotonic() - began)
        if self.options.once:
            return self._once(api, deployment, service, started)
        return self._watch(api)

    # -- parts

    def _server_command(self, port: int) -> list[str]:
        if self.options.once:
            return [sys.executable, "-m", "core.cli", "api", "--port", str(port)]
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.address", HOST]
        return [*command, "--server.port", str(port), "--server.headless", "true"]

    def _service_command(self, home: DemoHome, url: str, front: socket.socket) -> list[str]:
        command = [sys.executable, "-m", "core.demo.service", "--data", str(home.folder / "data"), "--flags", url]
        command += ["--flag", self.plan.flag, "--compare-share", str(self.plan.compare_share)]
        command += ["--fd", str(front.fileno()), "--learners", str(self.options.learners), "--remember"]
        return command if self.options.events is None else [*command, "--events", str(self.options.events.absolute())]

    def _load_command(self, home: DemoHome, url: str, service: dict[str, Any]) -> list[str]:
        command = [sys.executable, "-m", "core.demo.load", "--data", str(home.folder / "data")]
        command += ["--front", service["front"], "--api", url, "--flag", self.plan.flag]
        command += ["--salt", assignment_salt(self.plan), "--speed", str(self.options.speed)]
        command += ["--sample-s", str(self.plan.sample_s)]
        command += ["--canary-rate", str(CANARY_RATE), "--other-rate", str(OTHER_RATE)]
        for version, worker in service["workers"].items():
            command += ["--probe", f"{version}={worker['url']}"]
        return command

    def _port(self) -> int:
        wanted = self.options.port or self.settings.port
        for port in range(wanted, min(wanted + 50, 65536)):
            try:
                listen(port).close()
            except OSError:
                continue
            if port != wanted:
                console.print(f"port {wanted} is taken; using {port}")
            return port
        raise DemoError(f"ports {wanted} to {wanted + 49} are all taken; choose another with --port")

    # -- children

    def _start(
        self, name: str, command: list[str], env: dict[str, str], talks: bool = True, pass_fds: tuple[int, ...] = ()
    ) -> None:
        log = self.logs / f"{name}.log"
        self.children[name] = processes.start(command, log, env, cwd=ROOT, talks=talks, pass_fds=pass_fds)

    def _wait_for(self, name: str) -> dict[str, Any]:
        line = processes.first_line(
            self.children[name], READY_WITHIN_S, lambda: self.stop.is_set() or not self._all_well(except_for=name)
        )
        told: dict[str, Any] = json.loads(line) if line else {}
        if "error" in told:
            raise DemoError(told["error"])
        if not told and not self.stop.is_set():
            raise DemoError(self._what_died() or f"the {name} said nothing within {READY_WITHIN_S:.0f} s")
        if self.stop.is_set():
            raise SystemExit(0)
        return told

    def _all_well(self, except_for: str = "") -> bool:
        return not self.stop.is_set() and all(
            child.poll() is None for name, child in self.children.items() if name != except_for
        )

    def _what_died(self) -> str:
        for name, child in self.children.items():
            if child.poll() is not None:
                log = self.logs / f"{name}.log"
                return f"the demo's {name} ended with {child.returncode}; the end of {log}:\n{tail(log)}"
        return ""

    def _end_children(self) -> None:
        # The clients first, so that they don't measure the end of the others.
        for name in ("load", "service", "server"):
            if name in self.children:
                processes.end([self.children[name]])

    # -- while it runs

    def _welcome(self, url: str, service: dict[str, Any], load: dict[str, Any], seconds: float) -> None:
        learners, canary = load["learners"], load["canary_learners"]
        told = [
            f"[bold]{url}[/]   ready after {seconds:.0f} s, plan's clock at {self.options.speed:g} x",
            "",
            f"{escape(service['source'])}; {canary:,} of {learners:,} are in the canary ({canary / learners:.1%}).",
            f"They are asked for more often than their share: {CANARY_RATE:g} of {self.rate:g} requests/s.",
            f"Simulated: {escape(self.plan.simulated)}." if not self.options.events else "Simulated: revenue.",
            f"Logs: {escape(str(self.logs))}. Ctrl-C ends everything.",
        ]
        console.print(Panel("\n".join(told), title="canary demo", expand=False))

    def _watch(self, api: Api) -> int:
        waiting = self.fault
        while not self.stop.wait(0.5):
            if not self._all_well():
                break
            if waiting is not None and self._warm(api):
                api.set_fault(waiting)
                console.print(f"fault: {waiting.sentence}")
                waiting = None
        if died := self._what_died():
            raise DemoError(died)
        console.print("ended; nothing runs any more")
        return 0

    def _warm(self, api: Api) -> bool:
        try:
            return api.served().get(self.plan.candidate, 0) >= WARM_REQUESTS
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def _once(self, api: Api, deployment: str, service: dict[str, Any], started: float) -> int:
        since = started
        if self.fault is not None:
            while not self._warm(api):
                if self.stop.wait(0.25) or not self._all_well():
                    raise DemoError(self._what_died() or "stopped before the fault was switched on")
            api.set_fault(self.fault)
            since = time.time()
            console.print(f"fault: {self.fault.sentence}")
        still_running: Callable[[], bool] = self._all_well
        total = sum(phase.lasts_s for phase in self.plan.phases) / self.options.speed
        outcome = wait_for_outcome(api, deployment, self.fault, since, total * 1.25 + 60, still_running)
        if outcome is None:
            stopped = "stopped before there was an outcome" if self.stop.is_set() else ""
            raise DemoError(self._what_died() or stopped or "no outcome within the time that the plan takes")
        self._print(outcome, service)
        return 0

    def _print(self, outcome: Outcome, service: dict[str, Any]) -> None:
        simulated = "revenue" if service["simulated"] == "" else f"{service['simulated']}, simulated revenue"
        if self.options.json:
            json.dump(outcome.document(simulated), sys.stdout, indent=2)
            sys.stdout.write("\n")
            return
        figure = f" ({outcome.figure})" if outcome.figure else ""
        Console(highlight=False).print(
            f"[bold]{outcome.decision}[/]{figure} after {outcome.plan_s:.0f} s of plan time, {outcome.wall_s:.1f} s of "
            f"ours: {escape(outcome.reason)}\nsimulated: {simulated}"
        )

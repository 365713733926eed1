"""A real server on a free loopback port, with a home of its own; its environment is ours without any CANARY_*."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.history import Home, url_of
from benchmarks.wire import HOST, Connection, WireError, question
from core.demo.processes import end, start

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0


@dataclass(frozen=True)
class Server:
    """A server that runs: where, with which tokens, in which home."""

    home: Home
    port: int
    pid: int
    read: str
    push: str
    act: str
    environment: dict[str, str] = field(repr=False)

    def asking(self, learner: str) -> bytes:
        """Return the request that evaluates the flag for a learner."""
        path = f"/ofrep/v1/evaluate/flags/{self.home.plan.flag}"
        return question("POST", path, self.port, self.read, {"context": {"targetingKey": learner}})

    def acting(self, action: str) -> bytes:
        """Return the request that does something to the deployment."""
        path = f"/api/v1/deployments/{self.home.deployment}/{action}"
        return question("POST", path, self.port, self.act, {"reason": "measuring"})


@contextmanager
def serving(command: str, home: Home) -> Iterator[Server]:
    """Run `canary serve` or `canary api` until the block ends.

    Raises:
        RuntimeError: it did not come up; says what it logged.
    """
    port = _free_port()
    tokens = {scope: secrets.token_urlsafe(24) for scope in ("read", "push", "act")}
    # Every setting that would make a difference, so that no canary.toml lying around has a say.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CANARY_")} | {
        "CANARY_HOME": str(home.path),
        "CANARY_DATABASE_URL": url_of(home.path),
        "CANARY_HOST": HOST,
        "CANARY_OPEN_MODE": "false",
        "CANARY_MONITOR": "true",
        "CANARY_TICK_S": "5",
        "CANARY_LEASE_S": "6",
        **{f"CANARY_{scope.upper()}_TOKENS": f'["{token}"]' for scope, token in tokens.items()},
    }
    log = home.path / "server.log"
    arguments = [sys.executable, "-m", "core.cli", command, "--port", str(port)]
    process = start(arguments, log, environment, cwd=ROOT, talks=False)
    try:
        server = Server(home, port, process.pid, environment=environment, **tokens)
        asyncio.run(_ready(server, process, log))
        yield server
    finally:
        end([process])


async def _ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = await Connection.to(server.port)
            try:
                status, _ = await connection.ask(question("GET", "/healthz", server.port, server.read))
            finally:
                connection.close()
            if status == 200:
                return
        except (OSError, WireError):
            pass
        await asyncio.sleep(0.1)
    said = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise RuntimeError(f"the server did not come up within {READY_WITHIN_S:g} s. It logged:\n{said}")


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time that a process has used; None where the system doesn't tell (Linux does)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    user, system = int(after_name[11]), int(after_name[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])

"""From the click, or the command, that takes a candidate back to the first evaluation that says baseline."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.feed import feeding
from benchmarks.figures import Row, Spread, ms
from benchmarks.history import LEARNERS, make_home
from benchmarks.servers import ROOT, Server, serving
from benchmarks.wire import Connection
from core.delivery import assignment_salt
from core.store import events
from core.traffic import bucket

NAME = "rollback"
CLICKS = 20
COMMANDS = 10
WITHIN_S = 10.0
_SMALLEST_SHARE = 0.01


def run(folder: Path, clicks: int = CLICKS, commands: int = COMMANDS) -> list[Row]:
    """Measure both ways, with a retry between any two."""
    with serving("serve", make_home(folder / NAME)) as server:
        return asyncio.run(_both(server, clicks, commands))


async def _both(server: Server, clicks: int, commands: int) -> list[Row]:
    plan = server.home.plan
    salt = assignment_salt(plan)
    learner = next(name for i in range(LEARNERS) if bucket(salt, name := f"learner-{i}") < _SMALLEST_SHARE)
    asking = server.asking(learner)
    flags, acts = await Connection.to(server.port), await Connection.to(server.port)
    effects: list[float] = []
    answers: list[float] = []
    decisions: list[float] = []
    processes: list[float] = []
    try:
        async with feeding(server):
            for _ in range(clicks):
                effect, answered = await _click(server, flags, acts, asking)
                effects.append(effect)
                answers.append(answered)
                await _again(server, flags, acts, asking)
            for _ in range(commands):
                decided, whole = await _command(server, flags, asking)
                decisions.append(decided)
                processes.append(whole)
                await _again(server, flags, acts, asking)
    finally:
        flags.close()
        acts.close()
    click, answer = Spread.of(effects), Spread.of(answers)
    decision, process = Spread.of(decisions), Spread.of(processes)
    return [
        Row(
            NAME,
            "Rollback through the API: from the request to the first evaluation at baseline",
            f"median {ms(click.p50)}, longest of {click.count} {ms(click.max)}; confirmed after {ms(answer.p50)}",
            click.named() | answer.named("confirmed_"),
        ),
        Row(
            NAME,
            "`canary rollback` in another process: from the decision in the store to the first evaluation at baseline",
            f"median {ms(decision.p50)}, longest of {decision.count} {ms(decision.max)}; "
            f"from the start of the process {ms(process.p50)}",
            decision.named() | process.named("from_start_"),
        ),
    ]


async def _click(server: Server, flags: Connection, acts: Connection, asking: bytes) -> tuple[float, float]:
    """Return seconds from sending a rollback to the first baseline, and to its answer."""
    began = time.perf_counter()
    answered = 0.0

    async def act() -> Any:
        nonlocal answered
        answer = await acts.ask_json(server.acting("rollback"))
        answered = time.perf_counter() - began
        return answer

    acting = asyncio.create_task(act())
    await asyncio.sleep(0)  # it is sent before the next evaluation is
    effect = await _until(flags, asking, server.home.plan.baseline) - began
    await acting
    return effect, answered


async def _command(server: Server, flags: Connection, asking: bytes) -> tuple[float, float]:
    """Return seconds from the decision's event to the first baseline, and from the process' start to it."""
    began, began_wall = time.perf_counter(), time.time()
    command = [sys.executable, "-m", "core.cli", "rollback", "--reason", "measuring"]
    process = subprocess.Popen(command, env=server.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        effect = await _until(flags, asking, server.home.plan.baseline) - began
        if await asyncio.to_thread(process.wait, WITHIN_S):
            raise RuntimeError(f"canary rollback ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    store = server.home.open()
    try:
        with store.read() as connection:
            decided = events(connection, kinds=("rolled back",), limit=1, newest_first=True)[0]
    finally:
        store.close()
    return began_wall + effect - decided.wall, effect


async def _until(flags: Connection, asking: bytes, version: str) -> float:
    """Evaluate without a pause until the answer is `version`; return when it came."""
    deadline = time.perf_counter() + WITHIN_S
    while time.perf_counter() < deadline:
        answer = await flags.ask_json(asking)
        now = time.perf_counter()
        if answer["value"] == version:
            return now
    raise RuntimeError(f"evaluations did not come to {version} within {WITHIN_S:g} s")


async def _again(server: Server, flags: Connection, acts: Connection, asking: bytes) -> None:
    await acts.ask_json(server.acting("retry"))
    await _until(flags, asking, server.home.plan.candidate)

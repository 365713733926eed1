"""Commands that run something: demo, serve, monitor, api."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.cli.output import USAGE, err, fail
from core.cli.root import Json, app, deliveries, settings
from core.store import keep_reserve

ROOT = Path(__file__).resolve().parents[2]


class FaultName(StrEnum):
    """What can be broken in the demo."""

    SLOW = "slow"
    ERRORS = "errors"
    CRASH = "crash"
    WRONG_COHORT = "wrong-cohort"
    REVENUE = "revenue"
    DEPENDENCY = "dependency"


@app.command()
def demo(
    learners: Annotated[int, typer.Option("--learners", min=200, help="How many made-up learners.")] = 20_000,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="PATH", help="Real learners' events instead of made-up ones.")
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            "--speed",
            min=1,
            max=40,
            help="How fast the plan's clock runs. Faster, a phase would see too few requests to be judged.",
        ),
    ] = 40.0,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The dashboard's port; default 8501.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One roll-out without the dashboard; prints what came of it.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Forget what earlier demos left and start over.")] = False,
    fault: Annotated[FaultName | None, typer.Option("--fault", help="Break the candidate while it runs.")] = None,
    as_json: Json = False,
) -> None:
    """Show a live canary: real requests, split between two real analyzers, watched, and rolled back when one breaks."""
    from core.demo import DemoOptions, run_demo  # imports the compiler, which only this command needs

    if as_json and not once:
        fail("--json goes with --once", USAGE)
    settings()  # what is wrong with them is said before anything starts
    options = DemoOptions(
        learners=learners,
        events=events,
        speed=speed,
        port=port,
        once=once,
        json=as_json,
        reset=reset,
        fault=None if fault is None else fault.value,
    )
    raise typer.Exit(run_demo(options))


@app.command()
def serve(
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: the setting `port`.")] = None,
) -> None:
    """Serve dashboard, API and flags, with the monitor inside (unless CANARY_MONITOR=false)."""
    at = settings()
    wanted = port or at.port
    os.environ["CANARY_PORT"] = str(wanted)  # the Host allow-list names the port
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.address", at.host, "--server.port", str(wanted), "--server.headless", "true"]
    if at.sources is not None:
        os.environ["CANARY_SOURCES"] = str(at.sources.resolve())  # it was meant from here
    os.chdir(ROOT)  # .streamlit/config.toml is read from the working directory
    os.execv(command[0], command)


@app.command()
def api(
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: the setting `port`.")] = None,
) -> None:
    """Serve API and flags without the dashboard (and the monitor, unless CANARY_MONITOR=false)."""
    from core.web.server import run_api

    at = settings()
    run_api(at if port is None else at.model_copy(update={"port": port}))


@app.command()
def monitor() -> None:
    """Run the monitor alone, and ask the sources. Several may run: one leads, the others stand by."""
    from core.delivery import Monitor, open_sources
    from core.oncall import RosterError, open_pager

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with deliveries() as service:
        keep_reserve(service.store.home)
        watcher = Monitor(service, settings())
        err.print(f"monitor {watcher.holder} on {service.store.url}; Ctrl-C ends it")
        beside = []
        if (sources := open_sources(service, settings())) is not None:
            beside.append(threading.Thread(target=sources.run, args=(stop,), name="sources", daemon=True))
        try:
            if (pager := open_pager(service, settings())) is not None:
                beside.append(threading.Thread(target=pager.run, args=(stop,), name="pager", daemon=True))
        except RosterError as error:
            fail(str(error), USAGE)
        for thread in beside:
            thread.start()
        watcher.run(stop)
        for thread in beside:
            thread.join(5.0)

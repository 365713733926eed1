"""What one server process runs: the monitor and what goes beside it, until it stops; and why it won't start."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import socket
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from core.delivery import Monitor, open_sources
from core.identity import PeopleError
from core.learners import CacheSettings
from core.oncall import RosterError, load_roster, open_pager
from core.settings import Settings, is_loopback
from core.store import StoreUnavailable, keep_reserve
from core.traffic import SwitchSettings
from core.web.api import TokenError, is_api
from core.web.ownfigures import OwnFigures
from core.web.state import AppState, close_app_state, get_app_state, open_state
from core.web.warm import warm_pages

logger = logging.getLogger(__name__)

WARM = ("plotly.graph_objects", "pandas", "pyarrow", "scipy.stats")
"""Imports that a first page would else wait for, and that garbage collection would else walk through each time."""

_STOP_S = 5.0
_TURN_S = 0.001
"""How long a thread goes on while another waits for the interpreter: flags wait so long, each time, for a page that is
being drawn. Python's own are 5 ms."""


@contextmanager
def exiting_plainly() -> Iterator[None]:
    """End the process with a sentence, not a traceback, where a setting, the database or a token can't be used."""
    try:
        yield
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        sys.exit(f"settings (CANARY_* or canary.toml): {said}")
    except (StoreUnavailable, TokenError, PeopleError, RosterError, SwitchSettings, CacheSettings, OSError) as error:
        sys.exit(str(error))


def stay_at_home(settings: Settings, *addresses: str | None) -> None:
    """End the process with a sentence where the dashboard would listen to other machines and knows nobody there."""
    if settings.sign_in:
        return
    for address in addresses:
        if address is None or not is_loopback(address):
            sys.exit(
                f"No identity provider is set up: on {address or 'every address'} anybody who reaches the dashboard "
                "could act. Set CANARY_OIDC_URL, _OIDC_CLIENT_ID, _OIDC_CLIENT_SECRET and CANARY_PUBLIC_URL "
                "(docs/sign-in.md), or keep it on 127.0.0.1; `canary api` serves flags and API, which ask for tokens, "
                "on any address."
            )


def check_roster(settings: Settings) -> None:
    """Raise RosterError where there is a roster that can't be used: said at the start, not when somebody is needed."""
    if settings.roster is not None:
        load_roster(settings.roster)


@asynccontextmanager
async def serving(state: AppState) -> AsyncIterator[None]:
    """Run what a server process runs besides answering: the monitor and its sources, until the server stops."""
    no_delay_on_listeners()
    keep_reserve(state.store.home)
    sys.setswitchinterval(_TURN_S)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: collections needn't walk through it
    stop = threading.Event()
    work: dict[str, Callable[[threading.Event], None]] = {}
    if state.settings.monitor:
        work["monitor"] = Monitor(state.deliveries, state.settings).run
        if (sources := open_sources(state.deliveries, state.settings)) is not None:
            work["sources"] = sources.run
        if (pager := open_pager(state.deliveries, state.settings)) is not None:
            work["pager"] = pager.run
    if state.settings.own_figures:
        work["own figures"] = OwnFigures(state.deliveries, state.learners).run
    threads = [threading.Thread(target=run, args=(stop,), name=name, daemon=True) for name, run in work.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            await asyncio.to_thread(thread.join, _STOP_S)
            if thread.is_alive():
                logger.warning("%s did not stop within %g s; its lease runs out by itself", thread.name, _STOP_S)


@asynccontextmanager
async def dashboard_lifespan(app: Any) -> AsyncIterator[None]:  # noqa: ARG001
    """Lifespan of the dashboard's server."""
    await asyncio.to_thread(warm)
    collect_when_needed()
    async with serving(get_app_state()):
        threading.Thread(target=warm_pages, name="warm", daemon=True).start()
        yield
    close_app_state()


def run_api(settings: Settings) -> None:
    """Serve API and flags alone, until a signal ends it."""
    with exiting_plainly():
        state = open_state(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        async with serving(state):
            yield

    state.api.router.lifespan_context = lifespan
    try:
        uvicorn.run(state.api, host=settings.host, port=settings.port, access_log=False, server_header=False)
    finally:
        state.close()


class ApiFirst:
    """Sends the API's paths to the API before the dashboard's own middleware (sessions, gzip) costs them time."""

    def __init__(self, app: ASGIApp, api: Callable[[], ASGIApp]) -> None:
        self.app = app
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, to one or the other."""
        if scope["type"] == "http" and is_api(scope["path"]):
            await self.api()({**scope, "root_path": ""}, receive, send)
        else:
            await self.app(scope, receive, send)


def warm() -> None:
    """Import what pages need, before it is frozen."""
    for name in WARM:
        importlib.import_module(name)


def collect_when_needed() -> None:
    """Leave garbage collection to Python, which does it when there is enough of it.

    Streamlit collects after every run of a script, walking through all that viewers' sessions hold, and meanwhile
    nothing else runs, flag evaluations and the monitor neither: 70 ms a run with 35 viewers, which never caught up.
    """
    from streamlit import config  # not at the top: `canary api` does without Streamlit

    config.set_option("runner.postScriptGC", False)


def no_delay_on_listeners() -> int:
    """Set TCP_NODELAY on every listening TCP socket of this process, from which connections inherit it; how many.

    Streamlit makes its socket without a protocol number, so that asyncio leaves Nagle's algorithm on, and every small
    answer on a kept connection comes 40 ms late.
    """
    done = 0
    for name in os.listdir("/dev/fd"):
        with suppress(OSError, ValueError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as listener:
                if listener.family in {socket.AF_INET, socket.AF_INET6} and listener.getsockopt(
                    socket.SOL_SOCKET, socket.SO_ACCEPTCONN
                ):
                    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    done += 1
    return done

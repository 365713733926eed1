"""What a server process holds: one state for pages, handlers and the lifespan; sockets that answer at once."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.delivery import LEASE
from core.settings import Settings, get_settings
from core.store import StoreUnavailable, current_lease
from core.web.server import (
    ApiFirst,
    exiting_plainly,
    no_delay_on_listeners,
    serving,
    stay_at_home,
)
from core.web.state import close_app_state, get_app_state, open_state


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_app_state()


def test_pages_and_handlers_use_one_state(home: Path) -> None:
    state = get_app_state()
    assert get_app_state() is state
    assert state.api.state.context.deliveries is state.deliveries
    assert state.deliveries.switch is state.flags is state.api.state.context.flags
    assert state.store.home == home


def test_settings_that_are_read_anew_open_a_new_state(home: Path) -> None:
    state = get_app_state()
    get_settings.cache_clear()
    assert get_app_state() is not state


def test_a_database_that_cannot_be_opened_is_tried_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "canary.sqlite").mkdir()
    with pytest.raises(StoreUnavailable):
        get_app_state()
    (home / "canary.sqlite").rmdir()
    assert get_app_state().deliveries.all() == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CANARY_PORT", "abc", "port: Input should be a valid integer"),
        ("CANARY_DATABASE_URL", "nonsense", "not a database URL"),
        ("CANARY_ACT_TOKENS", '["short"]', "at least 16 characters"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=said), exiting_plainly():
        get_app_state()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.5", "canary.example", "", None])
def test_a_dashboard_without_sign_in_does_not_listen_to_others(address: str | None) -> None:
    stay_at_home(Settings(), "127.0.0.1", "localhost", "::1")
    with pytest.raises(SystemExit, match="No identity provider is set up"):
        stay_at_home(Settings(), "127.0.0.1", address)
    stay_at_home(
        Settings(
            public_url="https://canary.example",
            oidc_url="https://login.example/.well-known/openid-configuration",
            oidc_client_id="canary",
            oidc_client_secret=SecretStr("a secret"),
        ),
        address,
    )


@pytest.mark.parametrize("wanted", [True, False])
def test_the_monitor_runs_while_the_server_does(home: Path, wanted: bool) -> None:
    state = open_state(Settings(home=home, monitor=wanted))

    def holder() -> str:
        with state.store.read() as connection:
            lease = current_lease(connection, LEASE)
        return lease.holder if lease is not None else ""

    async def run() -> None:
        async with serving(state):
            deadline = time.monotonic() + (5 if wanted else 0.3)
            while not holder() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert bool(holder()) is wanted

    asyncio.run(run())
    gc.unfreeze()
    assert holder() == ""
    state.flags.close()
    state.store.close()


def test_connections_to_a_listening_socket_have_no_delay() -> None:
    with socket.socket() as listener, socket.socket() as idle:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert no_delay_on_listeners() >= 1
        assert not idle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("path", "goes_to"),
    [
        ("/api/v1/deployments", "api"),
        ("/api", "api"),
        ("/healthz", "api"),
        ("/metrics", "api"),
        ("/ofrep/v1/evaluate/flags", "api"),
        ("/", "pages"),
        ("/apiary", "pages"),
        ("/metricsx", "pages"),
        ("/_stcore/health", "pages"),
    ],
)
def test_the_apis_paths_go_to_the_api_whole(path: str, goes_to: str) -> None:
    reached: list[tuple[str, str, str]] = []

    def named(name: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            reached.append((name, scope["path"], scope["root_path"]))

        return app

    scope = {"type": "http", "path": path, "root_path": "/x" if goes_to == "api" else ""}
    asyncio.run(ApiFirst(named("pages"), lambda: named("api"))(scope, None, None))  # type: ignore[arg-type]
    assert reached == [(goes_to, path, "")]

"""The API over a store of its own, called in process by a client that a browser or service would recognise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from core.delivery import Deliveries
from core.settings import Settings
from core.store import Store
from core.traffic import FlagService
from core.web.api import Scope, Tokens, create_api

BASE = "http://127.0.0.1:8501"


class Api:
    """An application and a way to call it. Every answer must be one: an exception in a handler fails the test."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._runner = asyncio.Runner()

    @property
    def tokens(self) -> Tokens:
        tokens: Tokens = self.app.state.context.tokens
        return tokens

    @property
    def store(self) -> Store:
        store: Store = self.app.state.context.store
        return store

    @property
    def deliveries(self) -> Deliveries:
        deliveries: Deliveries = self.app.state.context.deliveries
        return deliveries

    def bearer(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.first(Scope(scope))}"}

    def call(self, method: str, path: str, scope: str | None = None, **how: Any) -> httpx.Response:
        """Call with a token of a scope (or none), as an HTTP client does."""
        if "json" in how:  # httpx refuses NaN; a hostile client doesn't
            how["content"] = json.dumps(how.pop("json"))
        headers, raises = dict(how.pop("headers", {})), how.pop("raises", True)
        if method not in {"GET", "HEAD"}:
            headers = {"Content-Type": "application/json"} | headers
        if scope is not None:
            headers |= self.bearer(scope)

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=raises)
            async with httpx.AsyncClient(transport=transport, base_url=how.pop("base", BASE)) as client:
                return await client.request(method, path, headers=headers, **how)

        return self._runner.run(ask())

    def get(self, path: str, scope: str | None = "read", **how: Any) -> httpx.Response:
        return self.call("GET", path, scope, **how)

    def post(self, path: str, scope: str | None, body: Any = None, **how: Any) -> httpx.Response:
        return self.call("POST", path, scope, json=body, **how)

    def close(self) -> None:
        self._runner.close()


@pytest.fixture
def settings(home: Path, database: str) -> Settings:
    return Settings(home=home)


@contextmanager
def serving(settings: Settings) -> Iterator[Api]:
    store = Store.open(settings.url, settings.home)
    flags = FlagService(store)
    made = Api(create_api(settings, store, Deliveries(store, flags), flags))
    yield made
    made.close()
    flags.close()
    store.close()


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    with serving(settings) as made:
        yield made


@pytest.fixture
def open_api(home: Path, database: str) -> Iterator[Api]:
    """Return an API in open mode."""
    with serving(Settings(home=home, open_mode=True)) as made:
        yield made


@pytest.fixture
def plan_text(root: Path) -> str:
    return (root / "data" / "plans" / "default.yaml").read_text()


@pytest.fixture
def running(api: Api, plan_text: str) -> str:
    """Return the id of a deployment of the default plan that has been started."""
    made = api.post("/api/v1/deployments", "act", {"plan": plan_text, "start": True})
    assert made.status_code == 201, made.text
    deployment: str = made.json()["deployment"]["id"]
    return deployment

"""When the store can't keep up, senders are told so at once, and everybody else is served."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

import httpx
import pytest

from core.store import load_samples
from core.web.api.pressure import MAX_WRITING
from tests.web.conftest import BASE

REQUESTS = "/api/v1/requests"


@pytest.fixture
def locked(api: Any) -> Any:
    """Hold the database's only write lock until it is let go."""
    connection = sqlite3.connect(api.store.name, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def batch(number: int) -> dict[str, Any]:
    record = {"ts": time.time(), "learner": "u1", "version": "fast"}
    return {"batch": f"b{number}", "flag": "analyzer", "requests": [record]}


@pytest.mark.sqlite
def test_too_many_pushes_at_once_are_told_when_to_come_back(api: Any, running: str, locked: Any) -> None:
    async def ask() -> tuple[list[httpx.Response], list[httpx.Response], float, httpx.Response]:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=api.bearer("push")) as client:
            waiting = [asyncio.create_task(client.post(REQUESTS, json=batch(n))) for n in range(MAX_WRITING)]
            await asyncio.sleep(0.3)  # they are in the works by now: on threads that wait for the lock
            assert not any(task.done() for task in waiting)
            began = time.monotonic()
            refused = [await client.post(REQUESTS, json=batch(100 + n)) for n in range(5)]
            took = time.monotonic() - began
            flags = await client.post(
                "/ofrep/v1/evaluate/flags/analyzer",
                json={"context": {"targetingKey": "u1"}},
                headers=api.bearer("read"),
            )
            locked.execute("COMMIT")
            return await asyncio.gather(*waiting), refused, took, flags

    stored, refused, took, flags = api._runner.run(ask())
    assert [answer.status_code for answer in refused] == [429] * 5
    for answer in refused:
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert answer.headers["content-type"] == "application/problem+json"
        assert "with the same id" in answer.json()["detail"]
    assert took < 5.0  # at once, not when the lock is let go
    assert flags.status_code == 200
    assert [answer.json()["accepted"] for answer in stored] == [1] * MAX_WRITING
    again = api.post(REQUESTS, "push", batch(100))
    assert again.json()["accepted"] == 1  # there is room again, and what was refused left no trace
    with api.store.read() as connection:
        assert load_samples(connection, "analyzer").requests.sum() == MAX_WRITING + 1
    text = api.get("/metrics").text
    assert 'canary_pushes_refused_total{reason="busy"} 5.0' in text
    assert f"canary_push_seconds_count {MAX_WRITING + 1}.0" in text


def test_a_sender_learns_how_far_its_clock_is_off(api: Any, running: str) -> None:
    answer = api.post(REQUESTS, "push", batch(1) | {"sent": time.time() + 120, "source": "here", "dropped": 3})
    assert answer.json()["skew_s"] == pytest.approx(120, abs=5)
    sample = {"id": "s", "start": time.time() - 30, "seconds": 30.0, "version": "fast"}
    answer = api.post("/api/v1/samples", "push", {"flag": "analyzer", "samples": [sample], "sent": time.time() - 60})
    assert answer.json()["skew_s"] == pytest.approx(-60, abs=5)
    assert 'canary_records_dropped_total{flag="analyzer"} 3.0' in api.get("/metrics").text

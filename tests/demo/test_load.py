import asyncio
import signal
import time
from typing import Any

import httpx
import numpy as np
import pytest

from core.demo.load import traffic_of
from core.demo.push import MAX_BATCHES, Pusher
from core.traffic import bucket


def test_canary_learners_are_those_the_flag_gives_the_candidate_first() -> None:
    learners = np.array([f"learner-{i}" for i in range(5000)])
    traffic = traffic_of(learners, "salt", 15, 40)
    assert set(traffic.canary) == {x for x in learners if bucket("salt", x) < 0.01}
    assert traffic.canary.size + traffic.others.size == 5000
    rng = np.random.default_rng(0)
    low = sum(bucket("salt", traffic.pick(rng)) < 0.01 for _ in range(2000))
    assert low / 2000 == pytest.approx(15 / 55, abs=0.04)


def test_load_measures_and_pushes(service: Any, start_load: Any) -> None:
    service.platform.pushed.clear()
    process = start_load("--speed", "40", "--sample-s", "30")
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    batches = service.platform.pushed
    assert len({batch["batch"] for batch in batches}) == len(batches) >= 4
    assert all(batch["versions"] == ["original", "fast"] for batch in batches)
    requests = [record for batch in batches for record in batch["requests"]]
    probes = [record for batch in batches for record in batch["probes"]]
    assert all(record["ok"] and 0 < record["latency_ms"] < 5000 for record in requests)
    assert 100 < len(requests) < 350  # 55 a second
    for record in requests:
        assert record["version"] == ("fast" if bucket("salt", record["learner"]) < 0.01 else "original")
        assert record["segment"]
    fast = [record for record in requests if record["version"] == "fast"]
    assert sum(record.get("compared", False) for record in fast) >= 0.8 * len(fast)
    assert not any(record.get("disagreed") for record in requests)
    assert {probe["version"] for probe in probes} == {"original", "fast"}
    assert 0.7 * 4 * 80 < len(probes) < 1.5 * 4 * 80
    assert all(probe["ok"] for probe in probes)


def test_load_ends_with_its_parent(start_load: Any) -> None:
    process = start_load()
    process.stdin.close()
    assert process.wait(10) == 0


def test_batches_are_kept_repeated_by_id_and_bounded() -> None:
    answers = [httpx.Response(503), httpx.ConnectError("down"), *[httpx.Response(200, json={"rejected": {}})] * 400]
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content.decode().split('"batch":"')[1][:32])
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    async def run() -> Pusher:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            pusher = Pusher(http, "http://api/api/v1/requests", "token", "analyzer", ["original", "fast"])
            pusher.add([{"n": 1}], [])
            for _ in range(3):
                await pusher.flush()
            assert len(set(seen)) == 1
            assert len(seen) == 3
            for n in range(MAX_BATCHES + 7):
                pusher.add([{"n": n}], [])
            await pusher.flush()
            return pusher

    pusher = asyncio.run(run())
    assert (pusher.sent, pusher.dropped) == (1 + MAX_BATCHES, 7)


def test_a_refused_batch_is_dropped_not_repeated() -> None:
    async def run() -> Pusher:
        transport = httpx.MockTransport(lambda _: httpx.Response(422, text="no"))
        async with httpx.AsyncClient(transport=transport) as http:
            pusher = Pusher(http, "http://api/", "token", "analyzer", ["original", "fast"])
            pusher.add([{"n": 1}], [])
            await pusher.flush()
            await pusher.flush()
            return pusher

    assert asyncio.run(run()).dropped == 1

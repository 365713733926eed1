import signal
import time
from typing import Any

import numpy as np
import pytest

from core.demo.load import traffic_of
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
    assert all(record.get("ok", True) and 0 < record["latency_ms"] < 5000 for record in requests)
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

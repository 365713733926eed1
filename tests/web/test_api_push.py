"""Pushed figures reach the store once, and what can't be taken is said by reason."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from core.delivery import Action, Command
from core.store import Clock, business_sums, histogram, load_samples, quantile_of, schema

REQUESTS, SAMPLES = "/api/v1/requests", "/api/v1/samples"


def request(**changed: Any) -> dict[str, Any]:
    return {"ts": time.time(), "learner": "u1", "version": "fast", "latency_ms": 12.0, "ok": True} | changed


def batch(*requests: dict[str, Any], name: str = "b1", **more: Any) -> dict[str, Any]:
    return {"batch": name, "flag": "analyzer", "requests": list(requests)} | more


def sample(**changed: Any) -> dict[str, Any]:
    return {"id": "s1", "start": time.time() - 30, "seconds": 30.0, "version": "fast", "requests": 10} | changed


def stored(api: Any) -> Any:
    with api.store.read() as connection:
        return load_samples(connection, "analyzer")


def test_requests_are_added_up(api: Any, running: str) -> None:
    body = batch(
        request(revenue=2.0, cost=0.5),
        request(learner="u2", ok=False),
        request(version="original", ts=datetime.now(UTC).isoformat()),
        probes=[{"ts": time.time(), "version": "fast", "ok": True}],
    )
    answer = api.post(REQUESTS, "push", body)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 4, "repeated": 0, "rejected": {}})
    frame = stored(api)
    fast = frame.select(frame.version == "fast")
    assert (fast.requests.sum(), fast.errors.sum(), fast.probes_ok.sum()) == (2, 1, 1)
    assert quantile_of(fast, 0.99) == pytest.approx(12, rel=0.02)
    started = api.deliveries.status(running).phase_started
    with api.store.read() as connection:
        sums = business_sums(connection, running, started)["fast"]
    assert (sums.learners, sums.sums["revenue"], sums.sums["cost"]) == (2, 2.0, 0.5)


def test_a_draft_of_the_next_version_does_not_hide_what_the_present_one_does(
    api: Any, running: str, plan_text: str
) -> None:
    for _ in range(3):
        api.deliveries.command(running, Command(Action.ADVANCE, "cli:test", "go"))
    draft = plan_text.replace("candidate: fast", "candidate: faster").replace("> 250 ms", "> 500 ms")
    assert api.post("/api/v1/deployments", "act", {"plan": draft}).status_code == 201
    answer = api.post(REQUESTS, "push", batch(request(latency_ms=400.0), request(version="faster")))
    assert answer.json()["rejected"] == {}
    assert api.post(SAMPLES, "push", {"flag": "analyzer", "samples": [sample()]}).json()["accepted"] == 1
    frame = stored(api)
    fast = frame.select(frame.version == "fast")
    assert fast.requests.sum() == 11
    assert fast.slow[0] == 1  # counted by the limit of the plan that serves


@pytest.mark.parametrize(("value", "status"), [(0.9995, 200), (1.0, 200), (99.95, 422), (-0.1, 422)])
@pytest.mark.sqlite
def test_a_share_in_per_cent_is_refused_before_it_passes_for_a_good_one(
    api: Any, running: str, value: float, status: int
) -> None:
    body = {"flag": "analyzer", "samples": [sample(gauges={"availability": value, "latency_p99": 240.0})]}
    answer = api.post(SAMPLES, "push", body)
    assert answer.status_code == status
    assert ("a fraction from 0 to 1" in answer.text) == (status == 422)


def test_no_learners_id_is_kept(api: Any, running: str, home: Any) -> None:
    api.post(REQUESTS, "push", batch(request(learner="learner-by-name")))
    api.store.close()
    for path in home.iterdir():
        assert b"learner-by-name" not in path.read_bytes(), path


def test_a_repeated_batch_changes_nothing(api: Any, running: str) -> None:
    body = batch(request(revenue=2.0), request())
    api.post(REQUESTS, "push", body)
    again = api.post(REQUESTS, "push", body)
    assert again.json() == {"accepted": 0, "repeated": 2, "rejected": {}}
    altered = api.post(REQUESTS, "push", batch(*[request()] * 5))
    assert altered.json()["accepted"] == 0
    assert stored(api).requests.sum() == 2
    with api.store.read() as connection:
        assert connection.scalar(select(func.sum(schema.learner_total.c.revenue))) == 2.0


def test_what_cannot_be_taken_is_counted_by_reason(api: Any, running: str) -> None:
    now = time.time()
    body = batch(request(), request(version="faster"), request(ts=now + 4000), request(ts=now - 90_000), request(ts=0))
    answer = api.post(REQUESTS, "push", body).json()
    assert answer["accepted"] == 1
    assert sorted(answer["rejected"].values()) == [1, 1, 2]
    assert stored(api).requests.sum() == 1


def test_a_flag_that_nobody_deployed_takes_nothing(api: Any, running: str) -> None:
    for path, body in (
        (REQUESTS, batch(request()) | {"flag": "other"}),
        (SAMPLES, {"flag": "other", "samples": [sample()]}),
    ):
        assert api.post(path, "push", body).json() == {
            "accepted": 0,
            "repeated": 0,
            "rejected": {"no deployment of this flag": 1},
        }


def test_a_batch_for_an_unknown_flag_may_be_sent_again_once_there_is_one(api: Any, plan_text: str) -> None:
    body = batch(request())
    assert api.post(REQUESTS, "push", body).json()["accepted"] == 0
    api.post("/api/v1/deployments", "act", {"plan": plan_text, "start": True})
    assert api.post(REQUESTS, "push", body).json()["accepted"] == 1


def test_totals_are_kept_only_while_a_phase_runs(api: Any, running: str) -> None:
    api.deliveries.command(running, Command(Action.ROLL_BACK, "test", "why not"))
    api.post(REQUESTS, "push", batch(request(revenue=2.0)))
    assert stored(api).requests.sum() == 1  # figures of requests still count: they prove the rollback
    with api.store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.learner_total)) == 0


def test_wall_times_become_plan_times(api: Any, running: str) -> None:
    now = time.time()
    api.store.set_clock(Clock(anchor_wall=now, anchor_plan=now, speed=40.0))
    api.post(REQUESTS, "push", batch(request(ts=now - 10)))
    frame = stored(api)
    (start,) = frame.start[frame.requests > 0]
    assert start <= now - 400 < start + 30


def test_samples_are_taken_once_each(api: Any, running: str) -> None:
    body = {"flag": "analyzer", "samples": [sample(errors=1), sample(id="s2", latency_ms=[5.0] * 10), sample(id="s1")]}
    assert api.post(SAMPLES, "push", body).json() == {"accepted": 2, "repeated": 1, "rejected": {}}
    assert api.post(SAMPLES, "push", body).json() == {"accepted": 0, "repeated": 3, "rejected": {}}
    frame = stored(api)
    assert (frame.requests.sum(), frame.errors.sum()) == (20, 1)


def test_a_histogram_comes_over_as_it_is(api: Any, running: str) -> None:
    counts = histogram.counts_of([5.0, 80.0, 80.0])
    told = {str(bucket): int(count) for bucket, count in enumerate(counts) if count}
    api.post(SAMPLES, "push", {"flag": "analyzer", "samples": [sample(latency_counts=told, gauges={"memory": 1e9})]})
    frame = stored(api)
    assert (histogram.decode(frame.latency[0]) == counts).all()
    assert frame.gauges[0] == {"memory": 1e9}


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": -1},
        {"requests": 1.5},
        {"requests": True},
        {"requests": "1"},
        {"requests": 10**30},
        {"errors": 11},
        {"probes_ok": 1},
        {"disagreed": 1},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"seconds": 1e9},
        {"start": "2025-10-31T12:00:00"},
        {"start": "yesterday"},
        {"start": float("inf")},
        {"start": True},
        {"start": -1},
        {"id": ""},
        {"id": "x" * 201},
        {"id": "a\u0000b"},
        {"version": "\ud800"},
        {"latency_ms": [1.0] * 11},
        {"latency_ms": [float("nan")]},
        {"latency_ms": [-1]},
        {"latency_counts": {"400": 1}},
        {"latency_counts": {"-1": 1}},
        {"latency_counts": {"x": 1}},
        {"latency_ms": [1.0], "latency_counts": {"1": 1}},
        {"gauges": {"memory": "much"}},
        {"gauges": {"memory": float("inf")}},
        {"p99": 1.0},
    ],
)
@pytest.mark.sqlite
def test_a_sample_that_makes_no_sense_is_refused_whole_and_named(api: Any, running: str, wrong: dict[str, Any]) -> None:
    refused = api.post(SAMPLES, "push", {"flag": "analyzer", "samples": [sample(id="good"), sample() | wrong]})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"].startswith("body.samples.1")
    assert len(stored(api)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_ms": float("nan")},
        {"latency_ms": "12"},
        {"ok": 1},
        {"ok": None},
        {"ts": None},
        {"ts": "2025-10-31"},
        {"learner": 7},
        {"learner": ""},
        {"revenue": float("inf")},
        {"revenue": 1e300},
        {"user": "u1"},
    ],
)
@pytest.mark.sqlite
def test_a_record_that_makes_no_sense_is_named(api: Any, running: str, wrong: dict[str, Any]) -> None:
    refused = api.post(REQUESTS, "push", batch(request(), request(**wrong)))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith("body.requests.1")
    assert len(stored(api)) == 0


def test_what_was_sent_is_not_sent_back(api: Any, running: str) -> None:
    refused = api.post(REQUESTS, "push", batch(request(ts="my-secret-value", learner=["my-secret-value"])))
    assert refused.status_code == 422
    assert "my-secret-value" not in refused.text


def test_thousands_of_mistakes_make_a_short_answer(api: Any, running: str) -> None:
    refused = api.post(REQUESTS, "push", batch(*[request(ok="x")] * 5000))
    assert refused.status_code == 422
    assert len(refused.content) < 5000


def test_a_batch_is_bounded(api: Any, running: str) -> None:
    small = {"ts": 1, "learner": "u", "version": "fast"}
    assert api.post(REQUESTS, "push", batch(*[small] * 20_001)).status_code == 422

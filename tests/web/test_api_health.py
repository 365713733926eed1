"""Health for machines: is the database there, is the monitor alive, and our own figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from core.delivery import LEASE
from core.store import acquire_lease, beat, release_lease, schema
from core.traffic import SwitchError


@pytest.fixture
def monitor(api: Any) -> int:
    """Return the token of a monitor that has just ticked."""
    token = acquire_lease(api.store, LEASE, "here:1", 6.0)
    assert token is not None
    with api.store.transaction() as tx:
        beat(tx, LEASE, token, 6.0, 0.01, 0.02)
    return token


def test_all_is_well_with_a_database_and_a_monitor(api: Any, monitor: int) -> None:
    answer = api.get("/healthz", None)
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["database"], health["problems"]) == ("ok", {"reachable": True}, [])
    assert (health["monitor"]["holder"], health["monitor"]["late_s"]) == ("here:1", 0.01)
    assert health["monitor"]["tick_age_s"] < 5


def test_no_monitor_yet_is_not_well(api: Any) -> None:
    assert api.get("/healthz", None).status_code == 503


def test_a_monitor_that_gave_its_lease_back_is_not_at_work(api: Any, monitor: int) -> None:
    release_lease(api.store, LEASE, monitor)
    assert api.get("/healthz", None).status_code == 503


def test_a_tick_older_than_the_lease_is_not_well(api: Any, monitor: int) -> None:
    with api.store.transaction() as tx:
        tx.connection.execute(update(schema.lease).values(beat=time.time() - 60, expires=time.time() - 54))
    answer = api.get("/healthz", None)
    assert answer.status_code == 503
    assert answer.json()["monitor"]["tick_age_s"] > 59
    assert "monitor" in answer.json()["problems"][0]


def test_a_lost_database_is_not_well_and_nothing_falls_over(
    api: Any, monitor: int, running: str, lose: Callable[[], Callable[[], None]]
) -> None:
    api.post("/ofrep/v1/evaluate/flags/analyzer", "read", {"context": {"targetingKey": "u1"}})
    path, bring_back = api.store.name, lose()
    answer = api.get("/healthz", None)
    assert answer.status_code == 503
    assert answer.json()["database"] == {"reachable": False}
    assert str(path) not in answer.text
    for method, where, scope, body in (
        ("GET", "/api/v1/deployments", "read", None),
        ("GET", f"/api/v1/deployments/{running}", "read", None),
        ("POST", f"/api/v1/deployments/{running}/rollback", "act", {"reason": "x"}),
        ("POST", "/api/v1/requests", "push", {"batch": "b", "flag": "analyzer"}),
        ("POST", "/api/v1/samples", "push", {"flag": "analyzer", "samples": []}),
    ):
        refused = api.call(method, where, scope, json=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2"), where
        assert str(path) not in refused.text
    given = api.post("/ofrep/v1/evaluate/flags/analyzer", "read", {"context": {"targetingKey": "u1"}})
    assert given.status_code == 200
    assert given.json()["metadata"]["stale"] is True
    everything = api.post("/ofrep/v1/evaluate/flags", "read", {"context": {"targetingKey": "u1"}})
    assert everything.json()["flags"][0]["metadata"]["stale"] is True
    assert "canary_database_up 0.0" in api.get("/metrics").text
    assert "canary_flags_stale 1.0" in api.get("/metrics").text
    bring_back()
    deadline = time.monotonic() + 10
    while api.get("/healthz", None).status_code != 200 and time.monotonic() < deadline:
        api.post("/ofrep/v1/evaluate/flags/analyzer", "read", {"context": {"targetingKey": "u1"}})
        time.sleep(0.05)
    assert api.get("/healthz", None).json()["problems"] == []


def test_figures_of_our_own(api: Any, monitor: int, running: str) -> None:
    api.post("/ofrep/v1/evaluate/flags/analyzer", "read", {"context": {"targetingKey": "u1"}})
    api.post("/ofrep/v1/evaluate/flags/analyzer", "read", {})
    now = time.time()
    record = {"ts": now, "learner": "u1", "version": "fast"}
    api.post(
        "/api/v1/requests",
        "push",
        {"batch": "b", "flag": "analyzer", "requests": [record, record | {"version": 'a"\nb'}]},
    )
    api.post(
        "/api/v1/requests", "push", {"batch": "c", "flag": "analyzer", "requests": [record, record | {"version": "ab"}]}
    )
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert f'canary_share{{deployment="{running}",flag="analyzer"}} 0.01' in lines
    assert f'canary_switch_confirmed{{deployment="{running}",flag="analyzer"}} 1.0' in lines
    assert 'canary_flag_evaluations_total{result="baseline"} 1.0' in lines
    assert 'canary_flag_evaluations_total{result="TARGETING_KEY_MISSING"} 1.0' in lines
    assert 'canary_records_received_total{result="accepted"} 1.0' in lines
    assert "canary_monitor_up 1.0" in lines
    assert "canary_monitor_tick_late_seconds 0.01" in lines
    assert any(line.startswith("canary_records_rejected_total{reason=") for line in lines)


def test_prometheus_client_reads_our_figures_in_both_formats(api: Any, monitor: int, running: str) -> None:
    for accept, parse in (
        ("text/plain;version=0.0.4", text_string_to_metric_families),
        ("application/openmetrics-text;version=1.0.0", openmetrics_families),
    ):
        answer = api.get("/metrics", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(accept.partition(";")[0])
        families = {family.name: family for family in parse(answer.text)}
        assert [s.value for s in families["canary_monitor_up"].samples] == [1.0]
        assert [s.labels["state"] for s in families["canary_deployment_under_way"].samples] == ["running"]
        assert families["canary_flag_evaluations"].type == "counter"
        assert "process_resident_memory_bytes" in families


def test_a_switch_that_refuses_is_in_the_metrics(api: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SwitchError("connection refused")

    monkeypatch.setattr(api.deliveries.switch, "set", refuse)
    answer = api.post(f"/api/v1/deployments/{running}/rollback", "act", {"reason": "it hurts"})
    assert (answer.json()["switched"], "connection refused" in answer.json()["note"]) == (False, True)
    lines = api.get("/metrics").text.splitlines()
    assert f'canary_switch_confirmed{{deployment="{running}",flag="analyzer"}} 0.0' in lines
    assert 'canary_incidents_open{cause="switch failed"} 1.0' in lines

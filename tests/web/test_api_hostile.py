"""Whatever is sent, the answer is an answer: never a 500, never a change that was not asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

POSTS = [
    ("/ofrep/v1/evaluate/flags/analyzer", "read"),
    ("/ofrep/v1/evaluate/flags", "read"),
    ("/api/v1/samples", "push"),
    ("/api/v1/requests", "push"),
    ("/api/v1/deployments", "act"),
    ("/api/v1/deployments/DEPLOYMENT/hold", "act"),
    ("/api/v1/deployments/DEPLOYMENT/resume", "act"),
]
FIELDS = [
    "context",
    "targetingKey",
    "flag",
    "batch",
    "requests",
    "probes",
    "samples",
    "id",
    "start",
    "seconds",
    "version",
]
FIELDS += [
    "latency_ms",
    "latency_counts",
    "gauges",
    "ts",
    "learner",
    "ok",
    "reason",
    "extend_s",
    "expected_revision",
    "plan",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20)
scalars |= st.sampled_from(["analyzer", "fast", "original", 1e400, -0.0, 2**63, "2025-10-31T12:00:00Z", "NaN"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {
        "batch": scalars,
        "flag": st.just("analyzer"),
        "requests": st.lists(
            st.fixed_dictionaries({"ts": scalars, "learner": scalars, "version": scalars}), max_size=3
        ),
    }
)
bodies = values | requests
quietly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def target(api: Any, running: str) -> Iterator[str]:
    """Return the id of a running deployment that still has its share at the end."""
    yield running
    assert api.deliveries.status(running).share == 0.01
    assert len(api.deliveries.all()) == 1


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and not str(answer.url.path).startswith("/ofrep"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(("path", "scope"), POSTS)
@quietly
@given(body=bodies)
def test_any_json_is_answered(api: Any, target: str, path: str, scope: str, body: Any) -> None:
    check(api.post(path.replace("DEPLOYMENT", target), scope, body))


@pytest.mark.sqlite
@pytest.mark.parametrize(("path", "scope"), POSTS)
@quietly
@given(body=st.binary(max_size=60))
def test_any_bytes_are_answered(api: Any, target: str, path: str, scope: str, body: bytes) -> None:
    check(api.call("POST", path.replace("DEPLOYMENT", target), scope, content=body))


@pytest.mark.sqlite
@pytest.mark.parametrize(("path", "scope"), POSTS)
@pytest.mark.parametrize(
    "body",
    [
        "[" * 30_000,
        '{"a":' * 10_000,
        "9" * 5000,
        '{"context": {"targetingKey": ' + "9" * 5000 + "}}",
        '{"reason": NaN}',
        '{"extend_s": 1e999}',
        '{"flag": "a", "flag": "b"}',
        '{"reason": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"context": {"targetingKey": "\\ud800"}}',
        "\ufeff{}",
        "",
        "{}x",
    ],
)
def test_json_made_to_break_parsers_is_answered(api: Any, target: str, path: str, scope: str, body: str) -> None:
    check(api.call("POST", path.replace("DEPLOYMENT", target), scope, content=body.encode("utf-8", "surrogatepass")))


@pytest.mark.sqlite
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "HEAD", "OPTIONS", "FOO"])
@pytest.mark.parametrize("path", ["/api/v1/deployments", "/healthz", "/ofrep/v1/evaluate/flags", "/metrics"])
def test_a_method_that_is_not_taken_is_refused(api: Any, target: str, method: str, path: str) -> None:
    answer = api.call(method, path, "act", json={})
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/deployments",
        "/api/v1/deployments/",
        "//api/v1/deployments",
        "/api/v1/../../healthz/x",
        "/api/%2e%2e/%2e%2e/etc/passwd",
        "/ofrep/v1/evaluate/flags/a/b",
        "/healthz/",
        "/docs",
        "/redoc",
        "/openapi.json",
    ],
)
def test_a_path_that_is_none_is_not_found(api: Any, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code in {404, 405}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["..", "%2e%2e%2f", "%00", "x" * 5000, "%ff", "'", "<script>"])
def test_a_flag_by_any_name_is_not_found_as_ofrep_says(api: Any, running: str, key: str) -> None:
    answer = api.post(f"/ofrep/v1/evaluate/flags/{key}", "read", {"context": {"targetingKey": "u"}})
    assert answer.status_code in {404, 405}
    if key.startswith(("x", "'", "<")):
        assert answer.json()["errorCode"] == "FLAG_NOT_FOUND"


@pytest.mark.parametrize(
    "header", ["Authorization", "Content-Type", "Origin", "If-None-Match", "Content-Length", "Host"]
)
@pytest.mark.parametrize("value", ["\xff\xfe", "x" * 5000, ",;=\"'", "-1", "1e3"])
@pytest.mark.sqlite
def test_any_header_is_answered(api: Any, target: str, header: str, value: str) -> None:
    body = json.dumps({"context": {"targetingKey": "u"}}).encode()
    headers = {header.encode(): value.encode("latin-1")}
    base = {"Content-Type": "application/json"} | api.bearer("read")
    sent = {k.encode(): v.encode() for k, v in base.items() if k != header} | headers
    check(api.call("POST", "/ofrep/v1/evaluate/flags", content=body, headers=sent))


def test_a_mistake_of_ours_is_a_500_without_details(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(api.deliveries, "all", broken)
    answer = api.get("/api/v1/deployments", raises=False)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text

"""OFREP's requests and answers."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.traffic import FlagUnavailable, FlagUnknown, Refused, Rule, assign, ofrep


def rule(share: float, *, active: bool = True) -> Rule:
    return Rule("analyzer", "d1", "original", "fast", "s", share, 7, active)


def code_of(body: object) -> str:
    with pytest.raises(Refused) as caught:
        ofrep.targeting_key(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    assert caught.value.body("analyzer").keys() == {"key", "errorCode", "errorDetails"}
    assert "key" not in caught.value.body()
    return caught.value.code


def test_the_targeting_key_is_read() -> None:
    assert ofrep.targeting_key(b'{"context": {"targetingKey": "u1", "plan": "gold"}, "more": 1}') == "u1"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"1", b'"x"', b"null"])
def test_what_is_no_json_object_is_a_parse_error(body: bytes) -> None:
    assert code_of(body) == "PARSE_ERROR"


@pytest.mark.parametrize(
    "body", [{}, {"context": {}}, {"context": {"targetingKey": ""}}, {"context": {"targetingKey": None}}]
)
def test_a_missing_key_is_said_to_be_missing(body: object) -> None:
    assert code_of(body) == "TARGETING_KEY_MISSING"


@pytest.mark.parametrize(
    "body",
    [{"context": 1}, {"context": []}, {"context": {"targetingKey": 7}}, {"context": {"targetingKey": "x" * 1025}}],
)
def test_a_context_of_the_wrong_kind_is_invalid(body: object) -> None:
    assert code_of(body) == "INVALID_CONTEXT"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_key_or_a_refusal(body: bytes) -> None:
    with suppress(Refused):
        assert isinstance(ofrep.targeting_key(body), str)


@pytest.mark.parametrize(("share", "reason"), [(0.0, "STATIC"), (0.01, "SPLIT"), (0.999, "SPLIT"), (1.0, "STATIC")])
def test_the_reason_follows_the_share(share: float, reason: str) -> None:
    answer = ofrep.evaluation(assign(rule(share), "u1"))
    assert answer["reason"] == reason
    assert answer["variant"] in {"baseline", "candidate"}
    assert answer["metadata"] == {"share": share, "revision": 7, "deployment": "d1", "stale": False}


def test_a_flag_that_never_started_is_disabled_at_its_baseline() -> None:
    answer = ofrep.evaluation(assign(rule(0.0, active=False), "u1"))
    assert (answer["reason"], answer["value"], answer["variant"]) == ("DISABLED", "original", "baseline")


def test_a_stale_answer_says_why() -> None:
    metadata = ofrep.evaluation(assign(rule(0.0), "u1", stale="gone"))["metadata"]
    assert (metadata["stale"], metadata["staleReason"]) == (True, "gone")


def test_what_cannot_be_evaluated_has_its_code() -> None:
    assert (ofrep.refusal_of(FlagUnknown("x")).status, ofrep.refusal_of(FlagUnknown("x")).code) == (
        404,
        "FLAG_NOT_FOUND",
    )
    assert ofrep.refusal_of(FlagUnavailable("x")).status == 500


def test_the_etag_follows_the_answer() -> None:
    one = [ofrep.evaluation(assign(rule(0.1), "u1"))]
    other = [ofrep.evaluation(assign(rule(0.2), "u1"))]
    assert ofrep.bulk(one) == ofrep.bulk(one)
    assert ofrep.bulk(one)[1] != ofrep.bulk(other)[1]
    assert ofrep.bulk(one)[1] != ofrep.bulk(one, stale="gone")[1]
    assert json.loads(ofrep.bulk(one)[0]) == {"flags": one, "metadata": {"stale": False}}


@pytest.mark.parametrize(
    ("header", "same"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ("", False), ('"b"', False), ("a", False)],
)
def test_if_none_match_is_compared_weakly(header: str, same: bool) -> None:
    assert ofrep.matches(header, '"a"') is same

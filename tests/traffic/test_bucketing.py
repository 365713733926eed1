"""Assignment is deterministic, even, independent between salts, and a larger share only adds learners."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.traffic import Rule, assign, bucket

KEYS = [f"learner-{n}" for n in range(20_000)]


def rule(share: float, salt: str = "s") -> Rule:
    return Rule("analyzer", "d1", "original", "fast", salt, share, 1, active=True)


def test_the_place_is_the_documented_hash() -> None:
    digest = blake2b(b"analyzer:fast\0learner-1", digest_size=8).digest()
    assert bucket("analyzer:fast", "learner-1") == pytest.approx(int.from_bytes(digest, "big") / 2**64, abs=1e-15)


def test_a_known_place_never_moves() -> None:
    # Recorded once. A change would move every learner of every running canary.
    assert bucket("analyzer:fast", "learner-1") == 0.7201275093474215


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_of_learners_is_the_share(share: float) -> None:
    got = sum(bucket("s", key) < share for key in KEYS) / len(KEYS)
    assert abs(got - share) < 4 * (share * (1 - share) / len(KEYS)) ** 0.5


def test_two_salts_are_independent() -> None:
    both = sum(bucket("a", key) < 0.1 and bucket("b", key) < 0.1 for key in KEYS) / len(KEYS)
    assert abs(both - 0.01) < 0.003


@given(st.text(), st.text())
def test_the_place_is_in_the_half_open_interval(salt: str, key: str) -> None:
    assert 0 <= bucket(salt, key) < 1


def test_a_lone_surrogate_is_a_learner_like_any_other() -> None:
    assert 0 <= bucket("s", "\ud800") < 1


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_moves_a_learner_back(key: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if assign(rule(low), key).variant == "candidate":
        assert assign(rule(high), key).variant == "candidate"


@given(st.text())
def test_nothing_is_for_nobody_and_all_is_for_everybody(key: str) -> None:
    assert assign(rule(0.0), key).value == "original"
    assert assign(rule(1.0), key).value == "fast"

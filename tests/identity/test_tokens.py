"""Tokens of programs, in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from core.identity import TokenProblem, TokenScope, create_token, find_token, list_tokens, revoke_token
from core.store import Store, events, schema

READ, ACT = TokenScope.READ, TokenScope.ACT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    yield made
    made.close()


def make(store: Store, name: str = "ci", now: float = 100.0, lasts_s: float = 50.0, **how: object) -> str:
    with store.transaction() as tx:
        given: dict[str, object] = {"scopes": [ACT], "owner": "A@B.C", "by": "cli:al"} | how
        return create_token(tx, name=name, lasts_s=lasts_s, now=now, **given)[1]  # type: ignore[arg-type]


def test_the_secret_is_found_and_kept_nowhere(store: Store) -> None:
    secret = make(store)
    with store.read() as connection:
        found = find_token(connection, secret)
        assert found is not None
        assert (found.name, found.owner, found.scopes) == ("ci", "a@b.c", {ACT})
        assert [found.state(now) for now in (149.0, 150.0)] == ["active", "expired"]
        for wrong in ("", "canary_", secret[:-1], secret + "x", secret.upper(), "x" * 10_000):
            assert find_token(connection, wrong) is None
        kept = str(connection.execute(select(schema.api_token)).all()) + str(events(connection))
    assert secret not in kept
    assert secret.rpartition("_")[2] not in kept
    assert secret.encode() not in (store.home / "canary.sqlite").read_bytes()


def test_a_revoked_token_stays_revoked_and_both_are_events(store: Store) -> None:
    secret = make(store)
    with store.transaction() as tx:
        gone = revoke_token(tx, "ci", "cli:al", 120.0)
    with store.transaction() as tx:
        gone = revoke_token(tx, gone.id, "cli:al", 130.0)
    assert gone.revoked == 120.0
    with store.read() as connection:
        found = find_token(connection, secret)
        assert found is not None
        assert found.state(121.0) == "revoked"
        assert [(e.kind, e.actor) for e in events(connection)] == [
            ("token created", "cli:al"),
            ("token revoked", "cli:al"),
        ]


def test_a_name_is_free_again_when_its_token_is_not_active(store: Store) -> None:
    make(store)
    with pytest.raises(TokenProblem, match="is active"):
        make(store, now=110.0)
    make(store, now=160.0)
    with store.read() as connection:
        assert [t.created for t in list_tokens(connection)] == [160.0, 100.0]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"name": "1x"}, "no name for a token"),
        ({"scopes": []}, "needs a scope"),
        ({"lasts_s": 0.0}, "at most 366 days"),
        ({"lasts_s": 1e9}, "at most 366 days"),
    ],
)
def test_what_makes_no_token(store: Store, how: dict[str, object], said: str) -> None:
    with pytest.raises(TokenProblem, match=said):
        make(store, **how)  # type: ignore[arg-type]
    with store.read() as connection:
        assert not list_tokens(connection)
        assert not events(connection)


def test_revoking_what_is_not_there(store: Store) -> None:
    with pytest.raises(TokenProblem, match="canary token list"), store.transaction() as tx:
        revoke_token(tx, "nothing", "x", 0.0)

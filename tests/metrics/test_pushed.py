"""Who pushes: rates, totals, and who has gone quiet."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from core.metrics import Push, Sender, note_push, senders
from core.metrics.pushed import KEEP_S
from core.store import Store, schema


@pytest.fixture
def store(home):
    made = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    yield made
    made.close()


def heard(store: Store, *pushes: tuple[float, Push], name: str = "a") -> Sender:
    for wall, push in pushes:
        with store.transaction() as tx:
            note_push(tx.connection, "analyzer", name, push, wall)
    with store.read() as connection:
        return next(sender for sender in senders(connection) if sender.name == name)


def test_what_was_sent_adds_up(store: Store) -> None:
    sender = heard(
        store,
        (1000.0, Push(10, rejected={"too old": 2}, skew_s=0.5, versions=("fast",))),
        (1002.0, Push(20, repeated=5, rejected={"too old": 1}, dropped=7, skew_s=-0.25)),
    )
    assert (sender.batches, sender.records, sender.repeated, sender.dropped, sender.last) == (2, 30, 5, 7, 20)
    assert sender.rejected == {"too old": 3}
    assert (sender.heard, sender.skew_s, sender.versions) == (1002.0, -0.25, ())


def test_a_steady_sender_has_its_rate_from_the_second_minute_on(store: Store) -> None:
    pushes = [(1000.0 + 2 * n, Push(100)) for n in range(120)]
    assert heard(store, *pushes).per_s == pytest.approx(50, rel=0.06)
    assert heard(store, *[(wall, push) for wall, push in pushes[:10]], name="young").per_s == pytest.approx(50, rel=0.2)
    assert heard(store, (5000.0, Push(0)), name="a").per_s == 0.0  # after a pause there is nothing of the old minutes


def test_a_sign_of_life_is_not_quiet_and_silence_is(store: Store) -> None:
    sender = heard(store, (1000.0, Push(0, versions=("fast",))))
    assert not sender.is_quiet(1089.0, 90.0)
    assert sender.is_quiet(1090.0, 90.0)


def test_processes_that_are_gone_are_forgotten(store: Store) -> None:
    for number in range(5):
        heard(store, (1000.0, Push(1)), name=f"host:{number}")
    heard(store, (1001.0 + KEEP_S, Push(1)), name="new")
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.source)) == 1

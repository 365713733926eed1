"""A real database is changed behind the store's back, in every way that the log must notice."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from core.store import Store, events, verify_log
from core.store.anchor import FILE
from core.store.eventlog import GENESIS, hash_of
from tests.store.making import write_events

COLUMNS = "seq, at, wall, deployment, kind, actor, reason, data, previous, hash"


@pytest.fixture
def written(store):
    write_events(store, 10)
    assert verify_log(store).ok
    return store


def tamper(store: Store, *statements: str) -> None:
    raw = create_engine(store.url)
    with raw.begin() as connection:
        if raw.dialect.name == "sqlite":
            for trigger in ("event_no_update", "event_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}")
        else:
            connection.exec_driver_sql("ALTER TABLE event DISABLE TRIGGER ALL")
        for statement in statements:
            connection.exec_driver_sql(statement)
    raw.dispose()


def rechain(store: Store, begin: int = 1, end: int = 10, head: bool = True) -> None:
    """Make hashes consistent again from an event on, as somebody who knows how they are made would."""
    previous, statements = GENESIS, []
    with store.read() as connection:
        rows = connection.exec_driver_sql(f"SELECT {COLUMNS} FROM event ORDER BY seq").all()
    for row in rows:
        digest = row[-1]
        if begin <= row[0] <= end:
            digest = hash_of(*row[:8], previous)
            statements.append(f"UPDATE event SET previous = '{previous}', hash = '{digest}' WHERE seq = {row[0]}")
        previous = digest
    if head:
        statements.append(f"UPDATE event_head SET hash = '{previous}', count = (SELECT COUNT(*) FROM event)")
    tamper(store, *statements)


def shift(begin: int, by: int) -> list[str]:
    """Renumber all events from one on."""
    return [
        f"UPDATE event SET seq = -(seq + {by}) WHERE seq >= {begin}",
        "UPDATE event SET seq = -seq WHERE seq < 0",
    ]


def swap(a: int, b: int) -> list[str]:
    return [
        f"UPDATE event SET seq = -1 WHERE seq = {a}",
        f"UPDATE event SET seq = {a} WHERE seq = {b}",
        f"UPDATE event SET seq = {b} WHERE seq = -1",
    ]


def insert(seq: int, previous: str, digest: str = "f" * 64) -> str:
    return (
        f"INSERT INTO event ({COLUMNS}) "
        f"VALUES ({seq}, 1.0, 1.0, 'd1', 'forged', 'mallory', 'because', '{{}}', '{previous}', '{digest}')"
    )


def forged_hash(seq: int, previous: str) -> str:
    return hash_of(seq, 1.0, 1.0, "d1", "forged", "mallory", "because", "{}", previous)


def hashes(store: Store) -> list[str]:
    with store.read() as connection:
        return [GENESIS, *(event.hash for event in events(connection))]


def found(store: Store) -> tuple[int | None, str]:
    result = verify_log(store)
    assert not result.ok
    assert result.problem
    return result.seq, result.problem


def test_the_database_refuses_changes_by_itself(written):
    for statement in ("UPDATE event SET reason = 'x' WHERE seq = 3", "DELETE FROM event WHERE seq = 3"):
        with pytest.raises(IntegrityError, match="append-only"), written.transaction() as tx:
            tx.connection.exec_driver_sql(statement)
    assert verify_log(written).ok


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'all was well'",
        "at = at + 1",
        "wall = wall - 1",
        "actor = 'nobody'",
        "kind = 'x'",
        "deployment = 'd2'",
        "data = '{}'",
        "data = 'no JSON'",
        "data = X'00'",
        f"previous = '{'a' * 64}'",
        f"hash = '{'a' * 64}'",
    ],
)
def test_altered(written, change):
    tamper(written, f"UPDATE event SET {change} WHERE seq = 5")
    seq, problem = found(written)
    assert (seq, "altered" in problem) == (5, True)
    with written.read() as connection:
        assert len(events(connection)) == 10  # it can still be looked at


def test_altered_with_its_hash(written):
    tamper(written, "UPDATE event SET reason = 'all was well' WHERE seq = 5")
    rechain(written, 5, 5, head=False)
    seq, problem = found(written)
    assert (seq, "altered" in problem) == (5, True)


@pytest.mark.sqlite  # PostgreSQL itself refuses that
def test_altered_to_what_is_no_time(written):
    tamper(written, "UPDATE event SET at = 'yesterday' WHERE seq = 5")
    seq, problem = found(written)
    assert (seq, "altered" in problem) == (5, True)


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_removed(written, seq):
    tamper(written, f"DELETE FROM event WHERE seq = {seq}")
    assert found(written) == (seq, f"event {seq} is missing: removed")


def test_removed_and_renumbered(written):
    tamper(written, "DELETE FROM event WHERE seq IN (5, 6)", *shift(7, -2), "UPDATE event_head SET count = 8")
    assert found(written) == (5, "events 5 to 6 are missing: removed, and the rest renumbered")


@pytest.mark.parametrize("seq", [1, 5])
@pytest.mark.parametrize("good_hash", [True, False])
@pytest.mark.parametrize("good_link", [True, False])
def test_inserted(written, seq, good_hash, good_link):
    previous = hashes(written)[seq - 1] if good_link else "b" * 64
    digest = forged_hash(seq, previous) if good_hash else "f" * 64
    tamper(written, *shift(seq, 1), insert(seq, previous, digest), "UPDATE event_head SET count = 11")
    at, problem = found(written)
    assert (at, "inserted" in problem) == (seq, True)


def test_inserted_before_the_first(written):
    tamper(written, insert(0, GENESIS))
    seq, problem = found(written)
    assert (seq, "inserted" in problem) == (0, True)


def test_inserted_at_the_end_without_the_head(written):
    last = hashes(written)[-1]
    tamper(written, insert(11, last, forged_hash(11, last)))
    seq, problem = found(written)
    assert (seq, "inserted" in problem) == (11, True)


def test_a_copy_inserted(written):
    copy = f"INSERT INTO event SELECT 8, {COLUMNS.split(', ', 1)[1]} FROM event WHERE seq = 3"
    tamper(written, *shift(8, 1), copy, "UPDATE event_head SET count = 11")
    seq, problem = found(written)
    assert (seq, "copy" in problem) == (8, True)


@pytest.mark.parametrize(("a", "b"), [(5, 6), (1, 10), (3, 8)])
def test_reordered(written, a, b):
    tamper(written, *swap(a, b))
    seq, problem = found(written)
    assert (seq, "reordered" in problem) == (a, True)


def test_moved_to_the_end(written):
    tamper(written, "UPDATE event SET seq = 11 WHERE seq = 4")
    seq, problem = found(written)
    assert (seq, "reordered" in problem) == (4, True)


@pytest.mark.parametrize("head_too", [True, False])
def test_cut_tail(written, head_too):
    last = hashes(written)[7]
    tamper(written, "DELETE FROM event WHERE seq > 7")
    if head_too:
        tamper(written, f"UPDATE event_head SET count = 7, hash = '{last}'")
    seq, problem = found(written)
    assert seq == 8
    assert "tail was cut off: events 8 to 10 are missing" in problem


def test_a_cut_tail_is_still_told_after_the_log_went_on(written):
    tamper(
        written, "DELETE FROM event WHERE seq > 7", f"UPDATE event_head SET count = 7, hash = '{hashes(written)[7]}'"
    )
    write_events(written, 1)
    assert found(written)[0] == 9
    write_events(written, 4)
    seq, problem = found(written)
    assert (seq, "rewritten" in problem) == (10, True)


def test_emptied(written):
    tamper(written, "DELETE FROM event", f"UPDATE event_head SET count = 0, hash = '{GENESIS}'")
    assert found(written)[0] == 1


def test_rewritten_as_a_whole(written):
    tamper(written, "UPDATE event SET reason = 'all was well' WHERE seq = 1")
    rechain(written)
    seq, problem = found(written)
    assert (seq, "rewritten from its first event" in problem) == (1, True)


def test_rewritten_from_the_middle(written):
    tamper(written, "UPDATE event SET reason = 'all was well' WHERE seq = 6")
    rechain(written)
    seq, problem = found(written)
    assert seq == 10
    assert "rewritten at or before event 10" in problem


def test_a_rewritten_chain_does_not_become_right_by_going_on(written, url, caplog):
    tamper(written, "UPDATE event SET reason = 'all was well' WHERE seq = 6")
    rechain(written)
    write_events(written, 2)
    assert "anchor was not moved on" in caplog.text
    Store.open(url, written.home).close()
    assert "rewritten" in found(written)[1]


def test_the_head_disagrees(written):
    tamper(written, f"UPDATE event_head SET hash = '{'a' * 64}'")
    seq, problem = found(written)
    assert (seq, "disagrees" in problem) == (10, True)


def test_a_missing_anchor_is_a_warning_that_stays(written, url):
    (written.home / FILE).unlink()
    result = verify_log(written)
    assert result.ok
    assert result.anchored is None
    assert "missing" in result.warning
    write_events(written, 1)
    Store.open(url, written.home).close()
    result = verify_log(written)
    assert result.ok
    assert result.anchored == 11
    assert "begun anew when there were 11 events" in result.warning


@pytest.mark.parametrize("text", ["", "{", "[]", '{"count": 1}', '{"count": "x", "hash": ""}'])
@pytest.mark.sqlite
def test_a_damaged_anchor_is_a_problem_and_stays_as_evidence(written, text):
    (written.home / FILE).write_text(text)
    assert "can't be read as an anchor" in found(written)[1]
    write_events(written, 1)
    assert (written.home / FILE).read_text() == text


def test_an_anchor_that_cannot_be_read_is_a_problem(written):
    (written.home / FILE).unlink()
    (written.home / FILE).mkdir()
    assert "can't be read" in found(written)[1]


def test_another_databases_anchor(written):
    anchor = json.loads((written.home / FILE).read_text())
    (written.home / FILE).write_text(json.dumps(anchor | {"first": "c" * 64, "count": 3, "hash": "d" * 64}))
    assert found(written)[0] == 1

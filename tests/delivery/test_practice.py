"""Drills: a rollback and a restore for practice, on a real store, without moving a learner."""

import pytest

from core.delivery import (
    DRILL_FLAG,
    RESTORE_DRILLED,
    ROLLBACK_DRILLED,
    Action,
    Command,
    State,
    back_to_baseline,
    drill_restore,
    drill_rollback,
    parse_plan,
    practice,
)
from core.store import events, make_backup, verify_log
from core.traffic import SwitchError
from tests.delivery.acting import open_deliveries, plan

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def running(home, monkeypatch):
    monkeypatch.setattr(practice, "LEARNERS", practice.LEARNERS[:40])
    deliveries = open_deliveries(home)
    status = deliveries.create(plan(), "cli:test")
    deliveries.command(status.id, Command(Action.START, "cli:test", "try it"))
    yield deliveries, status.id
    deliveries.store.close()


def last(deliveries, kind):
    with deliveries.store.read() as connection:
        return events(connection, kinds=[kind], newest_first=True)[0]


def test_a_rollback_drill_rolls_back_and_moves_no_learner(running):
    deliveries, id_ = running
    before = deliveries.status(id_)
    for _ in range(2):
        done = drill_rollback(deliveries, "cli:test")
        assert (done.ok, done.before, done.astray, done.problem) == (True, 40, 0, "")
        assert 0 < done.decided_s <= done.seen_s
    assert deliveries.status(id_) == before
    assert deliveries.status(done.deployment).state is State.ROLLED_BACK
    event = last(deliveries, ROLLBACK_DRILLED)
    assert (event.actor, event.data["ok"], event.deployment) == ("cli:test", True, done.deployment)
    assert verify_log(deliveries.store).ok


def test_what_a_killed_drill_left_is_cleared_away(running):
    deliveries, _ = running
    drill = plan().text.replace("flag: analyzer", f"flag: {DRILL_FLAG}")
    left = deliveries.create(parse_plan(drill, "left"), "cli:test")
    deliveries.command(left.id, Command(Action.START, "cli:test", "a drill that is killed now"))
    assert drill_rollback(deliveries, "cli:test").ok
    assert deliveries.status(left.id).state is State.ABORTED


def test_a_switch_that_refuses_fails_the_drill(running, monkeypatch):
    deliveries, _ = running

    def refuse(flag, share, revision):
        raise SwitchError("out of order")

    monkeypatch.setattr(deliveries.switch, "set", refuse)
    done = drill_rollback(deliveries, "cli:test")
    assert not done.ok
    assert "has not confirmed" in done.problem
    assert last(deliveries, ROLLBACK_DRILLED).data["ok"] is False


def test_a_restore_drill_brings_a_copy_back_and_compares(running):
    deliveries, _ = running
    told = []
    done = drill_restore(deliveries, "cli:test", program="x", told=told.append)
    assert (done.ok, done.problems, done.flags, done.moved_on) == (True, (), 1, 0)
    assert len(told) == 3
    event = last(deliveries, RESTORE_DRILLED)
    assert event.data["events"] == event.seq - 1


def test_a_restore_drill_from_an_old_backup_says_what_moved_on(running, tmp_path):
    deliveries, id_ = running
    make_backup(deliveries.store, tmp_path / "old.tar.gz", program="x")
    deliveries.command(id_, Command(Action.ROLL_BACK, "cli:test", "later"))
    done = drill_restore(deliveries, "cli:test", program="x", backup=tmp_path / "old.tar.gz")
    assert (done.ok, done.flags, done.moved_on) == (True, 0, 1)


def test_what_was_under_way_in_a_backup_goes_back_to_the_baseline(running):
    deliveries, id_ = running
    assert back_to_baseline(deliveries, "cli:test", "restored") == [id_]
    assert (deliveries.status(id_).state, deliveries.status(id_).share) == (State.ROLLED_BACK, 0.0)
    assert back_to_baseline(deliveries, "cli:test", "restored") == []

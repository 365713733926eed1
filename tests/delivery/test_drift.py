"""What the traffic does against what was decided, over a switch in memory; the real ones are in tests/services."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from core.delivery import (
    LEASE,
    Action,
    Command,
    Deliveries,
    Monitor,
    State,
    Status,
    read_switch,
    restore_switch,
)
from core.delivery import drift as drift_module
from core.delivery.drift import watch_switch
from core.settings import Settings
from core.store import Fenced, Tx, current_lease, schema, verify_log
from core.traffic import FlagService, SwitchError, SwitchState
from tests.delivery.acting import OneDeployment, open_store, plan


class Balancer:
    """A load balancer in memory: does what it is told by whoever comes last, and can be told by others, too.

    `checks`: asks first what is committed, as the real ones do.
    """

    name, watched = "balancer", True
    checks = False

    def __init__(self, flags: FlagService) -> None:
        self.flags = flags
        self.share, self.restart, self.problem = 0.0, 0.0, ""
        self.before_set = lambda: None
        self.sets: list[float] = []

    def check(self, flag: str, share: float) -> None:
        pass

    def set(self, flag: str, share: float, revision: int) -> None:
        self.before_set()
        if self.checks:
            self.flags.set(flag, share, revision)
        if self.problem:
            raise SwitchError(self.problem)
        self.share = self.restart = share
        self.sets.append(share)

    def get(self, flag: str) -> SwitchState:
        if self.problem:
            raise SwitchError(self.problem)
        return SwitchState(flag, self.share, None, self.name, restart=self.restart)

    def evaluate(self, flag: str, key: str) -> object:
        return self.flags.evaluate(flag, key)


class Scene(OneDeployment):
    def __init__(self, home: Path) -> None:
        self.store = open_store(home)
        self.flags = FlagService(self.store)
        self.balancer = Balancer(self.flags)
        self.deliveries = Deliveries(self.store, self.balancer)
        self.id = self.deliveries.create(plan(), "cli:test").id
        self.do(Action.START)

    def do(self, action: Action, deployment: str | None = None) -> Status:
        outcome = self.deliveries.command(deployment or self.id, Command(action, "cli:test", "because"))
        assert outcome.refusal is None
        return outcome.status

    def watch(self) -> bool:
        return watch_switch(self.deliveries, "analyzer", lambda _: None)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    assert verify_log(made.store).ok
    made.flags.close()
    made.store.close()


def test_all_is_well(scene: Scene) -> None:
    before = scene.kinds()
    assert scene.watch()
    assert scene.kinds() == before
    reading = read_switch(scene.deliveries, "analyzer")
    assert (reading.share, reading.problem, reading.seen.share) == (0.01, "", 0.01)


@pytest.mark.parametrize(("share", "restart"), [(0.5, 0.5), (0.5, 0.01), (0.01, 0.5), (0.0, 0.5)])
def test_more_than_was_decided_now_or_after_a_restart_is_put_right(scene: Scene, share: float, restart: float) -> None:
    scene.balancer.share, scene.balancer.restart = share, restart
    assert scene.watch()
    assert (scene.balancer.share, scene.balancer.restart) == (0.01, 0.01)
    assert scene.status.state is State.RUNNING
    assert scene.kinds()[-3:] == ["switch drifted", "incident opened", "traffic switched"]


@pytest.mark.parametrize(("share", "restart"), [(0.0, 0.0), (0.0, 0.01), (0.01, 0.0)])
def test_less_is_left_alone_and_holds(scene: Scene, share: float, restart: float) -> None:
    scene.balancer.share, scene.balancer.restart = share, restart
    for _ in range(3):
        assert scene.watch()
    assert (scene.balancer.share, scene.balancer.restart) == (share, restart)
    assert scene.status.state is State.HOLDING
    assert scene.kinds()[-3:] == ["switch drifted", "incident opened", "held"]
    assert scene.open_causes() == ["switch drifted"]


def test_after_a_rollback_nobody_brings_the_candidate_back(scene: Scene) -> None:
    scene.do(Action.ROLL_BACK)
    scene.balancer.share = 1.0
    scene.watch()
    assert scene.balancer.share == 0.0


def test_after_completion_less_is_told_and_a_person_sets_it_anew(scene: Scene) -> None:
    for _ in range(3):
        scene.do(Action.ADVANCE)
    scene.balancer.share = 0.0
    scene.watch()
    assert (scene.status.state, scene.balancer.share) == (State.COMPLETED, 0.0)
    assert restore_switch(scene.deliveries, "analyzer", "cli:test", "the balancer was replaced")
    assert scene.balancer.share == 1.0
    assert scene.open_causes() == []
    assert scene.kinds()[-3:] == ["switch set anew", "incident closed", "traffic switched"]
    with pytest.raises(LookupError, match="no deployment of flag 'other' has begun"):
        restore_switch(scene.deliveries, "other", "cli:test", "because")


def test_an_incident_closes_when_it_has_been_well_for_a_while(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.balancer.share = 0.5
    scene.watch()
    scene.watch()
    assert scene.open_causes() == ["switch drifted"]
    monkeypatch.setattr(drift_module, "CALM_S", -1.0)
    scene.watch()
    assert scene.open_causes() == []


def test_what_cannot_be_read_is_one_incident_until_it_can(scene: Scene) -> None:
    scene.balancer.problem = "connection refused"
    assert not scene.watch()
    assert not scene.watch()
    assert scene.open_causes() == ["switch unreadable"]
    assert scene.kinds().count("switch unreadable") == 1
    scene.balancer.problem = ""
    assert scene.watch()
    assert scene.open_causes() == []


def test_what_is_on_its_way_is_no_drift(scene: Scene) -> None:
    scene.balancer.problem = "connection refused"
    scene.do(Action.ADVANCE)
    before = scene.kinds()
    assert scene.watch()
    assert read_switch(scene.deliveries, "analyzer") is None
    assert scene.kinds() == before


def test_one_that_was_decided_meanwhile_is_not_undone(scene: Scene) -> None:
    """Somebody advances between our reading of the switch and our transaction."""
    real, done = scene.balancer.get, []

    def get(flag: str) -> SwitchState:
        seen = real(flag)
        if not done:
            done.append(True)
            scene.do(Action.ADVANCE)
            return SwitchState(flag, 0.5, None, "balancer")
        return seen

    scene.balancer.get = get  # type: ignore[method-assign]
    before = scene.kinds()
    assert scene.watch()
    assert scene.kinds() == [*before, "phase started", "traffic switched"]
    assert scene.balancer.share == 0.1


def test_a_fenced_monitor_changes_nothing(scene: Scene) -> None:
    def fence(tx: Tx) -> None:
        raise Fenced("the lease is gone")

    scene.balancer.share, before = 0.5, scene.kinds()
    with pytest.raises(Fenced):
        watch_switch(scene.deliveries, "analyzer", fence)
    assert (scene.balancer.share, scene.kinds()) == (0.5, before)


def test_who_sets_late_what_was_decided_early_sets_the_last_decision_after_it(scene: Scene) -> None:
    """A process stands still between its decision and the switch, and wakes up after somebody else's rollback."""
    inside, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        scene.balancer.before_set = lambda: None
        inside.set()
        assert go_on.wait(20)

    scene.balancer.before_set = stand_still
    late = threading.Thread(target=scene.do, args=(Action.ADVANCE,))
    late.start()
    assert inside.wait(20)
    scene.do(Action.ROLL_BACK)
    go_on.set()
    late.join(20)
    assert scene.balancer.sets[-3:] == [0.0, 0.1, 0.0]
    assert not scene.status.needs_switch
    assert scene.open_causes() == []


def test_a_later_deployment_closes_what_an_earlier_one_left_open(scene: Scene) -> None:
    scene.balancer.problem = "connection refused"
    scene.do(Action.ROLL_BACK)
    scene.balancer.problem = ""
    later = scene.deliveries.create(plan(), "cli:test")
    scene.do(Action.START, later.id)
    assert scene.open_causes() == ["switch failed"]
    scene.balancer.checks = True
    assert not scene.deliveries.reconcile(scene.id)  # the later one decides
    assert "switch superseded" in scene.kinds()
    scene.watch()
    assert (scene.balancer.share, scene.open_causes()) == (0.01, [])


def test_a_monitor_that_waits_for_a_switch_keeps_its_lease(scene: Scene, tmp_path: Path) -> None:
    monitor = Monitor(scene.deliveries, Settings(home=tmp_path, lease_s=60.0), holder="first")
    monitor.tick()
    scene.balancer.problem = "no answer"
    scene.do(Action.ADVANCE)
    left: list[float] = []

    def look() -> None:
        with scene.store.read() as connection:
            left.append(current_lease(connection, LEASE).expires - time.time())

    scene.balancer.before_set = look
    with scene.store.transaction() as tx:
        tx.connection.execute(update(schema.lease).values(expires=time.time() + 30.0))
    assert monitor.tick().led
    assert left[0] > 50.0

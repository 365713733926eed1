"""The monitor on a real disk that is full: what protects learners is still decided, by itself, and the rest waits."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.delivery import State, checkpoints
from core.delivery import monitor as monitor_module
from core.delivery.monitor import Monitor
from core.settings import Settings
from core.store import (
    Clock,
    StoreUnavailable,
    Trouble,
    acquire_lease,
    current_lease,
    events,
    give_up_reserve,
    keep_reserve,
    reserve,
)
from tests.delivery.acting import audit
from tests.delivery.test_monitor import STOPPED, Scene
from tests.disks import fill

pytestmark = pytest.mark.sqlite


@pytest.fixture
def scene(small_disk: Path) -> Iterator[Scene]:
    made = Scene(small_disk)
    yield made
    made.store.close()


def fill_up(scene: Scene, home: Path) -> Path:
    """Fill the disk, and let the monitor's lease run out on it: nothing can be written any more."""
    assert keep_reserve(home)
    scene.monitor.settings = Settings(home=home, tick_s=0.1, lease_s=1.0)
    scene.monitor.tick()
    filler = fill(home)
    for _ in range(500):  # the journal has some room to be used again
        try:
            scene.monitor.tick()
        except StoreUnavailable:
            break
    else:
        pytest.fail("the disk is not full")
    fill(home)
    with scene.store.read() as connection:
        lease = current_lease(connection, "monitor")
    assert lease is not None
    time.sleep(max(0.0, lease.expires - time.time()) + 0.01)
    with pytest.raises(StoreUnavailable) as refused:
        scene.monitor.tick()
    assert refused.value.trouble is Trouble.FULL
    return filler


def pass_time(scene: Scene, until: float) -> None:
    """Move this process's clock on, which needs no disk."""
    scene.store._keep(Clock(time.time(), scene.begin + until, STOPPED))


def test_a_breach_rolls_back_by_itself_long_after_the_disk_was_full(scene, small_disk):
    scene.go(60)
    scene.push(210, errors=0.2)  # arrived just before the disk was full, with a checkpoint due at 120 s
    fill_up(scene, small_disk)
    pass_time(scene, 210)
    scene.monitor.tick()
    assert (scene.status.state, scene.status.share) == (State.ROLLED_BACK, 0.0)
    assert not scene.status.needs_switch  # read back, and that recorded, too
    assert scene.deliveries.switch.get("analyzer").share == 0.0


def test_a_breach_rolls_back_though_the_switch_can_not_be_recorded_either(scene, small_disk):
    scene.go(60)
    scene.push(210, errors=0.2)
    fill_up(scene, small_disk)
    give_up_reserve(small_disk)
    with scene.store.transaction() as tx:  # as if the disk had been full since the start was decided
        scene.deliveries._set_again(tx, scene.status)
    assert scene.status.needs_switch
    fill(small_disk)
    pass_time(scene, 210)
    scene.monitor.tick()
    assert (scene.status.state, scene.status.share) == (State.ROLLED_BACK, 0.0)


def test_what_others_could_write_meanwhile_does_not_cost_the_lead(scene, small_disk):
    scene.go(60)
    scene.push(210, errors=0.2)
    fill_up(scene, small_disk)
    give_up_reserve(small_disk)
    scene.push(240, errors=0.2)  # so that the store of this process is well again
    assert scene.store.trouble is None
    fill(small_disk)
    pass_time(scene, 210)
    assert scene.monitor.tick().led
    assert scene.status.state is State.ROLLED_BACK
    with scene.store.read() as connection:
        assert [e.kind for e in events(connection)].count("monitor took over") == 0


def test_no_checkpoint_is_passed_over_for_one_that_could_not_be_recorded(scene, small_disk, monkeypatch):
    scene.go(60)
    scene.push(270)
    record, refused = scene.monitor._record_checkpoint, []

    def once(status, number, *rest):
        if not refused:
            refused.append(number)
            raise StoreUnavailable("the disk is full", Trouble.FULL)
        return record(status, number, *rest)

    monkeypatch.setattr(scene.monitor, "_record_checkpoint", once)
    scene.set(scene.begin + 270)  # two are due
    scene.monitor.tick()
    assert scene.status.checkpoints_done == 0
    scene.monitor.tick()
    with scene.store.read() as connection:
        assert [c.number for c in checkpoints(connection, scene.id)] == [0, 1]
    assert refused == [0]


def test_silence_holds_and_then_rolls_back_though_nothing_else_can_be_written(scene, small_disk):
    scene.go(60)
    filler = fill_up(scene, small_disk)
    pass_time(scene, 180)
    scene.monitor.tick()
    assert scene.status.state is State.HOLDING
    fill(small_disk)  # others take what the decision left of its room
    pass_time(scene, 800)
    scene.monitor.tick()
    assert (scene.status.state, scene.status.share) == (State.ROLLED_BACK, 0.0)
    filler.unlink()
    scene.monitor.tick()
    assert audit(scene.deliveries) == (0, 0)


def test_nothing_else_is_decided_on_a_full_disk_and_all_of_it_afterwards(scene, small_disk):
    scene.go(60)
    scene.push(210)
    filler = fill_up(scene, small_disk)
    for second in (120, 150, 210):
        pass_time(scene, second)
        with pytest.raises(StoreUnavailable):
            scene.monitor.tick()
    assert (scene.status.state, scene.status.checkpoints_done) == (State.RUNNING, 0)
    filler.unlink()
    scene.monitor.tick()
    scene.go(240)
    with scene.store.read() as connection:
        assert [c.number for c in checkpoints(connection, scene.id)] == [0, 1]
    assert scene.status.share == 0.1
    assert audit(scene.deliveries) == (0, 0)


def test_a_monitor_that_was_followed_by_another_one_does_nothing_on_a_full_disk(scene, small_disk):
    scene.go(60)
    scene.push(210, errors=0.2)
    filler = fill_up(scene, small_disk)
    filler.unlink()
    assert acquire_lease(scene.store, "monitor", "second", 60.0) is not None
    fill(small_disk)
    pass_time(scene, 210)
    assert scene.monitor.tick().led is False
    assert scene.status.state is State.RUNNING


def test_the_room_is_given_up_in_steps_and_set_aside_again(small_disk):
    assert keep_reserve(small_disk)
    filler = fill(small_disk)
    assert give_up_reserve(small_disk)
    left = (small_disk / "reserve").stat().st_size
    fill(small_disk)
    assert not keep_reserve(small_disk)
    assert (small_disk / "reserve").stat().st_size == left > 0
    while give_up_reserve(small_disk):
        pass
    assert (small_disk / "reserve").stat().st_size == 0
    filler.unlink()
    assert keep_reserve(small_disk)
    assert (small_disk / "reserve").stat().st_size > left


def test_a_monitor_in_a_process_of_its_own_is_held_to_the_same(scene, small_disk):
    scene.go(60)
    fill_up(scene, small_disk)
    late = Monitor(scene.deliveries, Settings(home=small_disk, lease_s=60.0), holder="second")
    with pytest.raises(StoreUnavailable):  # it can't take the lease, so that it doesn't act
        late.tick()


def test_the_room_is_set_aside_again_while_the_monitor_runs(scene, small_disk, monkeypatch):
    monkeypatch.setattr(monitor_module, "KEEP_HOUSE_EVERY_S", 0.0)
    scene.monitor.tick()
    assert (small_disk / "reserve").stat().st_size == reserve.SIZE

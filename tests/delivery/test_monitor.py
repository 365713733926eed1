"""The monitor over a real store, its clock stopped and moved by hand."""

import threading
import time

import pytest

from core.delivery import Action, Command, State, checkpoints, drills, incidents, latest_verdict, parse_plan
from core.delivery import monitor as monitor_module
from core.delivery.judge import judge
from core.delivery.monitor import Monitor
from core.settings import Settings
from core.store import Clock, Sample, add_samples, current_lease, histogram
from tests.delivery.acting import OneDeployment, audit, open_deliveries, plan

pytestmark = pytest.mark.usefixtures("database")

STOPPED = 1e-9  # speed of a clock that stands still for the length of a test


class Scene(OneDeployment):
    """A deployment that has been started, a monitor, and a hand on the clock."""

    def __init__(self, home):
        self.deliveries = open_deliveries(home)
        self.store = self.deliveries.store
        self.at = self.begin = float(int(time.time()))
        self.set(self.begin)
        self.monitor = Monitor(self.deliveries, Settings(home=home, lease_s=60.0), holder="first")
        status = self.deliveries.create(plan(), "cli:test")
        self.id = status.id
        self.deliveries.command(self.id, Command(Action.START, "cli:test", "try it"))
        self.pushed = 0
        self.monitor.tick()

    def set(self, at):
        self.at = at
        self.store.set_clock(Clock(time.time(), at, STOPPED))

    def push(self, until, errors=0.0, versions=("fast", "original"), requests=400):
        """Fill every span from the last one pushed up to `until` seconds after the start."""
        samples = []
        while self.begin + self.pushed + 30 <= self.begin + until:
            for version in versions:
                bad = round(errors * requests) if version == "fast" else 0
                latency = histogram.encode(histogram.counts_of([20.0] * requests))
                ident = f"{version}-{self.pushed}"
                start = self.begin + self.pushed
                samples.append(Sample(ident, start, 30.0, version, requests=requests, errors=bad, latency=latency))
            self.pushed += 30
        with self.store.transaction() as tx:
            add_samples(tx.connection, "analyzer", samples)

    def go(self, until, tick=True, **kwargs):
        """Push samples and tick every 30 s, up to `until` seconds after the start."""
        for second in range(int(self.at - self.begin) + 30, until + 1, 30):
            self.push(second, **kwargs)
            self.set(self.begin + second)
            if tick:
                self.monitor.tick()
        return self.status


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.store.close()


def test_a_healthy_candidate_gets_all_the_traffic(scene):
    assert scene.go(210).share == 0.01
    assert scene.go(240).share == 0.1
    assert scene.go(480).share == 1.0
    assert scene.go(660).state is State.COMPLETED
    with scene.store.read() as connection:
        judged = [(c.phase, c.number) for c in checkpoints(connection, scene.id)]
        assert incidents(connection) == []
    assert judged == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert scene.kinds().count("traffic switched") == 3


def test_a_broken_candidate_is_rolled_back_and_the_rollback_is_proved(scene):
    status = scene.go(240, errors=0.2)
    assert (status.state, status.share) == (State.ROLLED_BACK, 0.0)
    assert "error rate 20 %" in status.why
    with scene.store.read() as connection:
        assert len(incidents(connection, open_only=True)) == 1
    decided = status.rolled_back_at - scene.begin
    assert 120 <= decided <= 150
    status = scene.go(360, versions=("original",))
    assert status.verification == "verified"
    with scene.store.read() as connection:
        (drill,) = drills(connection)
    assert not drill.by_person
    assert drill.verified_plan_s is not None
    assert 60 <= drill.verified_plan_s <= 180


def test_a_draft_does_not_keep_a_completed_candidate_that_breaks(scene):
    assert scene.go(660).state is State.COMPLETED
    scene.deliveries.create(plan(), "cli:test")
    status = scene.go(900, errors=0.3)
    assert (status.state, status.share) == (State.ROLLED_BACK, 0.0)


def test_requests_that_still_reach_the_candidate_spoil_the_proof(scene):
    scene.go(150, errors=0.2)
    assert scene.status.state is State.ROLLED_BACK
    assert scene.go(210).verification == ""
    assert scene.go(300, versions=("original",)).verification == "verified"


def test_without_traffic_evaluations_stand_in(scene):
    scene.deliveries.command(scene.id, Command(Action.ROLL_BACK, "cli:test", "no traffic at all"))
    scene.set(scene.begin + 600)
    scene.monitor.tick()
    assert scene.status.verification == "unverified"
    with scene.store.read() as connection:
        (drill,) = drills(connection)
    assert "300 of 300 flag evaluations" in drill.unverified


def test_traffic_that_ends_before_it_proves_anything_is_no_traffic(scene):
    scene.deliveries.command(scene.id, Command(Action.ROLL_BACK, "cli:test", "just in time"))
    assert scene.go(60, versions=("original",), requests=5).verification == ""
    scene.set(scene.begin + 360)
    scene.monitor.tick()
    assert scene.status.verification == "unverified"
    with scene.store.read() as connection:
        (drill,) = drills(connection)
    assert "no traffic after 10 requests; 300 of 300" in drill.unverified


def test_catching_up_skips_no_checkpoint(scene):
    scene.go(630, tick=False)
    scene.monitor.tick()
    # The canary's two checkpoints are judged as of their own time, and the first phase's end is acted upon now.
    with scene.store.read() as connection:
        judged = [(c.phase, c.number, c.at - scene.begin) for c in checkpoints(connection, scene.id)]
    assert judged == [(0, 0, 120.0), (0, 1, 240.0)]
    assert scene.status.share == 0.1
    assert scene.status.phase_started == pytest.approx(scene.begin + 630)


def test_a_breach_that_came_and_went_while_nobody_watched_is_seen(scene):
    scene.push(150, errors=0.2)
    scene.go(210, tick=False)
    scene.monitor.tick()
    assert scene.status.state is State.ROLLED_BACK


def test_what_is_known_since_a_phase_ended_well_decides_whether_it_goes_on(scene):
    scene.go(240, tick=False)
    scene.push(480, errors=0.5)
    scene.set(scene.begin + 480)
    scene.monitor.tick()
    assert (scene.status.state, scene.status.share) == (State.ROLLED_BACK, 0.0)
    assert "checkpoint judged" in scene.kinds()


def test_a_phase_that_ended_well_before_its_source_died_does_not_go_on(scene, tmp_path):
    scene.go(210)
    scene.push(240)
    scene.monitor._release()
    scene.set(scene.begin + 1500)
    second = Monitor(scene.deliveries, Settings(home=tmp_path, lease_s=60.0), holder="second")
    second.tick()
    assert (scene.status.state, scene.status.share) == (State.RUNNING, 0.01)
    scene.set(scene.begin + 1500 + 91)
    second.tick()
    assert scene.status.state is State.HOLDING


def test_a_person_who_acts_between_two_missed_checkpoints_ends_the_catching_up(scene, monkeypatch):
    scene.go(300, tick=False)
    seen = []

    def judged(*args, **kwargs):
        verdict = judge(*args, **kwargs)
        seen.append(verdict.at - scene.begin)
        if verdict.at - scene.begin == 120.0:
            scene.deliveries.command(scene.id, Command(Action.ADVANCE, "cli:test", "we have seen enough"))
        return verdict

    monkeypatch.setattr("core.delivery.monitor.judge", judged)
    scene.monitor.tick()
    # What was judged of the canary says nothing of the ramp: it is at its beginning, with all of its checkpoints ahead.
    assert (scene.status.phase, scene.status.checkpoints_done) == (1, 0)
    with scene.store.read() as connection:
        assert checkpoints(connection, scene.id) == []
    monkeypatch.undo()
    assert scene.go(420).checkpoints_done == 1


def test_a_source_that_stops_holds_then_rolls_back(scene):
    scene.go(60)
    scene.set(scene.begin + 60 + 91)
    scene.monitor.tick()
    assert scene.status.state is State.HOLDING
    scene.set(scene.begin + 60 + 601)
    scene.monitor.tick()
    assert scene.status.state is State.ROLLED_BACK
    assert "no sample" in scene.status.why


def test_ticks_that_outlast_the_lease_do_not_make_silence_begin_anew(scene):
    scene.go(60)
    for second in range(90, 720, 30):
        scene.set(scene.begin + second)
        with scene.store.transaction() as tx:
            tx.connection.exec_driver_sql("UPDATE lease SET expires = 0")
        assert not scene.monitor.tick().led
        assert scene.monitor.tick().led
    assert scene.status.state is State.ROLLED_BACK
    assert "monitor took over" not in scene.kinds()


def test_silence_while_nobody_listened_is_not_held_against_the_candidate(scene, tmp_path):
    scene.go(60)
    scene.monitor._release()
    scene.set(scene.begin + 2000)
    second = Monitor(scene.deliveries, Settings(home=tmp_path, lease_s=60.0), holder="second")
    second.tick()
    assert "monitor took over" in scene.kinds()
    # Nor is it to the candidate's credit: the phase's end is long past, but there is nothing fresh to go on.
    assert (scene.status.state, scene.status.share) == (State.RUNNING, 0.01)
    scene.set(scene.begin + 2100)
    second.tick()
    assert scene.status.state is State.HOLDING


def test_the_end_of_an_extension_is_a_checkpoint_of_its_own(scene):
    scene.go(240, requests=20)
    assert scene.status.state is State.HOLDING
    scene.deliveries.command(scene.id, Command(Action.RESUME, "cli:test", "more data", extend_s=240.0))
    assert scene.go(480, requests=400).share == 0.1
    with scene.store.read() as connection:
        judged = [(c.number, c.at - scene.begin, str(c.verdict.state)) for c in checkpoints(connection, scene.id)]
    assert judged == [(0, 120.0, "collecting"), (1, 240.0, "inconclusive"), (2, 480.0, "pass")]
    assert audit(scene.deliveries) == (0, 0)


def test_a_deployment_that_cannot_be_judged_is_an_incident_and_keeps_nobody_waiting(scene, monkeypatch):
    other_text = plan().text.replace("flag: analyzer", "flag: another")
    other = scene.deliveries.create(parse_plan(other_text, "other.yaml"), "cli:test")
    scene.deliveries.command(other.id, Command(Action.START, "cli:test", "try it"))
    real = monitor_module.judge

    def judge(plan, *args, **kwargs):
        if plan.flag == "another":
            raise ZeroDivisionError("float division by zero")
        return real(plan, *args, **kwargs)

    monkeypatch.setattr(monitor_module, "judge", judge)
    assert scene.go(240).share == 0.1
    with scene.store.read() as connection:
        (incident,) = incidents(connection, other.id, open_only=True)
    assert "ZeroDivisionError" in incident.summary


def test_a_stall_of_our_own_is_no_silence_of_the_source_but_only_once(scene):
    scene.store.set_clock(Clock(time.time(), scene.begin, 40.0))
    scene.monitor._heard_since = scene.begin - 1000
    live = [scene.status]
    scene.monitor._excuse_a_stall(2.0, live)
    assert scene.monitor._heard_since == scene.begin - 1000
    scene.monitor._excuse_a_stall(3.0, live)
    excused = scene.monitor._heard_since
    assert excused >= scene.begin
    scene.monitor._excuse_a_stall(3.0, live)
    assert scene.monitor._heard_since == excused


def test_only_the_leader_acts_and_a_fenced_one_stops(scene, tmp_path):
    other = Monitor(scene.deliveries, Settings(home=tmp_path, lease_s=60.0), holder="other")
    assert not other.tick().led
    with scene.store.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE lease SET expires = 0")
    assert other.tick().led
    scene.push(240, errors=0.2)
    scene.set(scene.begin + 240)
    assert not scene.monitor.tick().led
    assert scene.status.state is State.RUNNING
    assert other.tick().led
    assert scene.status.state is State.ROLLED_BACK


def test_the_latest_verdict_and_the_beat_are_kept_for_the_pages(scene):
    scene.go(120)
    with scene.store.read() as connection:
        verdict = latest_verdict(connection, scene.id)
        lease = current_lease(connection, "monitor")
    assert verdict is not None
    assert verdict.criteria[0].trials == 1600
    assert lease is not None
    assert time.time() - lease.beat < 30


def test_a_tick_that_fails_does_not_end_the_monitor(scene, monkeypatch, caplog):
    ticks = []

    def tick(late_s):
        ticks.append(late_s)
        if len(ticks) == 1:
            raise RuntimeError("the disk is full")
        if len(ticks) == 3:
            stop.set()

    stop = threading.Event()
    monkeypatch.setattr(scene.monitor, "tick", tick)
    monkeypatch.setattr(scene.monitor, "period", lambda: 0.01)
    runner = threading.Thread(target=scene.monitor.run, args=(stop,))
    runner.start()
    runner.join(10)
    assert not runner.is_alive()
    assert len(ticks) == 3
    assert "the disk is full" in caplog.text


def test_a_scheduled_deployment_starts_at_its_time(tmp_path):
    deliveries = open_deliveries(tmp_path)
    store = deliveries.store
    store.set_clock(Clock(time.time(), 1_000_000.0, STOPPED))
    text = plan().text.replace("    lasts: 4 min\n", "    starts: 1970-01-12 14:00 UTC\n    lasts: 4 min\n", 1)
    status = deliveries.create(parse_plan(text, "p"), "cli:test")
    outcome = deliveries.command(status.id, Command(Action.START, "cli:test", "as planned"))
    assert outcome.status.state is State.SCHEDULED
    monitor = Monitor(deliveries, Settings(home=tmp_path, lease_s=60.0))
    monitor.tick()
    assert deliveries.status(status.id).state is State.SCHEDULED
    store.set_clock(Clock(time.time(), 1_000_000.0 + 20_000, STOPPED))
    monitor.tick()
    assert deliveries.status(status.id).share == 0.01
    store.close()

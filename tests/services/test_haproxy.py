"""HAProxy as the traffic switch: shares, rollback under load, restart, a socket that is dead or hangs, drift."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.delivery import Action, Command, Deliveries, Monitor, State, Status, parse_plan
from core.delivery import monitor as monitor_module
from core.settings import Settings
from core.store import Store
from core.traffic import SwitchError, open_flags, open_switch
from tests.delivery.acting import PLAN_TEXT, OneDeployment
from tests.services.haproxy import HAPROXY, Backend, Haproxy, Load, ask, ask_all

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="needs haproxy")

LEARNERS = [f"learner-{n}" for n in range(600)] + ["ümläut", "a,b", "x" * 200, "7"]
LATER = PLAN_TEXT.replace("lasts: 4 min", "lasts: 400 min").replace("[2 min, 4 min]", "[400 min]")
PLAN = LATER.replace("  - name: rollout", "  - name: half\n    traffic: 50 %\n    lasts: 400 min\n"
    "    checkpoints: [400 min]\n    criteria: [error_rate < 1 %]\n  - name: rollout")  # fmt: skip


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[Backend, Backend]]:
    pair = Backend("original"), Backend("fast")
    yield pair
    for backend in pair:
        backend.close()


@pytest.fixture
def haproxy(tmp_path: Path, root: Path, free_port: int, backends: tuple[Backend, Backend]) -> Iterator[Haproxy]:
    made = Haproxy(tmp_path, root / "docs" / "haproxy.md", free_port, backends[0].port, backends[1].port)
    made.start()
    yield made
    made.stop(signal.SIGKILL)


class Scene(OneDeployment):
    """A deployment whose traffic HAProxy carries."""

    def __init__(self, home: Path, *haproxies: Haproxy, **settings: object) -> None:
        self.settings = Settings(
            home=home,
            switch="haproxy",
            haproxy_sockets=tuple(h.socket for h in haproxies),
            haproxy_map=str(haproxies[0].map),
            switch_timeout_s=0.4,
            lease_s=60.0,
            **settings,
        )
        self.store = Store.open(self.settings.url, home)
        self.flags = open_flags(self.settings, self.store)
        self.switch = open_switch(self.settings, self.flags)
        self.deliveries = Deliveries(self.store, self.switch)
        self.id = self.deliveries.create(parse_plan(PLAN, "plan.yaml"), "cli:test").id
        self.monitor = Monitor(self.deliveries, self.settings, holder="test")

    def do(self, action: Action, **kwargs: object) -> Status:
        outcome = self.deliveries.command(self.id, Command(action, "cli:test", "because", **kwargs))
        assert outcome.refusal is None
        self.switched, self.note = outcome.switched, outcome.note
        return outcome.status

    def close(self) -> None:
        self.flags.close()
        self.store.close()


@pytest.fixture
def scene(home: Path, haproxy: Haproxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(monitor_module, "SWITCH_EVERY_S", 0.0)
    monkeypatch.setattr(monitor_module, "SWITCH_RETRY_S", (0.0, 0.0))
    made = Scene(home, haproxy)
    yield made
    made.close()


def test_each_share_reaches_the_learners_that_the_flag_service_says_and_holds_the_last(
    scene: Scene, haproxy: Haproxy
) -> None:
    before: set[str] = set()
    assert {answer.version for answer in ask_all(LEARNERS, haproxy.port)} == {"original"}
    for per_cent, action in ((1, Action.START), (10, Action.ADVANCE), (50, Action.ADVANCE), (100, Action.ADVANCE)):
        scene.do(action)
        assert scene.switched, scene.note
        answers = ask_all(LEARNERS, haproxy.port)
        assert [answer for answer in answers if answer.problem] == []
        now = {answer.learner for answer in answers if answer.version == "fast"}
        assert now == {learner for learner in LEARNERS if scene.flags.evaluate("analyzer", learner).value == "fast"}
        assert now == {learner for learner in LEARNERS if scene.switch.evaluate("analyzer", learner).value == "fast"}
        assert before <= now
        expected = len(LEARNERS) * per_cent / 100
        assert abs(len(now) - expected) <= 4.5 * (expected * (1 - per_cent / 100)) ** 0.5
        assert haproxy.map.read_text() == f"# written by the tests\nother 3\nanalyzer {per_cent}\n"
        before = now
    assert [answer.version for answer in ask([""], haproxy.port)] == ["original"]  # nobody known: the safe side
    scene.do(Action.ROLL_BACK)
    assert {answer.version for answer in ask_all(LEARNERS, haproxy.port)} == {"original"}


def test_a_rollback_under_load_fails_no_request_and_none_reaches_the_candidate_after_the_read_back(
    scene: Scene, haproxy: Haproxy
) -> None:
    scene.do(Action.START)
    scene.do(Action.ADVANCE)
    scene.do(Action.ADVANCE)
    with Load(LEARNERS, haproxy.port) as load:
        load.wait_for(1500)
        scene.do(Action.ROLL_BACK)
        read_back = time.monotonic()
        load.wait_for(1500)
    assert scene.switched
    assert [answer for answer in load.answers if answer.problem] == []
    assert sum(answer.version == "fast" for answer in load.answers) > 300
    later = [answer for answer in load.answers if answer.started > read_back]
    assert len(later) >= 1000
    assert {answer.version for answer in later} == {"original"}


def test_a_restart_brings_the_same_share_and_a_dead_candidate_falls_back(
    scene: Scene, haproxy: Haproxy, backends: tuple[Backend, Backend]
) -> None:
    scene.do(Action.START)
    scene.do(Action.ADVANCE)
    before = {answer.learner for answer in ask_all(LEARNERS, haproxy.port) if answer.version == "fast"}
    haproxy.stop(signal.SIGKILL)
    haproxy.config.write_text(
        haproxy.config.read_text().replace("level operator", "level admin")
    )  # to disable a server
    with pytest.raises(SwitchError, match=r"can't be reached: (Connection refused|No such file)"):
        scene.switch.get("analyzer")
    haproxy.start()
    state = scene.switch.get("analyzer")
    assert (state.share, state.restart, state.lowest) == (0.1, 0.1, None)
    assert {answer.learner for answer in ask_all(LEARNERS, haproxy.port) if answer.version == "fast"} == before
    disabled = haproxy.runtime._ask("disable server candidate/fast1")
    assert disabled.strip() == ""
    answers = ask_all(LEARNERS, haproxy.port)
    assert {answer.version for answer in answers} == {"original"}
    assert {a.learner for a in answers if a.headers["x-fallback"] == "1"} == before


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["hung", "dead"])
def test_a_rollback_that_haproxy_does_not_confirm_is_an_incident_and_the_monitor_sees_it_through(
    scene: Scene, haproxy: Haproxy, how: signal.Signals
) -> None:
    scene.do(Action.START)
    scene.do(Action.ADVANCE)
    haproxy.send(how)
    status = scene.do(Action.ROLL_BACK)
    assert status.state is State.ROLLED_BACK
    assert not scene.switched
    assert "HAProxy at" in scene.note
    assert "running monitor tries again" in scene.note
    # The safe side: whoever asks the flag gets the baseline, and a restart of HAProxy brings it.
    assert {scene.flags.evaluate("analyzer", learner).value for learner in LEARNERS} == {"original"}
    assert haproxy.map.read_text().endswith("analyzer 0\n")
    scene.monitor.tick()
    assert scene.open_causes() == ["switch failed"]
    assert scene.kinds().count("switch failed") == 1
    if how is signal.SIGSTOP:
        haproxy.send(signal.SIGCONT)
    else:
        haproxy.start()
    scene.monitor.tick()
    assert not scene.status.needs_switch
    assert haproxy.live() == "0"
    assert scene.open_causes() == []
    assert scene.kinds().count("rolled back") == 1


def test_a_share_that_is_not_confirmed_is_not_kept(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    haproxy.send(signal.SIGSTOP)
    scene.do(Action.ADVANCE)
    assert not scene.switched
    assert haproxy.map.read_text().endswith("analyzer 1\n")
    haproxy.send(signal.SIGCONT)
    for _ in range(20):  # a busy machine may let a first try wait for too long
        scene.monitor.tick()
        if not scene.status.needs_switch:
            break
        time.sleep(0.5)
    assert (haproxy.live(), haproxy.map.read_text()[-12:]) == ("10", "analyzer 10\n")


def test_more_traffic_than_decided_is_put_right_and_told(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    scene.monitor.tick()
    haproxy.runtime.put(str(haproxy.map), "analyzer", "50")
    scene.monitor.tick()
    assert haproxy.live() == "1"
    assert scene.open_causes() == ["switch drifted"]
    assert scene.status.state is State.RUNNING
    scene.do(Action.ROLL_BACK)
    haproxy.map.write_text("analyzer 50\n")  # a restart would bring the candidate back, long after
    scene.monitor.tick()
    assert haproxy.map.read_text() == "analyzer 0\n"
    kinds = scene.kinds()
    assert (kinds.count("switch drifted"), kinds.count("incident opened")) == (2, 1)
    scene.monitor.tick()
    assert scene.open_causes() == ["switch drifted"], "open for a while: one that comes and goes is one incident"


def test_less_traffic_than_decided_holds_until_a_person_decides(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    scene.do(Action.ADVANCE)
    haproxy.runtime.put(str(haproxy.map), "analyzer", "0")  # somebody's emergency
    scene.monitor.tick()
    scene.monitor.tick()
    assert scene.status.state is State.HOLDING
    assert "10 % was decided, but HAProxy at" in scene.status.why
    assert haproxy.live() == "0"
    assert scene.kinds().count("switch drifted") == 1
    scene.do(Action.RESUME)
    assert scene.switched
    assert haproxy.live() == "10"
    assert scene.open_causes() == []


def test_a_map_that_cannot_be_read_is_an_incident_of_its_own(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    haproxy.send(signal.SIGSTOP)
    scene.monitor.tick()
    assert scene.open_causes() == ["switch unreadable"]
    haproxy.send(signal.SIGCONT)
    scene.monitor.tick()
    assert scene.open_causes() == []


def test_several_share_the_traffic_and_one_that_is_gone_keeps_no_rollback_from_the_others(
    home: Path, tmp_path: Path, root: Path, haproxy: Haproxy, backends: tuple[Backend, Backend]
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    ports = [Backend("free").port for _ in range(2)]
    second = Haproxy(folder, root / "docs" / "haproxy.md", ports[0] + 1, *(b.port for b in backends), tcp=ports[1] + 1)
    second.config.write_text(second.config.read_text().replace(str(second.map), str(haproxy.map)))
    second.start()
    scene = Scene(home, haproxy, second)
    try:
        scene.do(Action.START)
        assert scene.switched, scene.note
        entries = second.runtime.entries(str(haproxy.map))
        assert entries["analyzer"] == haproxy.live() == "1"
        second.runtime.put(str(haproxy.map), "analyzer", "0")
        state = scene.switch.get("analyzer")
        assert (state.share, state.lowest, state.restart) == (0.01, 0.0, 0.01)
        second.stop(signal.SIGKILL)
        scene.do(Action.ROLL_BACK)
        assert not scene.switched
        assert second.socket in scene.note
        assert haproxy.live() == "0"
    finally:
        second.stop(signal.SIGKILL)
        scene.close()


def _canary(scene: Scene, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "CANARY_SWITCH": "haproxy",
        "CANARY_HAPROXY_SOCKETS": f'["{scene.settings.haproxy_sockets[0]}"]',
        "CANARY_HAPROXY_MAP": scene.settings.haproxy_map,
        "CANARY_SWITCH_TIMEOUT_S": "1.5",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "core.cli", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_the_command_line_rolls_back_with_no_server_running(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    scene.do(Action.ADVANCE)
    process = _canary(scene, "rollback", "--reason", "it hurts")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert haproxy.live() == "0"
    assert "rolled back" in said


def test_who_is_killed_between_commit_and_switch_is_finished_by_the_monitor(scene: Scene, haproxy: Haproxy) -> None:
    scene.do(Action.START)
    haproxy.send(signal.SIGSTOP)
    process = _canary(scene, "advance", "--reason", "on")
    ends = time.monotonic() + 60
    while scene.status.share != 0.1:
        assert time.monotonic() < ends
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=60)
    haproxy.send(signal.SIGCONT)
    assert haproxy.live() == "1"
    scene.monitor.tick()
    assert (haproxy.live(), scene.status.needs_switch) == ("10", False)
    kinds = scene.kinds()
    assert (kinds.count("phase started"), kinds.count("traffic switched")) == (2, 2)


def test_what_haproxy_cannot_do_is_said_when_the_plan_is_deployed(scene: Scene) -> None:
    scene.do(Action.ABORT)
    with pytest.raises(SwitchError, match=r"whole per cents: 0\.5 % can't be set"):
        scene.deliveries.create(parse_plan(PLAN.replace("1 %\n    lasts", "0.5 %\n    lasts"), "plan.yaml"), "x")


def test_a_map_that_haproxy_does_not_know_is_said(scene: Scene, haproxy: Haproxy) -> None:
    haproxy.stop()
    haproxy.map.with_name("other.map").write_text("analyzer 0\n")
    haproxy.config.write_text(haproxy.config.read_text().replace("/canary.map,0", "/other.map,0"))
    haproxy.start()
    scene.do(Action.START)
    assert not scene.switched
    with pytest.raises(SwitchError, match=r"Unknown map identifier.*write the setting haproxy_map as it stands"):
        scene.switch.set("analyzer", 0.01, scene.status.revision)


def test_a_map_file_that_cannot_be_written_is_told_and_the_map_is_set_all_the_same(
    scene: Scene, haproxy: Haproxy
) -> None:
    scene.do(Action.START)
    haproxy.map.unlink()
    scene.do(Action.ROLL_BACK)
    assert not scene.switched
    assert "canary.map can't be read" in scene.note
    assert haproxy.live() == "0"

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from core.delivery import Action, State
from core.identity import LOCAL
from core.settings import Settings
from core.store import events
from core.web import actions
from core.web.views.marks import Tone
from tests.web.deployments import PLAN, Rollout, rollout


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rollout]:
    with rollout(tmp_path) as made:
        yield made


def test_a_rollback_is_done_said_and_logged(running: Rollout) -> None:
    told = actions.act(running.deliveries, LOCAL, running.id, Action.ROLL_BACK, "  learners complain ")
    assert told.ok
    assert told.text == "Rolled back: every learner gets original."
    assert running.status.state is State.ROLLED_BACK
    assert running.deliveries.switch.get("analyzer").share == 0.0
    with running.store.read() as connection:
        (event,) = events(connection, kinds=("rolled back",))
    assert (event.actor, event.reason) == ("dashboard", "learners complain")


def test_no_reason_is_a_reason(running: Rollout) -> None:
    actions.act(running.deliveries, LOCAL, running.id, Action.HOLD, "")
    assert running.status.why == "held by hand"


def test_two_browsers_advance_once(running: Rollout) -> None:
    seen = running.status.revision
    assert actions.act(running.deliveries, LOCAL, running.id, Action.ADVANCE, "", revision=seen).ok
    second = actions.act(running.deliveries, LOCAL, running.id, Action.ADVANCE, "", revision=seen)
    assert second.tone is Tone.WATCH
    assert "changed since you looked" in second.text
    assert running.status.share == 0.10


def test_a_page_behind_the_times_still_rolls_back(running: Rollout) -> None:
    assert actions.act(running.deliveries, LOCAL, running.id, Action.ROLL_BACK, "", revision=-5).ok


def test_what_is_so_already_is_no_failure(running: Rollout) -> None:
    actions.act(running.deliveries, LOCAL, running.id, Action.ROLL_BACK, "")
    again = actions.act(running.deliveries, LOCAL, running.id, Action.ROLL_BACK, "")
    assert again.ok
    assert "already" in again.text


def test_what_cannot_be_says_why(running: Rollout) -> None:
    actions.act(running.deliveries, LOCAL, running.id, Action.ROLL_BACK, "")
    told = actions.act(running.deliveries, LOCAL, running.id, Action.RESUME, "")
    assert told.tone is Tone.WATCH
    assert told.text == "Nothing was done: it is rolled back, not holding."
    assert "no deployment" in actions.act(running.deliveries, LOCAL, "nobody", Action.HOLD, "").text


def test_a_resume_may_extend_the_phase(running: Rollout) -> None:
    actions.act(running.deliveries, LOCAL, running.id, Action.HOLD, "")
    actions.act(running.deliveries, LOCAL, running.id, Action.RESUME, "", extend_s=1800.0)
    assert running.status.extended_s == 1800.0


def test_a_second_deployment_of_the_flag_waits(running: Rollout) -> None:
    plan = actions.check(PLAN, "plan.yaml").plan
    assert plan is not None
    assert "finish, abort or roll it back first" in actions.deploy(running.deliveries, LOCAL, plan).text
    actions.act(running.deliveries, LOCAL, running.id, Action.ABORT, "")
    ready = actions.deploy(running.deliveries, LOCAL, plan)
    assert ready.ok
    assert running.deliveries.status(ready.deployment).state is State.DRAFT
    actions.act(running.deliveries, LOCAL, ready.deployment, Action.ABORT, "")
    assert (
        running.deliveries.status(actions.deploy(running.deliveries, LOCAL, plan, start=True).deployment).state
        is State.RUNNING
    )


def test_a_wrong_plan_says_where() -> None:
    checked = actions.check(PLAN.replace("traffic: 1 %", "traffic: 1"), "mine.yaml")
    assert checked.plan is None
    line, field, value, expected = checked.problems[0]
    assert PLAN.splitlines()[int(line) - 1].strip() == "traffic: 1 %"
    assert (field, value) == ("phases[0].traffic", "1")
    assert "percentage" in expected


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "a: [", "\x00", "name: x\nname: y", "x" * (actions.MAX_PLAN_BYTES + 1)]
)
def test_no_text_raises(text: str) -> None:
    checked = actions.check(text, "x.yaml")
    assert checked.plan is None
    assert checked.problems


class _Demo(BaseHTTPRequestHandler):
    fault: str | None = None

    def do_GET(self) -> None:
        self._answer({"fault": _Demo.fault, "faults": [{"fault": "wrong-cohort", "sentence": "It answers wrongly."}]})

    def do_PUT(self) -> None:
        if self.headers["Authorization"] != "Bearer t0ken":
            self.send_error(401)
            return
        _Demo.fault = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["fault"]
        self._answer({"fault": _Demo.fault})

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def demo() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Demo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _Demo.fault = None
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_demo_is_broken_and_mended(demo: str) -> None:
    settings = Settings(demo_url=demo, demo_token="t0ken")
    found = actions.faults(settings)
    assert found is not None
    assert found.key is None
    assert (found.kinds[0].label, found.kinds[0].breaks) == ("Wrong cohort", "It answers wrongly.")
    assert actions.switch_fault(settings, LOCAL, "wrong-cohort").text == "The candidate is broken now: wrong cohort."
    assert _Demo.fault == "wrong-cohort"
    assert actions.switch_fault(settings, LOCAL, None).ok
    assert _Demo.fault is None


def test_a_demo_that_does_not_answer_is_said(demo: str) -> None:
    assert actions.switch_fault(Settings(demo_url=demo, demo_token="other"), LOCAL, "slow").tone is Tone.BAD
    gone = Settings(demo_url="http://127.0.0.1:1", demo_token="t")
    assert actions.switch_fault(gone, LOCAL, "slow").tone is Tone.BAD
    assert actions.faults(gone) is None
    assert actions.faults(Settings()) is None
    assert not actions.switch_fault(Settings(), LOCAL, "slow").ok

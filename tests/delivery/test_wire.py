"""Verdicts as JSON between servers of different versions over one store."""

import json

import pytest

from core.delivery.model import Assigned, FigureState, Finding, Role, Seen, Verdict
from core.delivery.plan import Figure, Guardrail, Limit
from core.delivery.wire import verdict_from_json, verdict_to_json

ERRORS = Limit(Figure.ERROR_RATE, ">", 1.5)
COMPARED = Finding(Role.GUARDRAIL, ERRORS, FigureState.PASS, "fine", guardrail=Guardrail(ERRORS))
SPLIT = Finding(Role.GUARDRAIL, Limit(Figure.SPLIT, "==", 0.1), FigureState.FAIL, "off", p_value=1e-5, alpha=0.001)
TRIGGER = Finding(Role.TRIGGER, ERRORS, FigureState.PASS, "fine")
VERDICT = Verdict(
    "canary", 10.0, 5.0, (), (TRIGGER,), 0.0, 0.0, FigureState.PASS, (COMPARED, SPLIT),
    Assigned(Seen(1, 2, 0), Seen(0, 1, 0), Seen(1, 1, 0), 7.0, known=True),
)  # fmt: skip


@pytest.fixture
def told():
    return json.loads(json.dumps(verdict_to_json(VERDICT)))


def test_a_verdict_comes_back_as_it_was(told):
    assert verdict_from_json(told) == VERDICT


def test_the_split_has_a_key_of_its_own_that_older_servers_pass_over(told):
    assert [f["limit"]["figure"] for f in told["guardrails"]] == ["error_rate"]
    assert told["split"]["limit"]["figure"] == "learner_split"
    # As it was written for a while, before any release.
    assert verdict_from_json(told | {"guardrails": [*told["guardrails"], told["split"]], "split": None}) == VERDICT


def test_what_an_older_server_wrote_is_read(told):
    del told["split"], told["guardrails"], told["assigned"]
    read = verdict_from_json(told)
    assert (read.guardrails, read.split, read.assigned) == ((), None, None)


def test_what_a_later_server_adds_is_passed_over(told):
    later = told["triggers"][0]
    limit = {"figure": "joy", "op": ">", "value": 1.0}
    unknown = [later | {"limit": limit}, later | {"state": "lucky"}, later | {"role": "omen"}]
    told["guardrails"][0]["guardrail"]["colour"] = "red"
    told |= {"criteria": unknown, "triggers": [later | {"colour": "red"}, *unknown], "colour": "red"}
    assert verdict_from_json(told) == VERDICT

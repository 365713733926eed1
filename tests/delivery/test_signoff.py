"""Sign-off: who has to agree, to what, and that nothing moves before they have. Over a real store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import (
    GO,
    NO_GO,
    Action,
    Command,
    PlanError,
    SignOff,
    SignOffRefused,
    State,
    decisions,
    parse_plan,
    sign,
    standing,
    tally,
    withdraw,
)
from core.delivery.gate import Decision, gate_of
from core.store import events
from tests.delivery.acting import PLAN_TEXT
from tests.delivery.test_monitor import Scene

ASKED = "{seats: [engineering, operations, product], quorum: 2}"
TEXT = PLAN_TEXT.replace("\n  - name: ramp", f"\n    sign_off: {ASKED}\n  - name: ramp")


class SignedScene(Scene):
    """A scene whose canary asks for sign-off."""

    def say(self, person: str, seat: str, decision: str = GO, **how: object) -> Decision:
        given_: dict[str, object] = {"comment": "looks well", "actor": f"dashboard:{person}"} | how
        return sign(self.store, self.id, person=person, seats=[seat], decision=decision, **given_)  # type: ignore[arg-type]

    def tally(self) -> str:
        with self.store.read() as connection:
            return str(standing(connection, self.status))

    def last(self, kind: str) -> dict[str, object]:
        with self.store.read() as connection:
            return [e.data for e in events(connection) if e.kind == kind][-1]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignedScene]:
    monkeypatch.setattr("tests.delivery.test_monitor.plan", lambda: parse_plan(TEXT, "short.yaml"))
    made = SignedScene(tmp_path)
    yield made
    made.store.close()


def test_the_gate_opens_by_itself_when_all_who_must_have_agreed(scene: SignedScene) -> None:
    status = scene.go(270)
    assert (status.state, status.share) == (State.ADVANCING, 0.01)
    assert "waits for sign-off by 2 of engineering, operations, product" in status.why
    scene.say("a@b.c", "engineering")
    assert scene.go(300).share == 0.01
    assert scene.tally() == "1 of 2 say go; to decide: operations, product"
    scene.say("b@b.c", "product")
    assert scene.status.share == 0.01  # people decide, the monitor moves
    status = scene.go(330)
    assert (status.state, status.share, status.gate) == (State.RUNNING, 0.1, "")
    kinds = scene.kinds()
    assert kinds.count("sign-off asked for") == 1
    assert kinds.count("signed off") == 2
    assert scene.last("signed off")["person"] == "b@b.c"


def test_nobody_gets_past_it_by_hand(scene: SignedScene) -> None:
    advance = Command(Action.ADVANCE, "cli:x", "I can't wait")
    for until, said in ((120, "can't be left before"), (270, "asks for sign-off by 2 of")):
        scene.go(until)
        refusal = scene.deliveries.command(scene.id, advance).refusal
        assert refusal is not None
        assert said in refusal.reason
    assert scene.status.share == 0.01
    scene.say("a@b.c", "engineering")
    scene.say("b@b.c", "product")
    assert scene.deliveries.command(scene.id, advance).refusal is None
    assert scene.status.share == 0.1


def test_a_no_go_keeps_it_shut_until_it_is_withdrawn(scene: SignedScene) -> None:
    scene.go(270)
    for person, seat in (("a@b.c", "engineering"), ("b@b.c", "operations")):
        scene.say(person, seat)
    scene.say("c@b.c", "product", NO_GO, comment="support is swamped")
    assert scene.go(330).share == 0.01
    assert "product says no-go" in scene.tally()
    withdraw(scene.store, scene.id, person="c@b.c", actor="x", reason="it is quiet again")
    assert scene.go(360).share == 0.1
    assert "sign-off withdrawn" in scene.kinds()


def test_what_was_agreed_to_is_stale_when_a_verdict_changes_and_stays_so(scene: SignedScene) -> None:
    scene.go(270)
    first = scene.status.gate
    scene.say("a@b.c", "engineering", gate=first)
    scene.go(1200, errors=0.014)  # beyond the criterion, under the trigger
    held = scene.status
    assert held.state is State.HOLDING
    assert held.gate != first
    assert held.share == 0.01
    with pytest.raises(SignOffRefused, match="changed since you looked"):
        scene.say("b@b.c", "product", gate=first)
    assert scene.tally().startswith("0 of 2")
    scene.deliveries.command(scene.id, Command(Action.RESUME, "cli:x", "again", extend_s=0.0))
    scene.go(1500)
    with scene.store.read() as connection:
        stale = decisions(connection, scene.id)[0]
    assert not stale.stands_at(scene.status.gate)


def test_leads_may_agree_to_what_was_held_and_a_person_then_advances(scene: SignedScene) -> None:
    scene.go(240, errors=0.012)
    scene.go(270, errors=0.012)
    assert scene.status.state is State.HOLDING
    scene.say("a@b.c", "engineering", comment="known and mended")
    scene.say("b@b.c", "product", comment="same")
    assert scene.go(300, errors=0.012).share == 0.01  # the monitor doesn't: a criterion fails
    assert scene.deliveries.command(scene.id, Command(Action.ADVANCE, "cli:x", "signed")).refusal is None
    assert scene.status.share == 0.1


def test_a_trigger_rolls_back_while_people_think(scene: SignedScene) -> None:
    scene.go(270)
    scene.say("a@b.c", "engineering")
    assert scene.go(600, errors=0.2).state is State.ROLLED_BACK
    with pytest.raises(SignOffRefused, match="rolled back"):
        scene.say("b@b.c", "product")


def test_after_downtime_it_is_still_asked_for(scene: SignedScene) -> None:
    scene.go(210)
    scene.push(900)
    scene.set(scene.begin + 900)
    scene.monitor.tick()
    assert (scene.status.state, scene.status.share) == (State.ADVANCING, 0.01)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"seat": "finance"}, "asks for engineering, operations, product; you hold finance"),
        ({"seat": "", "seats": []}, "you hold none"),
        ({"comment": "  "}, "say why"),
        ({"comment": "x" * 2000}, "at most 1000"),
        ({"decision": "maybe"}, "is no decision"),
        ({"seats": ["engineering", "product"]}, "say for which"),
        ({"seats": ["engineering"], "seat": "product"}, "don't hold"),
        ({"gate": "0" * 64}, "changed since you looked"),
    ],
)
def test_what_is_no_decision(scene: SignedScene, how: dict[str, object], said: str) -> None:
    scene.go(270)
    given_: dict[str, object] = {
        "person": "a@b.c",
        "seats": [how.pop("seat")] if "seat" in how and "seats" not in how else ["engineering"],
        "decision": GO,
        "comment": "well",
        "actor": "x",
    }
    if given_["seats"] == [""]:
        given_["seats"] = []
    how.pop("seat", None) if how.get("seat") == "" else None
    with pytest.raises(SignOffRefused, match=said):
        sign(scene.store, scene.id, **(given_ | how))  # type: ignore[arg-type]
    assert "signed off" not in scene.kinds()


def test_one_person_one_seat_and_one_seat_one_person(scene: SignedScene) -> None:
    with pytest.raises(SignOffRefused, match="still under way"):
        scene.say("a@b.c", "engineering")
    scene.go(270)
    made = scene.say("a@b.c", "engineering")
    assert scene.say("a@b.c", "engineering") == made  # a second click
    assert scene.kinds().count("signed off") == 1
    with pytest.raises(SignOffRefused, match="one person, one seat"):
        scene.say("a@b.c", "product")
    with pytest.raises(SignOffRefused, match=r"a@b\.c said go for engineering"):
        scene.say("z@b.c", "engineering", NO_GO)
    with pytest.raises(SignOffRefused, match="nothing here"):
        withdraw(scene.store, scene.id, person="z@b.c", actor="x", reason="")


def test_many_who_click_at_once_make_one_decision_a_seat(scene: SignedScene) -> None:
    scene.go(270)
    errors: list[str] = []

    def click(person: str) -> None:
        try:
            scene.say(person, "engineering")
        except SignOffRefused as error:
            errors.append(str(error))

    threads = [threading.Thread(target=click, args=(f"p{n}@b.c",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with scene.store.read() as connection:
        assert len(decisions(connection, scene.id)) == 1
    assert len(errors) == 5


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[]", "a list of seats"),
        ("[Engineering]", "a seat in small letters"),
        ("[a, a]", "each seat once"),
        ("{seats: [a], quorum: 2}", "at least as many seats"),
        ("{quorum: 2}", "a list of seats"),
        ("{seats: [a], quorum: 0}", "a whole number"),
        ("engineering", "a list of seats"),
    ],
)
def test_mistakes_in_a_plan(written: str, said: str) -> None:
    text = TEXT.replace(ASKED, written)
    with pytest.raises(PlanError, match=said) as caught:
        parse_plan(text, "p.yaml")
    assert caught.value.problems[0].line == TEXT[: TEXT.index("sign_off")].count("\n") + 1


def test_a_plain_list_asks_all_of_them() -> None:
    text = TEXT.replace(ASKED, "[engineering, finance]")
    assert parse_plan(text).phases[0].sign_off == SignOff(("engineering", "finance"), 2)


SEATS = ("a", "b", "c", "d")


@given(
    st.lists(st.tuples(st.sampled_from(SEATS), st.sampled_from([GO, NO_GO]), st.booleans(), st.booleans()), max_size=8),
    st.integers(1, 4),
)
def test_a_gate_is_open_only_with_a_quorum_and_without_a_no_go(
    said: list[tuple[str, str, bool, bool]], quorum: int
) -> None:
    found = [
        Decision(str(n), "d", 1, 0, "g" if current else "old", seat, f"p{n}", what, "x", n, 1.0 if gone else None)
        for n, (seat, what, gone, current) in enumerate(said)
    ]
    counted = tally(SignOff(SEATS, quorum), found, "g")
    standing_ = {d.seat: d.decision for d in found if d.gate == "g" and d.withdrawn is None}
    go = sum(what == GO for what in standing_.values())
    assert counted.complete == (go >= quorum and NO_GO not in standing_.values())
    assert {*counted.go, *counted.no_go, *counted.missing} == {*SEATS}


def test_a_gate_is_another_at_each_revision(scene: SignedScene) -> None:
    status = scene.go(270)
    states = status.gate_states
    assert json.loads(states)[0] == "canary"
    assert gate_of(status, states) != gate_of(replace(status, revision=status.revision + 1), states)

"""The state machine: what leads where; only a passed phase or a person gives the candidate more traffic."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery.machine import allowed, apply, decide
from core.delivery.model import (
    Action,
    Change,
    Command,
    FigureState,
    Finding,
    Refusal,
    Role,
    State,
    Status,
    Verdict,
)
from core.delivery.plan import Figure, Limit, Phase, Plan, Trigger

ERRORS = Limit(Figure.ERROR_RATE, "<", 0.01)
TRIGGER = Trigger(Limit(Figure.ERROR_RATE, ">", 0.015), 120.0)
PLAN = Plan(
    name="p",
    flag="f",
    baseline="old",
    candidate="new",
    phases=(
        Phase("canary", 0.01, None, 7200.0, (900.0, 7200.0), (ERRORS,)),
        Phase("ramp", 0.1, None, 14400.0, (14400.0,), (ERRORS,), at_end="roll back"),
        Phase("rollout", 1.0, None, 86400.0, (86400.0,), (ERRORS,), permanent=True),
    ),
    triggers=(TRIGGER,),
)
DRAFT = Status("d", PLAN, State.DRAFT, 1, 0.0)


def finding(state: FigureState, then: str = "", role: Role = Role.CRITERION) -> Finding:
    limit = ERRORS if role is Role.CRITERION else TRIGGER.limit
    return Finding(role, limit, state, f"error rate is {state}", then=then)


def verdict(*criteria: FigureState, then: str = "", silent_s: float = 0.0) -> Verdict:
    triggers = (finding(FigureState.FAIL if then else FigureState.PASS, then, Role.TRIGGER),)
    found = tuple(finding(state) for state in criteria)
    worst = max((f.state for f in found), key=lambda s: s.severity, default=FigureState.NOT_MEASURED)
    return Verdict("canary", 0.0, 0.0, found, triggers, silent_s, silent_s, worst)


def do(status: Status, action: Action, now: float = 0.0, **kwargs) -> Status:
    change = apply(status, Command(action, "cli:a", "because", **kwargs), now)
    assert isinstance(change, Change), change
    return change.status


def running(phase: int = 0, now: float = 0.0) -> Status:
    status = do(DRAFT, Action.START, now)
    for _ in range(phase):
        status = do(status, Action.ADVANCE, now)
    return status


def test_the_way_through():
    status = running()
    assert (status.state, status.share, status.phase, status.needs_switch) == (State.RUNNING, 0.01, 0, True)
    for share, now in ((0.1, 7200.0), (1.0, 7200.0 + 14400.0)):
        command = decide(status, verdict(FigureState.PASS), now)
        assert command is not None
        assert command.action is Action.ADVANCE
        change = apply(status, command, now)
        assert isinstance(change, Change)
        status = change.status
        assert status.share == share
    command = decide(status, verdict(FigureState.PASS), 7200.0 + 14400.0 + 86400.0)
    assert command is not None
    assert command.action is Action.COMPLETE
    change = apply(status, command, 1e6)
    assert isinstance(change, Change)
    assert (change.status.state, change.status.share) == (State.COMPLETED, 1.0)
    back = do(change.status, Action.ROLL_BACK)
    assert (back.state, back.share) == (State.ROLLED_BACK, 0.0)


@pytest.mark.parametrize(
    ("phase", "state", "action"),
    [
        (0, FigureState.FAIL, Action.HOLD),
        (1, FigureState.FAIL, Action.ROLL_BACK),
        (1, FigureState.INCONCLUSIVE, Action.HOLD),
        (0, FigureState.COLLECTING, Action.HOLD),
        (0, FigureState.SILENT, Action.HOLD),
        (0, FigureState.NOT_MEASURED, Action.HOLD),
        (0, FigureState.PASS, Action.ADVANCE),
    ],
)
def test_at_the_end_of_a_phase(phase, state, action):
    command = decide(running(phase), verdict(state), 20_000.0)
    assert command is not None
    assert command.action is action
    assert not command.by_person


def test_a_criterion_that_fails_at_a_checkpoint_inside_a_phase_changes_nothing():
    assert decide(running(), verdict(FigureState.FAIL), 900.0) is None


def test_not_measured_does_not_gate_beside_a_pass():
    command = decide(running(), verdict(FigureState.PASS, FigureState.NOT_MEASURED), 7200.0)
    assert command is not None
    assert command.action is Action.ADVANCE
    assert "1 not measured" in command.reason


@pytest.mark.parametrize("state", [State.RUNNING, State.HOLDING, State.ADVANCING, State.COMPLETED])
def test_a_breached_trigger_rolls_back_in_every_phase(state):
    status = replace(running(2), state=state)
    command = decide(status, verdict(FigureState.PASS, then="roll back"), 1.0)
    assert command is not None
    assert command.action is Action.ROLL_BACK


def test_a_baseline_as_bad_halts_and_a_silent_source_holds_then_rolls_back():
    halted = decide(running(), verdict(FigureState.PASS, then="halt"), 1.0)
    assert halted is not None
    assert (halted.action, halted.halt) == (Action.HOLD, True)
    hold = decide(running(), verdict(silent_s=90.0), 100.0)
    assert hold is not None
    assert hold.action is Action.HOLD
    holding = do(running(), Action.HOLD)
    assert decide(holding, verdict(silent_s=599.0), 700.0) is None
    back = decide(holding, verdict(silent_s=600.0), 700.0)
    assert back is not None
    assert back.action is Action.ROLL_BACK


def test_the_gap_before_the_next_phase_is_waited_for():
    phases = (replace(PLAN.phases[0], starts=1000.0), replace(PLAN.phases[1], starts=90_000.0), PLAN.phases[2])
    draft = replace(DRAFT, plan=replace(PLAN, phases=phases))
    scheduled = do(draft, Action.START, 0.0)
    assert (scheduled.state, scheduled.next_start, scheduled.share) == (State.SCHEDULED, 1000.0, 0.0)
    late = do(draft, Action.START, 5000.0)
    assert late.shift_s == 4000.0
    command = decide(late, verdict(FigureState.PASS), 5000.0 + 7200.0)
    assert command is not None
    change = apply(late, command, 5000.0 + 7200.0)
    assert isinstance(change, Change)
    waiting = change.status
    assert (waiting.state, waiting.share, waiting.next_start) == (State.ADVANCING, 0.01, 94_000.0)
    assert decide(waiting, verdict(), 93_999.0) is None
    held = do(waiting, Action.HOLD, 93_000.0)
    assert do(held, Action.RESUME, 93_500.0).state is State.ADVANCING
    command = decide(waiting, verdict(), 94_000.0)
    assert command is not None
    change = apply(waiting, command, 94_000.0)
    assert isinstance(change, Change)
    assert (change.status.phase, change.status.share) == (1, 0.1)
    # With the gap skipped by an explicit setting there is no waiting.
    hasty = replace(late, plan=replace(late.plan, skip_gaps=True))
    change = apply(hasty, Command(Action.ADVANCE, "monitor", "", by_person=False), 12_200.0)
    assert isinstance(change, Change)
    assert change.status.phase == 1


def test_a_passed_phase_whose_learners_turn_out_not_to_be_split_as_planned_does_not_go_on_at_its_date():
    waiting = replace(running(), state=State.ADVANCING, next_start=94_000.0)
    split = Finding(Role.GUARDRAIL, Limit(Figure.SPLIT, "==", 0.01), FigureState.FAIL, "split is off", value=0.02)
    off = replace(verdict(FigureState.PASS), guardrails=(split,))
    assert decide(waiting, off, 93_999.0) is None
    command = decide(waiting, off, 94_000.0)
    assert command is not None
    assert command.action is Action.HOLD
    assert command.reason == "split is off. When that is understood, advance it; resumed, it is held again"
    assert command.figure is None  # which a server of the version before couldn't read
    passed = replace(off, guardrails=(replace(split, state=FigureState.PASS),))
    assert decide(waiting, passed, 94_000.0).action is Action.ADVANCE


def test_an_extension_after_the_end_counts_from_now():
    held = do(running(), Action.HOLD, 8000.0)
    resumed = do(held, Action.RESUME, 9000.0, extend_s=1800.0)
    assert resumed.phase_ends == 9000.0 + 1800.0


def test_retry_is_one_step_and_the_same_version():
    back = do(running(1), Action.ROLL_BACK, 50.0)
    again = do(back, Action.RETRY, 60.0)
    assert (again.state, again.phase, again.share, again.attempt, again.rolled_back_at) == (
        State.RUNNING,
        0,
        0.01,
        2,
        None,
    )


def test_refusals_say_what_to_do_and_repeats_are_no_errors():
    back = do(running(), Action.ROLL_BACK)
    again = apply(back, Command(Action.ROLL_BACK, "a", "b"), 0.0)
    assert isinstance(again, Refusal)
    assert again.already
    draft = apply(DRAFT, Command(Action.ROLL_BACK, "a", "b"), 0.0)
    assert isinstance(draft, Refusal)
    assert "abort it instead" in draft.reason.lower()
    assert allowed(back, 0.0)[Action.RETRY] is None
    assert allowed(DRAFT, 0.0)[Action.ADVANCE] is not None


COMMANDS = st.builds(
    Command,
    action=st.sampled_from(Action),
    actor=st.just("x"),
    reason=st.just("y"),
    by_person=st.booleans(),
    extend_s=st.floats(0, 1e5),
    halt=st.booleans(),
)
STATES = st.sampled_from(FigureState)
VERDICTS = st.builds(
    lambda criteria, then, silent: verdict(*criteria, then=then, silent_s=silent),
    st.lists(STATES, max_size=4),
    st.sampled_from(["", "", "", "roll back", "hold", "halt"]),
    st.sampled_from([0.0, 0.0, 95.0, 700.0]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(COMMANDS.filter(lambda c: c.by_person), VERDICTS), st.floats(0, 30_000)), max_size=25)
)
def test_only_a_passed_phase_or_a_person_gives_the_candidate_more_traffic(steps):
    """Whatever verdicts arrive and people do, in any order: the share only grows for one of the two reasons."""
    status, now = DRAFT, 0.0
    for step, wait in steps:
        now += wait
        if isinstance(step, Verdict):
            command = decide(status, step, now)
            if command is None:
                continue
        else:
            command = step
        before = status
        change = apply(status, command, now)
        if isinstance(change, Refusal):
            continue
        status = change.status
        assert status.revision == before.revision + 1
        assert 0.0 <= status.share <= 1.0
        if not status.state.carries_traffic:
            assert status.share == 0.0
        if status.share != before.share:
            assert status.needs_switch
        if status.share > before.share and not command.by_person:
            assert isinstance(step, Verdict)
            assert before.phase_ends is not None
            assert now >= before.phase_ends
            assert step.silent_s < PLAN.silent_after_s
            assert step.age_s < PLAN.silent_after_s
            assert not step.breached
            assert all(f.state in {FigureState.PASS, FigureState.NOT_MEASURED} for f in step.criteria)
            assert any(f.state is FigureState.PASS for f in step.criteria)
            assert status.phase == before.phase + 1

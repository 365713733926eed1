"""The state machine: which action is allowed when, and which one a verdict calls for. Pure.

`decide` turns a verdict into a command; `apply` turns a command, the monitor's or a person's, into a new status or a
refusal. More learners get the candidate only by a start or retry that a person asked for, by a person's advance, or by
the monitor's advance after a phase whose criteria passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.delivery import gate
from core.delivery.model import (
    Action,
    Change,
    Command,
    FigureState,
    Finding,
    Refusal,
    State,
    Status,
    Verdict,
)
from core.delivery.plan import WARN_ONLY, Figure
from core.delivery.words import duration, percent

MONITOR = "monitor"
_LONGEST_EXTENSION_S = 366 * 86_400.0


def decide(status: Status, verdict: Verdict, now: float, signed: str = "") -> Command | None:
    """Return what a verdict calls for, or None when all goes on as it is.

    `signed`: the gate at which everybody who must has agreed, "" where not all have.

    The order is the safe one: what takes traffic away comes before what keeps it, and that before what adds any.
    """
    if not status.state.carries_traffic:
        return None
    plan = status.plan
    by_outcome: dict[str, list[Finding]] = {}
    for finding in verdict.breached:
        by_outcome.setdefault(finding.then, []).append(finding)
    if worst := by_outcome.get("roll back"):
        return _because(Action.ROLL_BACK, worst[0])
    if status.state is State.COMPLETED:
        return None
    if verdict.silent_s >= plan.silent_rollback_s:
        return _monitor(
            Action.ROLL_BACK, f"no sample for {duration(verdict.silent_s)}; nobody can tell how the candidate does"
        )
    if status.state is not State.HOLDING:
        if worst := by_outcome.get("halt"):
            return replace(_because(Action.HOLD, worst[0]), halt=True)
        if worst := by_outcome.get("hold"):
            return _because(Action.HOLD, worst[0])
        if verdict.silent_s >= plan.silent_after_s:
            return _monitor(Action.HOLD, f"no sample for {duration(verdict.silent_s)}")
    if verdict.age_s >= plan.silent_after_s:
        # After downtime of our own nobody is to blame for the silence yet, and nothing is known either: no more traffic
        # before fresh samples have come. Either they do, or the silence counts.
        return None
    if status.state is State.ADVANCING and status.next_start is not None and now >= status.next_start:
        if verdict.mismatch is not None:
            return _stays(verdict.mismatch)
        return _monitor(Action.ADVANCE, "the next phase's time has come; the criteria of the one before were met")
    if gate.is_due(status, now) and status.next_start is None:
        return _at_gate(status, verdict, signed)
    ends = status.phase_ends
    if status.state is State.RUNNING and ends is not None and now >= ends:
        return _at_end(status, verdict)
    return None


def _at_gate(status: Status, verdict: Verdict, signed: str) -> Command | None:
    """Ask for sign-off, anew whenever a verdict has changed; go on when all have agreed to what is so now."""
    states = gate.states_of(verdict)
    if status.state is State.HOLDING:
        # Held for a person: the leads may look at it as it is. Advancing remains a person's.
        return None if states == status.gate_states else _ask(status, states)
    command = _at_end(status, verdict)
    if command.action not in {Action.ADVANCE, Action.COMPLETE}:
        return command
    if states != status.gate_states or status.state is State.RUNNING:
        return _ask(status, states)
    if signed and signed == status.gate:
        return replace(command, signed=signed, reason=f"{command.reason}; signed off")
    return None


def _ask(status: Status, states: str) -> Command:
    phase = status.plan.phases[status.phase]
    assert phase.sign_off is not None
    again = "the verdicts have changed: " if status.gate else ""
    seats = ", ".join(phase.sign_off.seats)
    reason = f"{again}{phase.name} waits for sign-off by {phase.sign_off.quorum} of {seats}"
    return replace(_monitor(Action.ASK, reason), gate_states=states)


def _at_end(status: Status, verdict: Verdict) -> Command:
    phase = status.plan.phases[status.phase]
    gating = [f for f in verdict.criteria if f.figure not in WARN_ONLY]
    open_points = [f for f in gating if f.state not in {FigureState.PASS, FigureState.NOT_MEASURED}]
    if not open_points and verdict.mismatch is not None:
        return _stays(verdict.mismatch)
    if not open_points:
        passed = sum(f.state is FigureState.PASS for f in gating)
        if not passed:
            return _monitor(Action.HOLD, f"nothing was measured in {phase.name}: no measurement is not success")
        last = status.phase == len(status.plan.phases) - 1
        unmeasured = len(gating) - passed
        reason = f"all {passed} measured criteria of {phase.name} are met" + (
            f"; {unmeasured} not measured" if unmeasured else ""
        )
        return _monitor(Action.COMPLETE if last else Action.ADVANCE, reason)
    worst = max(open_points, key=lambda f: f.state.severity)
    if worst.state is FigureState.FAIL and phase.at_end == "roll back":
        return _because(Action.ROLL_BACK, worst)
    return _because(Action.HOLD, worst)


def _because(action: Action, finding: Finding) -> Command:
    # The split is in the reason alone: a server of the version before, over the same store, knows no such figure.
    figure = None if finding.figure is Figure.SPLIT else str(finding.figure)
    return Command(action, MONITOR, finding.sentence, by_person=False, figure=figure, value=finding.value)


def _stays(mismatch: Finding) -> Command:
    """Hold a phase that has ended while learners aren't split as planned: that is for a person to let pass."""
    held = _because(Action.HOLD, mismatch)
    return replace(held, reason=f"{held.reason}. When that is understood, advance it; resumed, it is held again")


def _monitor(action: Action, reason: str) -> Command:
    return Command(action, MONITOR, reason, by_person=False)


def apply(status: Status, command: Command, now: float) -> Change | Refusal:
    """Return the status that a command leads to, or why it can't be done in this state."""
    return _HANDLERS[command.action](status, command, now)


def allowed(status: Status, now: float) -> dict[Action, Refusal | None]:
    """Say for each action that people have whether it can be done now: None, or the refusal that says why not."""
    answers: dict[Action, Refusal | None] = {}
    for action in (
        Action.START,
        Action.ADVANCE,
        Action.HOLD,
        Action.RESUME,
        Action.RETRY,
        Action.ABORT,
        Action.ROLL_BACK,
    ):
        outcome = apply(status, Command(action, "", ""), now)
        answers[action] = outcome if isinstance(outcome, Refusal) else None
    return answers


def _start(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state not in {State.DRAFT, State.SCHEDULED}:
        return Refusal(f"it has been started already and is {status.state}", already=status.state is State.RUNNING)
    planned = status.plan.phases[0].starts
    if planned is None or status.plan.skip_gaps:
        return _enter(status, 0, command, now, "phase started")
    if status.state is State.SCHEDULED:
        if status.next_start is not None and now < status.next_start and not command.by_person:
            return Refusal("its time has not come yet")
        moved = replace(status, shift_s=now - planned)
        return _enter(moved, 0, command, now, "phase started")
    if planned > now:
        why = f"{status.plan.phases[0].name} starts as planned"
        return _change(status, command, "deployment scheduled", state=State.SCHEDULED, next_start=planned, why=why)
    return _enter(replace(status, shift_s=now - planned), 0, command, now, "phase started")


def _advance(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state not in {State.RUNNING, State.HOLDING, State.ADVANCING}:
        return Refusal(_not_under_way(status))
    if shut := _shut(status, command, now):
        return shut
    following = status.phase + 1
    if following >= len(status.plan.phases):
        return _complete(status, command, now)
    phase = status.plan.phases[following]
    opens = None if phase.starts is None or status.plan.skip_gaps else phase.starts + status.shift_s
    if opens is not None and now < opens and not command.by_person:
        if status.state is State.ADVANCING:
            return Refusal("the next phase's time has not come yet", already=True)
        return _change(
            status,
            command,
            "phase passed",
            state=State.ADVANCING,
            next_start=opens,
            judged_at=now,
            why=f"{command.reason}; waits for the planned start of {phase.name}",
        )
    return _enter(status, following, command, now, "phase started")


def _shut(status: Status, command: Command, now: float) -> Refusal | None:
    """Refuse to leave a phase that asks for sign-off before all have agreed; nobody gets past that by hand."""
    asked = gate.asked_of(status)
    if asked is None or (status.gate and command.signed == status.gate) or status.next_start is not None:
        return None
    name = status.plan.phases[status.phase].name
    if not gate.is_due(status, now):
        return Refusal(f"the plan asks for sign-off at the end of {name}: it can't be left before")
    return Refusal(f"the plan asks for sign-off by {asked.quorum} of {', '.join(asked.seats)} before {name} is left")


def _sign_off_asked(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state not in {State.RUNNING, State.HOLDING, State.ADVANCING} or not gate.is_due(status, now):
        return Refusal(f"it is {status.state}, with nothing to sign off")
    holding = status.state is State.HOLDING
    change = _change(
        status,
        command,
        "sign-off asked for",
        state=State.HOLDING if holding else State.ADVANCING,
        judged_at=now,
        gate=gate.gate_of(status, command.gate_states),
        gate_states=command.gate_states,
        why=status.why if holding else command.reason,
    )
    change.data["gate"] = change.status.gate
    return change


def _hold(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state is State.HOLDING:
        return Refusal("it is holding already", already=True)
    if status.state not in {State.RUNNING, State.ADVANCING}:
        return Refusal(_not_under_way(status))
    kind = "halted" if command.halt else "held"
    return _change(status, command, kind, state=State.HOLDING, halted=command.halt, judged_at=now, why=command.reason)


def _resume(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state is not State.HOLDING:
        return Refusal(f"it is {status.state}, not holding", already=status.state is State.RUNNING)
    if command.extend_s < 0:
        return Refusal("a phase can be extended, not shortened: give a positive time")
    if not status.extended_s + command.extend_s <= _LONGEST_EXTENSION_S:
        return Refusal(f"a phase can be extended by {duration(_LONGEST_EXTENSION_S)} at most")
    if command.extend_s and status.next_start is not None:
        return Refusal("its phase is passed and it waits for the next one's date: resume it without an extension")
    ends = status.phase_ends
    # An extension asked for after the end counts from now: "30 more minutes" means thirty minutes of new data.
    overdue = max(0.0, now - ends) if ends is not None and command.extend_s else 0.0
    waits = status.next_start is not None
    return _change(
        status,
        command,
        "resumed",
        state=State.ADVANCING if waits else State.RUNNING,
        halted=False,
        judged_at=now,
        extended_s=status.extended_s + command.extend_s + overdue,
        gate="",
        gate_states="",
        why=command.reason,
    )


def _retry(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state not in {State.ROLLED_BACK, State.ABORTED}:
        return Refusal(f"only a rolled-back or aborted deployment can be retried; it is {status.state}")
    fresh = replace(
        status,
        attempt=status.attempt + 1,
        rolled_back_at=None,
        verified_at=None,
        verification="",
        shift_s=now - (status.plan.phases[0].starts or now),
    )
    return _enter(fresh, 0, command, now, "retried")


def _abort(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state is State.ABORTED:
        return Refusal("it is aborted already", already=True)
    if status.state in {State.ROLLED_BACK, State.COMPLETED}:
        hint = "; roll it back instead" if status.state is State.COMPLETED else "; the baseline has all the traffic"
        return Refusal(f"it is {status.state}{hint}")
    return _change(
        status, command, "aborted", state=State.ABORTED, share=0.0, next_start=None, judged_at=now, why=command.reason
    )


def _roll_back(status: Status, command: Command, now: float) -> Change | Refusal:
    if status.state is State.ROLLED_BACK:
        return Refusal("it is rolled back already; the baseline has all the traffic", already=True)
    if status.state is State.ABORTED and status.phase < 0:
        return Refusal("it was aborted before it began: it never moved any traffic")
    if status.state is State.ABORTED:
        return Refusal("it was aborted; the baseline has all the traffic", already=True)
    if not status.state.carries_traffic:
        return Refusal(f"it is {status.state}: no learner gets the candidate. Abort it instead")
    return _change(
        status,
        command,
        "rolled back",
        state=State.ROLLED_BACK,
        share=0.0,
        next_start=None,
        halted=False,
        judged_at=now,
        rolled_back_at=now,
        switched_at=None,
        verified_at=None,
        verification="",
        why=command.reason,
    )


def _complete(status: Status, command: Command, now: float) -> Change | Refusal:
    waits = {State.RUNNING, State.HOLDING, State.ADVANCING}
    if status.state not in waits or status.phase != len(status.plan.phases) - 1:
        return Refusal(f"only a deployment in its last phase can be completed; it is {status.state}")
    if shut := _shut(status, command, now):
        return shut
    return _change(status, command, "completed", state=State.COMPLETED, halted=False, judged_at=now, why=command.reason)


_HANDLERS: dict[Action, Callable[[Status, Command, float], Change | Refusal]] = {
    Action.START: _start,
    Action.ADVANCE: _advance,
    Action.HOLD: _hold,
    Action.RESUME: _resume,
    Action.RETRY: _retry,
    Action.ABORT: _abort,
    Action.ROLL_BACK: _roll_back,
    Action.COMPLETE: _complete,
    Action.ASK: _sign_off_asked,
}


def _not_under_way(status: Status) -> str:
    if status.state in {State.DRAFT, State.SCHEDULED}:
        return f"it is {status.state}: start it first"
    return f"it is {status.state}: retry it, or deploy a new plan"


def _enter(status: Status, index: int, command: Command, now: float, kind: str) -> Change:
    phase = status.plan.phases[index]
    return _change(
        status,
        command,
        kind,
        state=State.RUNNING,
        phase=index,
        phase_started=now,
        extended_s=0.0,
        share=phase.share,
        next_start=None,
        halted=False,
        checkpoints_done=0,
        gate="",
        gate_states="",
        judged_at=now,
        why=f"{phase.name} at {percent(phase.share)} of the learners",
    )


def _change(status: Status, command: Command, kind: str, **fields: object) -> Change:
    revision = status.revision + 1
    after: Status = replace(status, revision=revision, **fields)  # type: ignore[arg-type]
    if after.share != status.share:
        after = replace(after, switch_revision=revision)
    data: dict[str, object] = {
        "from": str(status.state),
        "to": str(after.state),
        "phase": status.plan.phases[after.phase].name if after.phase >= 0 else None,
        "share_from": status.share,
        "share_to": after.share,
        "attempt": after.attempt,
        "revision": revision,
        "by_person": command.by_person,
    }
    if command.figure is not None:
        data |= {"figure": command.figure, "value": command.value}
    if command.extend_s:
        data["extended_s"] = command.extend_s
    return Change(after, kind, data)

"""A deployment's status -> its buttons, what each would do to whom, and how long a rollback took. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.delivery import Action, Drill, Plan, State, Status, allowed
from core.delivery.words import percent
from core.web.views.says import sentence
from core.web.views.times import clock_time, exact_time, precise


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """A button: what it does, or why it can't be done now ("" when it can)."""

    action: Action
    label: str
    icon: str
    does: str
    refusal: str


_CHOICES = {
    Action.START: ("Start", "play_arrow"),
    Action.HOLD: ("Hold", "pause"),
    Action.RESUME: ("Resume", "resume"),
    Action.ADVANCE: ("Advance", "fast_forward"),
    Action.RETRY: ("Retry", "replay"),
    Action.ABORT: ("Abort", "block"),
    Action.ROLL_BACK: ("Roll back", "undo"),
}


def choices(status: Status, now: float) -> dict[Action, ActionChoice]:
    """Return every button with what it does, or why it can't be pressed now."""
    refusals = allowed(status, now)
    return {
        action: ActionChoice(
            action, label, icon, effect(status, action, now), refusal.reason if (refusal := refusals[action]) else ""
        )
        for action, (label, icon) in _CHOICES.items()
    }


def planned_start(status: Status, now: float) -> float | None:
    """Return the plan time for which a start would schedule a draft; None where it begins at once."""
    starts = status.plan.phases[0].starts
    waits = status.state is State.DRAFT and not status.plan.skip_gaps and starts is not None and starts > now
    return starts if waits else None


def effect(status: Status, action: Action, now: float) -> str:
    """Say in a line what an action would do to this deployment."""
    plan = status.plan
    first, last = plan.phases[0], status.phase + 1 >= len(plan.phases)
    match action:
        case Action.START if (opens := planned_start(status, now)) is not None:
            return (
                f"Schedules it: {percent(first.share)} of the learners get {plan.candidate} from {exact_time(opens)}."
            )
        case Action.START:
            return f"Gives {plan.candidate} to {percent(first.share)} of the learners."
        case Action.HOLD:
            return "Stays at this share until resumed. Triggers stay armed."
        case Action.RESUME:
            return "Goes on with the phase, longer if you like."
        case Action.ADVANCE if last:
            return "Ends the last phase; everyone stays on the candidate."
        case Action.ADVANCE:
            following = plan.phases[status.phase + 1]
            return f"Goes to {following.name} now: {percent(following.share)} of the learners."
        case Action.RETRY:
            return f"Starts again with {first.name}: {percent(first.share)} of the learners."
        case Action.ABORT if status.phase < 0:
            return "Gives it up before it begins; no learner is affected."
        case Action.ABORT:
            return f"Gives it up; every learner gets {plan.baseline}."
        case _:
            return f"Every learner gets {plan.baseline} at the next request."


def share_after(status: Status, action: Action) -> float:
    """Return the share of the learners that gets the candidate after an action."""
    plan = status.plan
    if action in {Action.ROLL_BACK, Action.ABORT}:
        return 0.0
    if action in {Action.START, Action.RETRY}:
        return plan.phases[0].share
    if action is Action.ADVANCE and status.phase + 1 < len(plan.phases):
        return plan.phases[status.phase + 1].share
    return status.share


def affected(status: Status, action: Action, seen: Mapping[str, int]) -> str:
    """Say whom an action affects: the part of the learners, and how many have been seen where that is known.

    `seen`: learners seen by version since the phase began.
    """
    before, after = status.share, share_after(status, action)
    part = f"{percent(abs(after - before))} of the learners"
    known = seen.get(status.plan.candidate, 0) if after < before else 0
    return f"{part}; {known:,} were seen on {status.plan.candidate} in this phase" if known else part


def mix(plan: Plan, share: float) -> str:
    """Say who gets what at a share: "1 % fast, 99 % original"."""
    if share <= 0:
        return f"everyone {plan.baseline}"
    if share >= 1:
        return f"everyone {plan.candidate}"
    return f"{percent(share)} {plan.candidate}, {percent(1 - share)} {plan.baseline}"


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """How long a rollback took: (what, plan time, wall time) a step, and what to say where a step is missing."""

    steps: tuple[tuple[str, str, str], ...]
    note: str
    who: str


def stopwatch(drill: Drill) -> Stopwatch:
    """Say how long a rollback took, from the decision to the switch read back to the first clean window."""
    measured: list[tuple[str, str, str]] = []
    for label, plan_s, wall_s in (
        ("Decision to switch read back", drill.switched_plan_s, drill.switched_wall_s),
        ("Decision to verified by traffic", drill.verified_plan_s, drill.verified_wall_s),
    ):
        if plan_s is not None and wall_s is not None:
            measured.append((label, precise(plan_s), precise(wall_s)))
        else:
            measured.append((label, "not yet", "not yet"))
    note = ""
    if drill.unverified:
        note = sentence(f"unverified: {drill.unverified}" if "unverified" not in drill.unverified else drill.unverified)
        measured[1] = (measured[1][0], "unverified", "unverified")
    elif drill.verified_plan_s is None:
        note = "It is verified by the first window of traffic in which no request reaches the candidate."
    return Stopwatch(tuple(measured), note, f"by {drill.actor}, {clock_time(drill.decided_at)}")

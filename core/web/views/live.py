"""Records -> what the Live page shows: a sentence, the phases, the pulse, a row a figure, the actions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.delivery import (
    WARN_ONLY,
    Action,
    CheckpointRecord,
    Drill,
    Figure,
    FigureState,
    Finding,
    Limit,
    Phase,
    Plan,
    State,
    Status,
    Trigger,
    Verdict,
    allowed,
)
from core.delivery.words import duration, percent
from core.delivery.words import figure as say_figure
from core.delivery.words import limit as say_limit
from core.store import Clock, Lease
from core.web.views.marks import BREACHED, PENDING, Mark, Tone, figure_mark, state_mark
from core.web.views.times import ago, both_times, clock_time

MONITOR_GRACE_S = 1.0
"""Wall seconds after a lease ran out before the monitor is called dead: another one may be taking over."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence that says what is going on."""

    mark: Mark
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A checkpoint on a phase's bar: `place` from 0 (the phase's start) to 1 (its end)."""

    place: float
    mark: Mark
    label: str


@dataclass(frozen=True, slots=True)
class Step:
    """One phase in the stepper. `progress` from 0 to 1; `now`: the phase the deployment is in."""

    name: str
    share: str
    mark: Mark
    now: bool
    progress: float
    lines: tuple[str, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Pulse:
    """How fresh what is shown is, and whether anybody watches. `alarms` are said louder than all else."""

    data: str
    monitor: str
    clock: str
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of both versions, with its limits and what the judge says of it.

    Attributes:
        figure: what it is about. mark: its state.
        value, interval, baseline: said with their units; "" where there is none.
        limits: what must hold, and what acts when it doesn't, in words.
        sentence: the judge's.
    """

    figure: Figure
    mark: Mark
    label: str
    value: str
    interval: str
    baseline: str
    limits: tuple[str, ...]
    sentence: str
    gates: bool


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """A button: what it does, or why it can't be done now ("" when it can)."""

    action: Action
    label: str
    icon: str
    does: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """How long a rollback took: (what, plan time, wall time) a step, and what to say where a step is missing."""

    steps: tuple[tuple[str, str, str], ...]
    note: str
    who: str


def headline(status: Status, verdict: Verdict | None, now: float, speed: float = 1.0) -> Headline:
    """Say what is going on in one sentence, and what comes next in another."""
    plan = status.plan
    mark = state_mark(status.state)
    share = percent(status.share)
    phase = plan.phases[status.phase] if status.phase >= 0 else None
    match status.state:
        case State.DRAFT:
            first = plan.phases[0]
            return Headline(
                mark,
                f"Ready to start: no learner gets {plan.candidate} yet",
                f"Start gives it to {percent(first.share)} of the learners.",
            )
        case State.SCHEDULED:
            begins = _in(status.next_start, now, speed)
            return Headline(
                mark,
                f"Scheduled: {plan.phases[0].name} begins {begins}",
                f"Until then every learner gets {plan.baseline}.",
            )
        case State.RUNNING if phase is not None:
            return Headline(
                _running_mark(verdict, mark),
                f"{_name(phase)}: {share} of the learners get {plan.candidate}",
                _outlook(status, verdict, now, speed),
            )
        case State.HOLDING if phase is not None:
            why = "Halted" if status.halted else "On hold"
            then = "The baseline is no better, so this is no reason to roll back. " if status.halted else ""
            return Headline(
                mark,
                f"{why} in {phase.name}: {share} of the learners stay on {plan.candidate}",
                f"{_sentence(status.why)} {then}A person decides how it goes on.",
            )
        case State.ADVANCING:
            following = plan.phases[status.phase + 1]
            return Headline(
                mark,
                f"{_name(plan.phases[status.phase])} is passed; {following.name} begins {_in(status.next_start, now, speed)}",
                _sentence(status.why),
            )
        case State.COMPLETED:
            return Headline(
                mark,
                f"Completed: {share} of the learners get {plan.candidate}",
                f"{_sentence(status.why)} The triggers stay armed, and it can still be rolled back.",
            )
        case State.ROLLED_BACK:
            return Headline(mark, f"Rolled back: every learner gets {plan.baseline}", _sentence(status.why))
        case _:
            return Headline(
                mark, f"{_name_of(status.state)}: every learner gets {plan.baseline}", _sentence(status.why)
            )


def _running_mark(verdict: Verdict | None, mark: Mark) -> Mark:
    if verdict is None or verdict.state in {FigureState.PASS, FigureState.COLLECTING, FigureState.NOT_MEASURED}:
        return mark
    return Mark(Tone.WATCH, mark.icon, mark.word)


def _outlook(status: Status, verdict: Verdict | None, now: float, speed: float) -> str:
    parts = []
    ends = status.phase_ends
    if ends is not None:
        if now >= ends:
            parts.append("The phase is over and is being judged.")
        else:
            parts.append(f"{both_times(ends - now, speed)} left.")
    if verdict is not None:
        gating = [f for f in verdict.criteria if f.figure not in WARN_ONLY]
        by_state = {state: [f for f in gating if f.state is state] for state in FigureState}
        met, measured = len(by_state[FigureState.PASS]), len(gating) - len(by_state[FigureState.NOT_MEASURED])
        said = [
            f"{met} of {measured} measured criteria are met so far"
            if met < measured
            else f"All {measured} measured criteria are met so far"
        ]
        for state in (FigureState.FAIL, FigureState.SILENT, FigureState.INCONCLUSIVE, FigureState.COLLECTING):
            if by_state[state]:
                said.append(f"{state}: " + ", ".join(f.figure.label for f in by_state[state]))
        parts.append("; ".join(said) + ".")
    else:
        parts.append("The monitor has not judged it yet.")
    return " ".join(parts)


def steps(status: Status, records: Sequence[CheckpointRecord], now: float, speed: float = 1.0) -> tuple[Step, ...]:
    """Return the phases in order, each with how far it is. `records`: the checkpoints of any attempt."""
    judged = {(r.phase, r.number): r for r in records if r.attempt == status.attempt}
    return tuple(_step(status, index, phase, judged, now, speed) for index, phase in enumerate(status.plan.phases))


def _step(
    status: Status,
    index: int,
    phase: Phase,
    judged: Mapping[tuple[int, int], CheckpointRecord],
    now: float,
    speed: float,
) -> Step:
    lasts = phase.lasts_s + (status.extended_s if index == status.phase else 0.0)
    ticks = tuple(
        _tick(phase, number, at, lasts, judged.get((index, number))) for number, at in enumerate(phase.checkpoints)
    )
    length = "watched for good" if phase.permanent else f"lasts {duration(lasts)}"
    share = percent(phase.share)
    if index < status.phase or (status.state is State.COMPLETED and index <= status.phase):
        return Step(phase.name, share, Mark(Tone.GOOD, "check_circle", "passed"), False, 1.0, (length,), ticks)
    if index > status.phase:
        lines = [length]
        waits = status.next_start is not None and index == status.phase + 1
        if waits:
            lines.append(f"begins {_in(status.next_start, now, speed)}")
        return Step(
            phase.name,
            share,
            Mark(Tone.CALM, "schedule", "next") if waits else PENDING,
            False,
            0.0,
            tuple(lines),
            ticks,
        )
    started, ends = status.phase_started, status.phase_ends
    stopped = status.judged_at if status.state.ended and status.judged_at is not None else now
    elapsed = max(0.0, (stopped if status.state.ended else now) - (started or now))
    progress = min(1.0, elapsed / lasts) if lasts > 0 else 1.0
    mark = state_mark(status.state)
    if status.state is State.ADVANCING:
        return Step(phase.name, share, Mark(Tone.GOOD, "check_circle", "passed"), True, 1.0, (length,), ticks)
    if status.state.ended:
        return Step(
            phase.name, share, mark, True, progress, (f"after {duration(elapsed)} of {duration(lasts)}",), ticks
        )
    lines = []
    if ends is not None:
        lines.append(
            f"{both_times(ends - now, speed)} left of {duration(lasts)}"
            if now < ends
            else f"{duration(lasts)} are over"
        )
    coming = [
        at
        for number, at in enumerate(phase.checkpoints)
        if (index, number) not in judged and started is not None and started + at > now
    ]
    if coming and started is not None:
        lines.append(f"next checkpoint in {both_times(started + coming[0] - now, speed)}")
    return Step(phase.name, share, mark, True, progress, tuple(lines), ticks)


def _tick(phase: Phase, number: int, at: float, lasts: float, record: CheckpointRecord | None) -> Tick:
    mark = PENDING if record is None else figure_mark(record.verdict.state)
    return Tick(at / lasts if lasts else 1.0, mark, f"checkpoint at {duration(at)}: {mark.word}")


def pulse(status: Status, lease: Lease | None, newest: float | None, clock: Clock, wall: float) -> Pulse:
    """Say how old the data is and whether the monitor lives.

    Args:
        status: of the deployment that is shown.
        lease: the monitor's.
        newest: plan time at which the candidate's newest sample ends; None where there is none.
        clock: the plan's. wall: wall time now.
    """
    now, speed = clock.plan(wall), clock.speed
    alarms: list[str] = []
    watched = status.state.carries_traffic or status.state is State.SCHEDULED
    dead = monitor_death(lease, wall)
    if dead and watched:
        alarms.append(
            f"The monitor is not running: nobody watches this deployment. {dead} Start it with `canary monitor`, or restart the server. Rolling back by hand works all the same."
        )
    age = None if newest is None else max(0.0, now - newest)
    if status.state.carries_traffic and not dead:
        since = status.phase_started if newest is None else newest
        silent = None if since is None else now - since
        if silent is not None and silent > status.plan.silent_after_s:
            alarms.append(
                f"No sample of {status.plan.candidate} for {both_times(silent, speed)}: nobody can tell how it does."
            )
    if status.needs_switch:
        alarms.append(
            f"Decided, but the traffic switch has not confirmed {percent(status.share)} yet. It is tried again until it does."
        )
    if age is None:
        data = "no sample yet"
    else:
        data = f"newest sample ended {ago(age / speed)}"
    monitor = (
        "not running"
        if dead
        else f"last tick {ago(wall - lease.beat)}, {duration(lease.late_s)} late"
        if lease
        else "not running"
    )
    return Pulse(data, monitor, "" if speed == 1.0 else f"clock runs {speed:g} × as fast", tuple(alarms))


def monitor_death(lease: Lease | None, wall: float) -> str:
    """Return what is known of a dead monitor, as a sentence; "" while it lives."""
    if lease is None:
        return "It has never run on this database."
    if lease.holder and wall <= lease.expires + MONITOR_GRACE_S:
        return ""
    return f"Its last tick was {ago(wall - lease.beat)}."


def figure_rows(plan: Plan, phase: int, verdict: Verdict | None) -> tuple[FigureRow, ...]:
    """Return one row a figure: those with a criterion in the phase first, then those with a trigger only."""
    criteria = plan.phases[max(phase, 0)].criteria
    order = dict.fromkeys([limit.figure for limit in criteria] + [t.limit.figure for t in plan.triggers])
    findings = {(f.role.value, f.figure): f for f in (*verdict.criteria, *verdict.triggers)} if verdict else {}
    return tuple(
        _row(
            figure,
            next((limit for limit in criteria if limit.figure is figure), None),
            next((t for t in plan.triggers if t.limit.figure is figure), None),
            findings.get(("criterion", figure)),
            findings.get(("trigger", figure)),
        )
        for figure in order
    )


def _row(
    figure: Figure, criterion: Limit | None, trigger: Trigger | None, judged: Finding | None, watched: Finding | None
) -> FigureRow:
    fired = watched is not None and bool(watched.then)
    main = watched if fired else judged or watched
    limits = []
    if criterion is not None:
        limits.append(say_limit(criterion))
    if trigger is not None:
        acts = "rolls back" if trigger.then == "roll back" else "holds"
        limits.append(f"{acts} when {say_limit(trigger.limit)} for {duration(trigger.hold_s)}")
    if main is None:
        return FigureRow(
            figure,
            Mark(Tone.CALM, "hourglass_top", "not judged yet"),
            _capital(figure.label),
            "",
            "",
            "",
            tuple(limits),
            "",
            criterion is not None,
        )
    mark = BREACHED if fired else figure_mark(main.state)
    if mark.tone is Tone.BAD and figure in WARN_ONLY:
        mark = Mark(Tone.WATCH, "warning", "warning only")
    return FigureRow(
        figure,
        mark,
        _capital(figure.label),
        "" if main.value is None else say_figure(figure, main.value),
        interval(figure, main),
        "" if main.baseline is None else say_figure(figure, main.baseline),
        tuple(limits),
        _sentence(main.sentence),
        criterion is not None and figure not in WARN_ONLY,
    )


def interval(figure: Figure, finding: Finding) -> str:
    """Say the interval that decided: "0.02 % to 0.15 %", "up to 0.15 %", "from 99.9 %", or ""."""
    low = None if finding.low is None else say_figure(figure, finding.low)
    high = None if finding.high is None else say_figure(figure, finding.high)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if high is not None:
        return f"up to {high}"
    return f"from {low}" if low is not None else ""


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
            action, label, icon, effect(status, action), refusal.reason if (refusal := refusals[action]) else ""
        )
        for action, (label, icon) in _CHOICES.items()
    }


def effect(status: Status, action: Action) -> str:
    """Say in a line what an action would do to this deployment."""
    plan = status.plan
    first, last = plan.phases[0], status.phase + 1 >= len(plan.phases)
    match action:
        case Action.START:
            return f"Gives {plan.candidate} to {percent(first.share)} of the learners."
        case Action.HOLD:
            return "Stops the clock of the roll-out; learners keep what they have, triggers stay armed."
        case Action.RESUME:
            return "Goes on with the phase, longer if you like."
        case Action.ADVANCE if last:
            return "Ends the last phase; everyone stays on the candidate."
        case Action.ADVANCE:
            return f"Goes to {plan.phases[status.phase + 1].name} now: {percent(plan.phases[status.phase + 1].share)} of the learners."
        case Action.RETRY:
            return f"Starts again with {first.name}: {percent(first.share)} of the learners."
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


def stopwatch(drill: Drill) -> Stopwatch:
    """Say how long a rollback took, from the decision to the switch read back to the first clean window."""
    steps_: list[tuple[str, str, str]] = []
    for label, plan_s, wall_s in (
        ("Decision to switch read back", drill.switched_plan_s, drill.switched_wall_s),
        ("Decision to verified by traffic", drill.verified_plan_s, drill.verified_wall_s),
    ):
        if plan_s is not None and wall_s is not None:
            steps_.append((label, precise(plan_s), precise(wall_s)))
        else:
            steps_.append((label, "not yet", "not yet"))
    note = ""
    if drill.unverified:
        note = _sentence(
            f"unverified: {drill.unverified}" if "unverified" not in drill.unverified else drill.unverified
        )
        steps_[1] = (steps_[1][0], "unverified", "unverified")
    elif drill.verified_plan_s is None:
        note = "It is verified by the first window of traffic in which no request reaches the candidate."
    return Stopwatch(tuple(steps_), note, f"by {drill.actor}, {clock_time(drill.decided_at)}")


def precise(seconds: float) -> str:
    """Say a measured time: "4 ms", "0.8 s", "2 min 30 s"."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else duration(seconds)


def mix(plan: Plan, share: float) -> str:
    """Say who gets what at a share: "1 % fast, 99 % original"."""
    if share <= 0:
        return f"everyone {plan.baseline}"
    if share >= 1:
        return f"everyone {plan.candidate}"
    return f"{percent(share)} {plan.candidate}, {percent(1 - share)} {plan.baseline}"


def figure_name(figure: Figure | None) -> str:
    """Say what a chart's choice is called; None is traffic."""
    return "Requests per second" if figure is None else _capital(figure.label)


def span_name(whole: bool) -> str:
    """Say what span a chart has."""
    return "Whole roll-out" if whole else "This phase"


def chart_note(figure: Figure | None) -> str:
    """Say how the lines of a chart are made."""
    if figure is None:
        return "Requests answered a second of plan time, both versions."
    return (
        "Each point is pooled over the window that ends there, as triggers are judged: sums, never averages of ratios. "
        "Dots are what was judged at checkpoints over the phase so far, with the interval that decided."
    )


def _in(at: float | None, now: float, speed: float) -> str:
    if at is None:
        return "when it is its turn"
    return f"in {both_times(at - now, speed)} ({clock_time(at)})" if at > now else "now"


def _name(phase: Phase) -> str:
    return _capital(phase.name)


def _name_of(state: State) -> str:
    return _capital(str(state))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    text = _capital(text.strip())
    return text if not text or text[-1] in ".!?" else text + "."

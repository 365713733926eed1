"""Status and checkpoints -> the sentence that says what is going on, and the phases with how far each is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.delivery import WARN_ONLY, CheckpointRecord, FigureState, Phase, State, Status, Verdict
from core.delivery.words import duration, percent
from core.web.views.choices import planned_start
from core.web.views.marks import NOT_REACHED, PENDING, Headline, Mark, Tone, figure_mark, state_mark
from core.web.views.says import capital, sentence
from core.web.views.times import both_times, clock_time


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


def headline(status: Status, verdict: Verdict | None, now: float, speed: float = 1.0) -> Headline:
    """Say what is going on in one sentence, and what comes next in another."""
    plan = status.plan
    mark = state_mark(status.state)
    share = percent(status.share)
    phase = plan.phases[status.phase] if status.phase >= 0 else None
    match status.state:
        case State.DRAFT:
            first = plan.phases[0]
            if (opens := planned_start(status, now)) is not None:
                return Headline(
                    mark,
                    f"Ready to be scheduled: no learner gets {plan.candidate} yet",
                    f"Once started, {first.name} begins {_in(opens, now, speed)}, as planned.",
                )
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
                f"{capital(phase.name)}: {share} of the learners get {plan.candidate}",
                _outlook(status, verdict, now, speed),
            )
        case State.HOLDING if phase is not None:
            why = "Halted" if status.halted else "On hold"
            then = "The baseline is no better, so this is no reason to roll back. " if status.halted else ""
            return Headline(
                mark,
                f"{why} in {phase.name}: {share} of the learners stay on {plan.candidate}",
                f"{sentence(status.why)} {then}A person decides how it goes on.",
            )
        case State.ADVANCING if status.gate and status.next_start is None:
            passed = plan.phases[status.phase]
            return Headline(
                Mark(Tone.WATCH, "draw", "waits for sign-off"),
                f"{capital(passed.name)} waits for sign-off: {share} of the learners get {plan.candidate}",
                f"{sentence(status.why)} The Sign-off page shows what there is to agree to.",
            )
        case State.ADVANCING:
            passed, following = plan.phases[status.phase], plan.phases[status.phase + 1]
            return Headline(
                mark,
                f"{capital(passed.name)} is passed; {following.name} begins {_in(status.next_start, now, speed)}",
                sentence(status.why),
            )
        case State.COMPLETED:
            return Headline(
                mark,
                f"Completed: {share} of the learners get {plan.candidate}",
                f"{sentence(status.why)} The triggers stay armed, and it can still be rolled back.",
            )
        case State.ROLLED_BACK:
            return Headline(mark, f"Rolled back: {_everybody_gets_baseline(status)}", sentence(status.why))
        case _ if status.phase < 0:
            return Headline(mark, "Aborted before it began: it moved no traffic", sentence(status.why))
        case _:
            return Headline(mark, f"{capital(status.state)}: {_everybody_gets_baseline(status)}", sentence(status.why))


def _everybody_gets_baseline(status: Status) -> str:
    if status.needs_switch:
        return f"not confirmed, learners may still get {status.plan.candidate}"
    return f"every learner gets {status.plan.baseline}"


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
        open_states = (FigureState.FAIL, FigureState.SILENT, FigureState.INCONCLUSIVE, FigureState.COLLECTING)
        said += [f"{s}: " + ", ".join(f.figure.label for f in by_state[s]) for s in open_states if by_state[s]]
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
    ticks = tuple(_tick(at, lasts, judged.get((index, number))) for number, at in enumerate(phase.checkpoints))
    length = "watched for good" if phase.permanent else f"lasts {duration(lasts)}"
    share = percent(phase.share)
    if index < status.phase or (status.state is State.COMPLETED and index <= status.phase):
        # The last one judged: the plan's last, or the end of an extension after it.
        at_end = {n: record for (i, n), record in judged.items() if i == index and n >= len(phase.checkpoints) - 1}
        last = at_end[max(at_end)] if at_end else None
        met = last is not None and last.verdict.state is FigureState.PASS
        # A person may have gone on without it.
        mark = Mark(Tone.GOOD, "check_circle", "passed") if met else Mark(Tone.CALM, "check", "over")
        return Step(phase.name, share, mark, False, 1.0, (length,), ticks)
    if index > status.phase:
        lines = [length]
        waits = status.next_start is not None and index == status.phase + 1
        if waits:
            lines.append(f"begins {_in(status.next_start, now, speed)}")
        mark = Mark(Tone.CALM, "schedule", "next") if waits else NOT_REACHED if status.state.ended else PENDING
        return Step(phase.name, share, mark, False, 0.0, tuple(lines), ticks)
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


def _tick(at: float, lasts: float, record: CheckpointRecord | None) -> Tick:
    mark = PENDING if record is None else figure_mark(record.verdict.state)
    return Tick(at / lasts if lasts else 1.0, mark, f"checkpoint at {duration(at)}: {mark.word}")


def _in(at: float | None, now: float, speed: float) -> str:
    if at is None:
        return "when it is its turn"
    return f"in {both_times(at - now, speed)} ({clock_time(at)})" if at > now else "now"

"""Rehearsal: the same judge and state machine over recorded figures. What would this plan have done, and when?

The plan's clock starts at the first row and stops at the end of the last one. Nobody is there to act: what is held
stays held, watched by the triggers, as it would be.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.delivery import words
from core.delivery.judge import judge
from core.delivery.machine import apply, decide
from core.delivery.model import Action, Change, Command, State, Status, Verdict
from core.delivery.plan import Plan
from core.delivery.series import TOLERANCE_S, Series
from core.delivery.wire import verdict_to_json
from core.metrics import Group, Recorded

ROLLED_BACK, HELD, ADVANCED, COMPLETED = "rolled_back", "held", "advanced", "completed"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a plan would have done.

    Attributes:
        group: value of the column that rows were grouped by, or None.
        decision: "rolled_back", "held", "advanced" (past a phase at least, and not held since) or "completed".
        at: time of it, seconds since 1970; None where the record just ends.
        reason: a sentence. metric: the figure that decided, or None.
        samples: spans of the candidate in the record.
        verdicts: at each checkpoint, and the ones that something was decided on.
        warnings: what was done to fit plan and record together.
    """

    group: str | None
    decision: str
    at: float | None
    reason: str
    metric: str | None
    samples: int
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as what `json.dumps` takes."""
        document: dict[str, object] = {} if self.group is None else {"group": self.group}
        return document | {
            "decision": self.decision,
            "at": None if self.at is None else _iso(self.at),
            "reason": self.reason,
            "metric": self.metric,
            "samples": self.samples,
            "warnings": list(self.warnings),
            "verdicts": [verdict_to_json(v) | {"at": _iso(v.at)} for v in self.verdicts],
        }

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Return it as text: group, samples, decision, time, figure, reason."""
        at = "" if self.at is None else _iso(self.at)
        decision = self.decision.replace("_", " ")
        return self.group or "", words.count(self.samples), decision, at, self.metric or "", self.reason


def rehearse_groups(plan: Plan, recorded: Recorded, baseline: Recorded | None = None) -> list[Rehearsal]:
    """Rehearse each group of a record against the same baseline (the first group of its record)."""
    old = baseline.groups[0] if baseline is not None else None
    return [rehearse(plan, group, old) for group in recorded.groups]


def rehearse(plan: Plan, candidate: Group, baseline: Group | None = None) -> Rehearsal:
    """Walk the plan's clock over recorded samples.

    Args:
        plan: what is asked of the candidate. Its dates are shifted so that the first phase begins with the first row.
        candidate: rows of the new version, at least one.
        baseline: rows of the old one. Where the two don't overlap in time, it is moved to begin with the candidate.
    """
    new = Series.of(candidate.frame, plan.candidate, candidate.untold)
    warnings = []
    if candidate.seconds > plan.sample_s + TOLERANCE_S:
        plan = at_interval(plan, candidate.seconds)
        warnings.append(
            f"a row spans {words.duration(candidate.seconds)}, longer than the plan's sample: a trigger's window is at"
            f" least {words.duration(2 * candidate.seconds)}, silence counts in rows (hold after"
            f" {words.duration(plan.silent_after_s)}, roll back after {words.duration(plan.silent_rollback_s)})"
        )
    old = Series.of(candidate.frame.select(np.zeros(len(candidate.frame), dtype=bool)), plan.baseline)
    if baseline is not None:
        old = Series.of(baseline.frame, plan.baseline, baseline.untold)
        shift = float(new.start[0] - old.start[0])
        if old.start[0] >= new.end[-1] or old.end[-1] <= new.start[0]:
            old = replace(old, start=old.start + shift)
            warnings.append("the baseline was recorded at another time; it is laid beside the candidate from its start")
    walk = _Walk(plan, new, old)
    walk.run()
    return walk.result(candidate.value, tuple(warnings))


def at_interval(plan: Plan, seconds: float) -> Plan:
    """Return the plan for a source whose samples span longer than the plan's: silence is counted in its samples."""
    stretch = seconds / plan.sample_s
    return replace(
        plan,
        sample_s=seconds,
        silent_after_s=plan.silent_after_s * stretch,
        silent_rollback_s=plan.silent_rollback_s * stretch,
    )


class _Walk:
    """One deployment's way through a record."""

    def __init__(self, plan: Plan, candidate: Series, baseline: Series) -> None:
        self.plan = plan
        self.candidate = candidate
        self.baseline = baseline
        self.begins = float(candidate.start.min())
        self.stops = float(candidate.end.max())
        start = Command(Action.START, "rehearsal", "the record begins")
        # A plan whose dates lie ahead begins with the record, as if a person had started it by then.
        status = Status("rehearsal", plan, State.SCHEDULED, 0, self.begins)
        self.status = self._changed(status, start, self.begins)
        self.decided: Command | None = None
        self.at: float | None = None
        self.verdicts: list[Verdict] = []

    def run(self) -> None:
        """Judge every moment at which something may be decided, in order."""
        now = self.begins
        while (moment := self._next(now)) is not None:
            now = moment
            verdict = self._judge(now)
            checkpoint = self._is_checkpoint(now)
            command = decide(self.status, verdict, now)
            if command is not None and command.action is Action.ASK:
                # Nobody is there to agree: a rehearsal takes it that they do.
                self.status = self._changed(self.status, command, now)
                command = decide(self.status, verdict, now, self.status.gate)
            if command is not None:
                self.status = self._changed(self.status, command, now)
                self.decided, self.at = command, now
            if checkpoint or command is not None:
                self.verdicts.append(verdict)
            if self.status.state.ended and self.status.state is not State.COMPLETED:
                return

    def _next(self, after: float) -> float | None:
        """The next moment to look at: a sample's end, a checkpoint, the phase's end or beginning, a silence's limit."""

        def moments() -> Iterator[float]:
            ends = self.candidate.end
            later = int(np.searchsorted(ends, after + TOLERANCE_S))
            if later < ends.size:
                yield float(ends[later])
            yield from self._due()
            heard = max(float(ends[later - 1]) if later else self.begins, self.status.phase_started or self.begins)
            yield heard + self.plan.silent_after_s
            yield heard + self.plan.silent_rollback_s

        ahead = [m for m in moments() if after + TOLERANCE_S < m <= self.stops + TOLERANCE_S]
        return min(ahead, default=None)

    def _due(self) -> Iterator[float]:
        status = self.status
        if status.phase_started is not None:
            yield from (status.phase_started + s for s in self.plan.phases[status.phase].checkpoints)
        yield from (at for at in (status.phase_ends, status.next_start) if at is not None)

    def _is_checkpoint(self, now: float) -> bool:
        return self.status.state is State.RUNNING and any(abs(now - at) <= TOLERANCE_S for at in self._due())

    def _judge(self, now: float) -> Verdict:
        status = self.status
        assert status.phase_started is not None
        assert status.phase_ends is not None
        return judge(
            self.plan,
            self.plan.phases[status.phase],
            self.candidate,
            self.baseline,
            now,
            phase_started=status.phase_started,
            ended=now >= status.phase_ends,
            open_incidents=self._incidents(status.phase_started, now),
        )

    def _incidents(self, since: float, until: float) -> int | None:
        """The most incidents a row of the phase tells of (when one was closed is not in a record); None: not told."""
        if "incidents" not in self.candidate.gauges:
            return None
        told = self.candidate.between(since, until).gauges["incidents"]
        return int(np.nanmax(told, initial=0))

    @staticmethod
    def _changed(status: Status, command: Command, now: float) -> Status:
        outcome = apply(status, command, now)
        return outcome.status if isinstance(outcome, Change) else status

    def result(self, group: str | None, warnings: tuple[str, ...]) -> Rehearsal:
        """Say what came of it."""
        status, phase = self.status, self.plan.phases[self.status.phase]
        decision = {
            State.ROLLED_BACK: ROLLED_BACK,
            State.HOLDING: HELD,
            State.COMPLETED: COMPLETED,
            State.ADVANCING: ADVANCED,
        }.get(status.state)
        at, reason = self.at, status.why
        metric = self.decided.figure if self.decided is not None else None
        if decision is None or decision == ADVANCED:
            into_s = self.stops - (status.phase_started or self.begins)
            told = f"the record ends {words.duration(into_s)} into {phase.name}"
            if decision == ADVANCED or status.phase > 0:
                decision = ADVANCED
                reason = f"{self.decided.reason if self.decided else ''}; {told}"
            else:
                decision, at, metric = HELD, None, None
                reason = f"{told}, which lasts {words.duration(phase.lasts_s)}: its end was never judged"
        return Rehearsal(group, decision, at, reason, metric, len(self.candidate), tuple(self.verdicts), warnings)


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(round(at), dt.UTC).isoformat().replace("+00:00", "Z")

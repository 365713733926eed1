"""The words of a roll-out, as data: findings, verdicts, a deployment's status, commands, decisions. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.delivery.plan import Figure, Guardrail, Limit, Plan


class FigureState(StrEnum):
    """State of one figure, as shared by pages, reports and the log."""

    PASS = "pass"
    NOT_MEASURED = "not measured"
    COLLECTING = "collecting"
    INCONCLUSIVE = "inconclusive"
    SILENT = "silent"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 for pass up to 5 for fail: the worst wins."""
        return list(FigureState).index(self)


class Role(StrEnum):
    """Why a figure is looked at."""

    CRITERION = "criterion"
    TRIGGER = "trigger"
    GUARDRAIL = "guardrail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the judge says of one figure, with the numbers it says it from.

    Attributes:
        limit: the plan's limit. hold_s: of a trigger, else 0.
        value: the candidate's figure (fraction, ms, count ...), None where there is none.
        low, high: the interval that decided, in the figure's unit; None where there is none.
        baseline: the baseline's figure over the same span.
        events, trials: what a rate is made of (31 of 1,722), also for the slow share behind a latency quantile.
        span_s: plan seconds of data it is computed over.
        wait_s: plan seconds until there is enough at this traffic, where it is collecting and can be told.
        sentence: all of this as a person would say it.
        then: of a breached trigger or guardrail: "roll back" or "hold" or, where the baseline is as bad, "halt"; else
            "".
        guardrail: the guardrail, of one; `limit` is its own, whose value is a multiple of the baseline's figure.
        ratio: the candidate's figure as a multiple of the baseline's; ratio_low, ratio_high: bounds that hold at every
            look together, each with a chance of `alpha` to miss; of a guardrail.
        p_value: always-valid p, and alpha: below which it acts; of a guardrail, and of a trigger that is relative to
            the baseline.
    """

    role: Role
    limit: Limit
    state: FigureState
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    events: int | None = None
    trials: int | None = None
    span_s: float = 0.0
    hold_s: float = 0.0
    wait_s: float | None = None
    then: str = ""
    guardrail: Guardrail | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    p_value: float | None = None
    alpha: float | None = None

    @property
    def figure(self) -> Figure:
        """What it is about."""
        return self.limit.figure


@dataclass(frozen=True, slots=True)
class Seen:
    """Learners of a phase who have made a request so far: of each version, and how many of them of both."""

    candidate: int
    baseline: int
    both: int

    def since(self, earlier: Seen) -> tuple[int, int]:
        """Return how many learners were seen with the candidate and with the baseline for the first time after that.

        Who has only moved to the candidate, as a larger share asks for, isn't new. The sums don't tell which way
        somebody moved: a move back, which nothing asks for, counts as one more for the baseline and one less for the
        candidate. So it weighs twice, to the side of a mismatch that is seen.
        """
        moved = self.both - earlier.both
        return max(0, self.candidate - earlier.candidate - moved), max(0, self.baseline - earlier.baseline)


@dataclass(frozen=True, slots=True)
class Assigned:
    """How learners were assigned in a phase.

    Attributes:
        now: until now. settled: when the phase's share had reached everybody; None before.
        resumed: at plan time `resumed_at`, when it was last decided to hold the phase or to let it go on; None: never.
        known: that learners aren't split as planned was known by then. What only shows afterwards, nobody let go on.
    """

    now: Seen
    settled: Seen | None = None
    resumed: Seen | None = None
    resumed_at: float | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of a phase at one moment.

    Attributes:
        at: plan time of the judgement. elapsed_s: plan seconds of the phase so far.
        criteria, triggers, guardrails: one finding each, in the plan's order; a last guardrail is how learners are
            split, where learners are told.
        silent_s: plan seconds since the candidate's source was last heard, while somebody was listening.
        age_s: plan seconds since it was last heard at all; more than `silent_s` after downtime of our own.
        state: worst state among the criteria that gate.
        assigned: what the split of the learners is counted from.
    """

    phase: str
    at: float
    elapsed_s: float
    criteria: tuple[Finding, ...]
    triggers: tuple[Finding, ...]
    silent_s: float
    age_s: float
    state: FigureState
    guardrails: tuple[Finding, ...] = ()
    assigned: Assigned | None = None

    @property
    def breached(self) -> tuple[Finding, ...]:
        """The triggers that fired, and then the guardrails."""
        return tuple(f for f in (*self.triggers, *self.guardrails) if f.then)

    @property
    def split(self) -> Finding | None:
        """The finding on how learners are split; None where nobody tells learners."""
        return next((f for f in self.guardrails if f.figure is Figure.SPLIT), None)

    @property
    def mismatch(self) -> Finding | None:
        """The same where they aren't split as planned: nothing goes on by itself then."""
        return self.split if self.split is not None and self.split.state is FigureState.FAIL else None


class State(StrEnum):
    """State of a deployment."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    HOLDING = "holding"
    ADVANCING = "advancing"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"

    @property
    def carries_traffic(self) -> bool:
        """Whether the candidate may be getting traffic."""
        return self in {State.RUNNING, State.HOLDING, State.ADVANCING, State.COMPLETED}

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself and another deployment of the flag may start."""
        return self in {State.COMPLETED, State.ROLLED_BACK, State.ABORTED}


@dataclass(frozen=True, slots=True)
class Status:
    """Where a deployment stands; one row of the store, changed only by compare-and-set on `revision`.

    Attributes:
        plan: what it follows. shift_s: added to every date of the plan (a plan whose dates are past begins now).
        phase: index into plan.phases; -1 before the first one.
        phase_started: plan time; extended_s: plan seconds by which people lengthened the phase.
        share: part of the learners that is to get the candidate now.
        next_start: while scheduled or advancing: plan time at which the next phase begins.
        why: the sentence that explains the state.
        halted: holding because the baseline is as bad as the candidate.
        attempt: 1, and one more at each retry.
        checkpoints_done: how many of this phase's checkpoints are judged.
        judged_at: plan time of the last judgement.
        switched_revision: revision at which the switch was last read back as set (see `needs_switch`).
        switch_revision: revision at which `share` last changed, or the switch was found to differ and is set anew.
        rolled_back_at: plan time of the decision. switched_at: of the last read-back.
        verified_at: end of the clean window that proved the rollback.
        verification: "" while it is not known, then "verified" or "unverified".
        gate: what a sign-off that is asked for now is bound to (signoff.gate_of); "" while none is.
        gate_states: the verdicts' states that it was made from.
    """

    id: str
    plan: Plan
    state: State
    revision: int
    created: float
    phase: int = -1
    phase_started: float | None = None
    extended_s: float = 0.0
    share: float = 0.0
    shift_s: float = 0.0
    next_start: float | None = None
    why: str = ""
    halted: bool = False
    attempt: int = 1
    checkpoints_done: int = 0
    judged_at: float | None = None
    switch_revision: int = 0
    switched_revision: int = 0
    rolled_back_at: float | None = None
    switched_at: float | None = None
    verified_at: float | None = None
    verification: str = ""
    gate: str = ""
    gate_states: str = ""

    @property
    def needs_switch(self) -> bool:
        """Whether the traffic switch has not been read back at the share that was decided."""
        return self.switched_revision < self.switch_revision

    @property
    def phase_ends(self) -> float | None:
        """Plan time at which the present phase is judged for the last time; None outside a phase."""
        if self.phase < 0 or self.phase_started is None:
            return None
        return self.phase_started + self.plan.phases[self.phase].lasts_s + self.extended_s


class Action(StrEnum):
    """What can be done to a deployment, by a person or by the monitor."""

    START = "start"
    ADVANCE = "advance"
    HOLD = "hold"
    RESUME = "resume"
    RETRY = "retry"
    ABORT = "abort"
    ROLL_BACK = "rollback"
    COMPLETE = "complete"
    ASK = "ask for sign-off"


@dataclass(frozen=True, slots=True)
class Command:
    """An action asked for.

    Attributes:
        actor: who ("monitor", "api:act-token", "cli:alice", "dashboard:alice").
        by_person: False only for the monitor's own decisions.
        extend_s: of a resume: plan seconds to lengthen the phase by.
        figure, value: what it is because of, where it is because of a figure.
        gate_states: of a request for sign-off: the states of the verdicts to agree to.
        signed: the gate at which everybody who must has agreed; "" where nobody was asked or not all have.
    """

    action: Action
    actor: str
    reason: str
    by_person: bool = True
    extend_s: float = 0.0
    halt: bool = False
    figure: str | None = None
    value: float | None = None
    gate_states: str = ""
    signed: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A state transition that is allowed: the new status and what the event log will say."""

    status: Status
    kind: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A state transition that is not: why, with what to do instead. `already`: it is so already, which is no error."""

    reason: str
    already: bool = False

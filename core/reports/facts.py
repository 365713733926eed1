"""A deployment's events -> what a report needs of them. Pure: the log is all there is, live or exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.delivery import DRILL_FLAG, Drill, Figure, Phase, Plan, measure_drills, parse_plan
from core.store import Event, events

CREATED = "deployment created"
ENTERED = ("phase started", "retried")
DECIDED = (*ENTERED, "deployment scheduled", "phase passed", "sign-off asked for", "held", "halted", "resumed",
           "rolled back", "aborted", "completed")  # fmt: skip
_FIGURES = frozenset(Figure)  # a log may be of a later version, and have others
SIGNED = ("signed off", "sign-off refused")


class UnknownDeployment(LookupError):
    """The log doesn't know which deployment is meant; the text says why, and which it has."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure at one checkpoint, as the log has it; numbers are None where there are none or an old log has none."""

    figure: Figure
    state: str
    value: float | None
    limit: str
    bound: float | None
    low: float | None
    high: float | None
    baseline: float | None
    events: int | None
    trials: int | None
    ratio: float | None
    p_value: float | None
    alpha: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint. `number` from 1; `seen`: by version, requests and learners of the phase, {} in an old log."""

    event: Event
    attempt: int
    phase: str
    number: int
    of: int
    state: str
    late_s: float
    criteria: tuple[Judged, ...]
    guardrails: tuple[Judged, ...]
    seen: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Signed:
    """A decision of a seat on a phase.

    Attributes:
        gate: hash that it is bound to. phase: that it is about; "" in an old log.
        withdrawn: the event that took it back. stale: the seats were asked anew since.
        stands: it counts at the latest gate.
    """

    event: Event
    gate: str
    phase: str
    seat: str
    person: str
    decision: str
    comment: str
    withdrawn: Event | None
    stale: bool
    stands: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident with what was done about it; None where it was not."""

    opened: Event
    closed: Event | None
    calls: tuple[Event, ...]
    acknowledged: Event | None


Duty = Callable[[float], Sequence[tuple[str, str]]]
"""Says who is on call at a wall time: for each level, who ("nobody" where nobody is)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the log says of one deployment.

    Attributes:
        created: its first event, which has the plan. log: all of its events. last: the latest of them.
        phase: the one that it is in, or was last; None before the first. decided: changes of its state.
        attempt_began: the event with which the present attempt began.
        duty: who is on call when: all that isn't of the log; None where no roster is known.
    """

    id: str
    plan: Plan
    created: Event
    log: tuple[Event, ...]
    decided: tuple[Event, ...]
    checkpoints: tuple[Checkpoint, ...]
    signed: tuple[Signed, ...]
    gates: tuple[Event, ...]
    troubles: tuple[Trouble, ...]
    drills: tuple[Drill, ...]
    duty: Duty | None = None

    @property
    def in_real_time(self) -> bool:
        """Whether the plan's clock is the one on the wall."""
        return abs(self.last.at - self.last.wall) < 1.0

    @property
    def last(self) -> Event:
        """The latest event."""
        return self.log[-1]

    @property
    def state(self) -> str:
        """The state that the latest decision led to."""
        return str(self.decided[-1].data.get("to", "draft")) if self.decided else "draft"

    @property
    def phase(self) -> int:
        """Index of the phase that it is or was in; -1 before the first."""
        entered = [e for e in self.decided if e.kind in ENTERED]
        names = [phase.name for phase in self.plan.phases]
        return names.index(str(entered[-1].data["phase"])) if entered else -1

    @property
    def attempt_began(self) -> Event | None:
        """The event with which the present attempt began; None before it has."""
        return next(
            (e for e in reversed(self.decided) if e.kind == "retried" or (e.kind in ENTERED and self._is_first(e))),
            None,
        )

    def _is_first(self, event: Event) -> bool:
        return event.data.get("phase") == self.plan.phases[0].name

    @property
    def following(self) -> Phase | None:
        """The phase that comes next; None after the last one."""
        at = self.phase + 1
        return self.plan.phases[at] if at < len(self.plan.phases) else None

    @property
    def gate(self) -> Event | None:
        """The latest request for sign-off; None where there was none."""
        return self.gates[-1] if self.gates else None

    def opens(self, phase: Phase) -> float | None:
        """Return the plan time before which a phase may not begin; None where no such time lies ahead of the log."""
        if phase.starts is None or self.plan.skip_gaps:
            return None
        first, began = self.plan.phases[0].starts, self.attempt_began
        opens = phase.starts + (began.at - first if began is not None and first is not None else 0.0)
        return opens if opens > self.last.at else None


def choose(log: Sequence[Event], deployment: str | None) -> str:
    """Return which deployment of a log is meant: the one named, or else its latest that is no drill.

    Raises:
        UnknownDeployment: there is none.
    """
    made = [e for e in log if e.kind == CREATED and e.data.get("flag") != DRILL_FLAG]
    if deployment is None and made:
        return made[-1].deployment
    if deployment is not None and any(e.kind == CREATED and e.deployment == deployment for e in log):
        return deployment
    if not made:
        raise UnknownDeployment("the log has no deployment yet")
    known = ", ".join(e.deployment for e in made[-5:])
    raise UnknownDeployment(f"the log has no deployment {deployment!r}; it has: {known}")


def read_facts(connection: Connection, deployment: str | None, duty: Duty | None = None) -> Facts:
    """Read what the store's log says of a deployment (None: see `choose`), and none of the others' events.

    Raises:
        UnknownDeployment: there is none. PlanError: this version can't read its plan.
    """
    made = events(connection, deployment=deployment, kinds=[CREATED])
    if not made:  # say which there are
        made = events(connection, kinds=[CREATED])
    chosen = choose(made, deployment)
    return facts_of(events(connection, deployment=chosen), chosen, duty)


def facts_of(log: Sequence[Event], deployment: str, duty: Duty | None = None) -> Facts:
    """Read what a log, oldest first, says of a deployment.

    Raises:
        UnknownDeployment: it says nothing of it.
    """
    mine = tuple(e for e in log if e.deployment == deployment)
    created = next((e for e in mine if e.kind == CREATED), None)
    if created is None:
        raise UnknownDeployment(f"the log has no deployment {deployment!r}")
    gates = tuple(e for e in mine if e.kind == "sign-off asked for")
    return Facts(
        deployment,
        parse_plan(str(created.data["plan"]), "the plan in the log"),
        created,
        mine,
        tuple(e for e in mine if e.kind in DECIDED),
        tuple(_checkpoint(e) for e in mine if e.kind == "checkpoint judged"),
        tuple(_signed(e, mine, gates) for e in mine if e.kind in SIGNED),
        gates,
        tuple(_trouble(e, mine) for e in mine if e.kind == "incident opened"),
        tuple(measure_drills(mine)),
        duty,
    )


def _checkpoint(event: Event) -> Checkpoint:
    data, findings = event.data, event.data["findings"]
    split = data.get("split")  # one that is still being counted says nothing yet
    compared = [*data.get("guardrails", ()), *([split] if split and split["state"] != "collecting" else [])]
    guardrails = tuple(_judged(f) for f in compared if f["figure"] in _FIGURES)
    return Checkpoint(
        event, int(data["attempt"]), data["phase"], int(data["number"]), int(data["of"]), data["state"],
        float(data.get("late_s", 0.0)), tuple(_judged(f) for f in findings if f["figure"] in _FIGURES),
        guardrails, data.get("seen", {}),
    )  # fmt: skip


def _judged(told: dict[str, Any]) -> Judged:
    get = told.get
    return Judged(
        Figure(str(told["figure"])), str(told["state"]), get("value"), str(get("op", "")), get("limit"), get("low"),
        get("high"), get("baseline"), get("events"), get("trials"), get("ratio"), get("p_value"), get("alpha"),
        str(get("sentence", "")),
    )  # fmt: skip


def _signed(event: Event, log: tuple[Event, ...], gates: tuple[Event, ...]) -> Signed:
    data = event.data
    back = next(
        (
            e
            for e in log
            if e.seq > event.seq
            and e.kind == "sign-off withdrawn"
            and (e.data["gate"], e.data["seat"], e.data["person"]) == (data["gate"], data["seat"], data["person"])
        ),
        None,
    )
    asked = next((g.data for g in gates if g.data.get("gate") == data["gate"]), {})
    of_phase = [
        g.data.get("gate") for g in gates if all(g.data.get(key) == asked.get(key) for key in ("phase", "attempt"))
    ]
    current = bool(gates) and gates[-1].data.get("gate") == data["gate"]
    return Signed(
        event, data["gate"], str(asked.get("phase", "")), data["seat"], data["person"], data["decision"], event.reason,
        back, not of_phase or of_phase[-1] != data["gate"], current and back is None,
    )  # fmt: skip


def _trouble(opened: Event, log: tuple[Event, ...]) -> Trouble:
    mine = [e for e in log if e.data.get("incident") == opened.data["incident"]]
    return Trouble(
        opened,
        next((e for e in mine if e.kind == "incident closed"), None),
        tuple(e for e in mine if e.kind == "called"),
        next((e for e in mine if e.kind == "acknowledged"), None),
    )

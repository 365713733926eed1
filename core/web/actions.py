"""What buttons do. No `st.*` here: Streamlit interrupts scripts at their next `st` call, and a rollback must not be."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import httpx

from core.delivery import Action, Busy, Command, Conflict, Deliveries, Plan, PlanError, Status, Unknown, parse_plan
from core.identity import Permission, Person, why_not
from core.settings import Settings
from core.store import StoreUnavailable
from core.traffic import SwitchError
from core.web.ratelimit import RateLimit
from core.web.views.marks import Tone

logger = logging.getLogger(__name__)

MAX_PLAN_BYTES = 200_000
_FAULT_TIMEOUT_S = 2.0

DONE = {
    Action.START: "Started",
    Action.ADVANCE: "Advanced",
    Action.HOLD: "On hold",
    Action.RESUME: "Resumed",
    Action.RETRY: "Started again",
    Action.ABORT: "Aborted",
    Action.ROLL_BACK: "Rolled back",
}
_BY_HAND = {
    Action.START: "started by hand",
    Action.ADVANCE: "advanced by hand",
    Action.HOLD: "held by hand",
    Action.RESUME: "resumed by hand",
    Action.RETRY: "retried by hand",
    Action.ABORT: "aborted by hand",
    Action.ROLL_BACK: "rolled back by hand",
}
# What takes learners off the candidate must work on a page that is behind the times; what adds any must not.
PROTECTS = frozenset({Action.ROLL_BACK, Action.ABORT, Action.HOLD})
"""Actions that give no learner the candidate."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a click, as a person is told it. `deployment`: the one it was about, or that it made."""

    tone: Tone
    text: str
    deployment: str = ""

    @property
    def ok(self) -> bool:
        """Whether what was asked for is so now."""
        return self.tone is Tone.GOOD


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan that was read, or what is wrong with its text: (line, field, value, expected) each."""

    plan: Plan | None
    problems: tuple[tuple[str, str, str, str], ...] = ()


def permission(action: Action) -> Permission:
    """Return what a person must be allowed to do something."""
    return Permission.PROTECT if action in PROTECTS else Permission.ADVANCE


def refused(person: Person, needed: Permission, limits: RateLimit | None = None) -> Told | None:
    """Return what to say to somebody who may not do something, or not that often; None where they may."""
    if reason := why_not(person, needed, time.time()):
        logger.warning("refused: %s", reason)
        return Told(Tone.BAD, f"Nothing was done: {reason}.")
    wait_s = 0 if limits is None else limits.wait_s(person.actor, protects=needed is Permission.PROTECT)
    if wait_s:
        return Told(Tone.WATCH, f"Nothing was done: too many changes within a minute. Wait {wait_s} s.")
    return None


def act(
    deliveries: Deliveries,
    person: Person,
    deployment: str,
    action: Action,
    reason: str,
    *,
    revision: int | None = None,
    extend_s: float = 0.0,
    limits: RateLimit | None = None,
) -> Told:
    """Do what a button says, in one transaction.

    Args:
        deliveries: of the installation.
        person: who clicked; what they may do is looked at here, whatever the page offered.
        deployment: id of the deployment.
        action: what to do. reason: why; "" is recorded as "by hand".
        revision: of the deployment as the person saw it; what adds learners is refused if it has moved on.
        extend_s: of a resume: plan seconds to lengthen the phase by.
        limits: how often they may.
    """
    if (refusal := refused(person, permission(action), limits)) is not None:
        return refusal
    command = Command(action, person.actor, reason.strip() or _BY_HAND[action], extend_s=extend_s)
    expected = None if action in PROTECTS else revision
    try:
        outcome = deliveries.command(deployment, command, expected_revision=expected)
    except (Unknown, Conflict, StoreUnavailable) as error:
        return Told(Tone.BAD, f"Nothing was done: {error}.", deployment)
    if outcome.refusal is not None and not outcome.refusal.already:
        return Told(Tone.WATCH, f"Nothing was done: {outcome.refusal.reason}.", deployment)
    if outcome.refusal is not None:
        return Told(Tone.GOOD, f"Nothing to do: {outcome.refusal.reason}.", deployment)
    done = _said(outcome.status, action)
    return (
        Told(Tone.GOOD, done, deployment)
        if outcome.switched
        else Told(Tone.WATCH, f"{done} {outcome.note.capitalize()}.", deployment)
    )


def _said(status: Status, action: Action) -> str:
    plan = status.plan
    if action is Action.ABORT and status.phase < 0:
        return f"{DONE[action]}: it had not begun."
    if action in {Action.ROLL_BACK, Action.ABORT}:
        if status.needs_switch:
            return f"{DONE[action]}, but learners may still get {plan.candidate}."
        return f"{DONE[action]}: every learner gets {plan.baseline}."
    return f"{DONE[action]}: {status.why}."


def deploy(
    deliveries: Deliveries, person: Person, plan: Plan, *, start: bool = False, limits: RateLimit | None = None
) -> Told:
    """Make a deployment of a plan, and start it if asked to."""
    if (refusal := refused(person, Permission.ADVANCE, limits)) is not None:
        return refusal
    try:
        status = deliveries.create(plan, person.actor)
    except (Busy, SwitchError, StoreUnavailable) as error:
        return Told(Tone.WATCH, f"Nothing was done: {error}.")
    if start:
        return act(deliveries, person, status.id, Action.START, "", revision=status.revision)
    return Told(Tone.GOOD, f"{plan.name} is ready; no learner gets {plan.candidate} until you start it.", status.id)


def check(text: str, name: str) -> Checked:
    """Read a plan's text; never raises for what a person wrote."""
    if len(text.encode()) > MAX_PLAN_BYTES:
        return Checked(
            None, (("", "", f"{len(text.encode()):,} bytes", f"a plan of at most {MAX_PLAN_BYTES:,} bytes"),)
        )
    try:
        return Checked(parse_plan(text, name))
    except PlanError as error:
        problems = tuple(
            (str(p.line or ""), p.field or "", "" if p.value is None else str(p.value), p.expected)
            for p in error.problems
        )
        return Checked(None, problems)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that the demo can have: its key, what it is called, and what it breaks."""

    key: str
    label: str
    breaks: str


@dataclass(frozen=True, slots=True)
class Faults:
    """What can be broken in the demo, and what is (`key` None: nothing)."""

    key: str | None
    kinds: tuple[Fault, ...]


def switch_fault(settings: Settings, person: Person, fault: str | None) -> Told:
    """Break the demo's candidate in one way, or mend it (None)."""
    if (refusal := refused(person, Permission.ADVANCE)) is not None:
        return refusal
    if settings.demo_url is None:
        return Told(Tone.WATCH, "No demo is running.")
    try:
        answer = httpx.put(
            f"{settings.demo_url.rstrip('/')}/faults",
            json={"fault": fault},
            headers=_bearer(settings),
            timeout=_FAULT_TIMEOUT_S,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("the demo's fault switch failed: %s", error)
        return Told(Tone.BAD, "The demo does not answer, so nothing was switched. Is `canary demo` still running?")
    said = f"The candidate is broken now: {fault.replace('-', ' ')}." if fault else "The candidate is whole again."
    return Told(Tone.GOOD, said)


def faults(settings: Settings) -> Faults | None:
    """Return what can be broken in the demo and what is; None where it doesn't answer."""
    if settings.demo_url is None:
        return None
    try:
        answer = httpx.get(
            f"{settings.demo_url.rstrip('/')}/faults", headers=_bearer(settings), timeout=_FAULT_TIMEOUT_S
        )
        answer.raise_for_status()
        told = answer.json()
        kinds = tuple(
            Fault(str(k["fault"]), str(k["fault"]).replace("-", " ").capitalize(), str(k["sentence"]))
            for k in told["faults"]
        )
        return Faults(told["fault"], kinds)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        logger.warning("the demo does not tell its faults: %s", error)
        return None


def _bearer(settings: Settings) -> dict[str, str]:
    token = settings.demo_token
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}

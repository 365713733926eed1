"""Acting on deployments: one transaction a change, then the switch set, read back and logged.

A change is committed before the switch is told: the built-in flag service reads the committed row, so that with it a
rollback takes effect at the commit, whether or not a monitor or this very process lives on to see it through.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from core.delivery import machine, records
from core.delivery.model import Action, Change, Command, Refusal, State, Status
from core.delivery.plan import Plan
from core.delivery.signoff import standing
from core.delivery.words import percent
from core.delivery.words import switch as say_switch
from core.store import Store, StoreUnavailable, Trouble, Tx, give_up_reserve
from core.traffic import SwitchError, TrafficSwitch, committed_rule

logger = logging.getLogger(__name__)

SWITCH_FAILED, SWITCH_DRIFTED, SWITCH_UNREADABLE = "switch failed", "switch drifted", "switch unreadable"
SWITCH_CAUSES = frozenset({SWITCH_FAILED, SWITCH_DRIFTED, SWITCH_UNREADABLE})
"""What incidents of the traffic switch are because of."""

_NAME = 55  # characters of the plan's name that are in a deployment's id, which has 64 at most
_ROUNDS = 3
"""Decisions that one caller sees through to the switch; more, in such short time, are left to the monitor."""

_PROTECTS = frozenset({Action.ROLL_BACK, Action.ABORT, Action.HOLD})
"""What is done on a full disk, too."""

Fence = Callable[[Tx], None]
T = TypeVar("T")


class Busy(RuntimeError):
    """Another deployment of the same flag is under way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command.

    Attributes:
        status: how the deployment stands now.
        refusal: why nothing was done; None where something was. `refusal.already` means it was so already.
        switched: whether the traffic switch has been read back at the share that was decided.
        note: what a person should know besides ("" for nothing).
    """

    status: Status
    refusal: Refusal | None
    switched: bool
    note: str = ""


class Deliveries:
    """All deployments of a store, and the switch that carries their traffic."""

    def __init__(self, store: Store, switch: TrafficSwitch) -> None:
        self.store = store
        self.switch = switch

    def create(self, plan: Plan, actor: str, reason: str = "") -> Status:
        """Remember a plan as a new deployment; it starts when told to.

        Raises:
            Busy: a deployment of the same flag has not ended yet.
            SwitchError: the switch can't set one of the plan's shares exactly.
        """
        for phase in plan.phases:
            self.switch.check(plan.flag, phase.share)
        with self.store.transaction() as tx:
            for other in records.read_all(tx.connection, plan.flag):
                if not other.state.ended:
                    raise Busy(
                        f"deployment {other.id} of flag {plan.flag!r} is {other.state}: "
                        "finish, abort or roll it back first"
                    )
            now = self.store.clock().now()
            status = Status(f"{plan.name[:_NAME]}-{uuid.uuid4().hex[:8]}", plan, State.DRAFT, 1, now, why="not started")
            records.add_deployment(tx, status)
            data = {
                "revision": status.revision,
                "flag": plan.flag,
                "baseline": plan.baseline,
                "candidate": plan.candidate,
                "plan": plan.text,
                "simulated": plan.simulated,
            }
            tx.append("deployment created", actor, reason, status.id, data)
        return status

    def command(
        self,
        deployment_id: str,
        command: Command,
        *,
        expected_revision: int | None = None,
        fence: Fence | None = None,
    ) -> Outcome:
        """Do what is asked, in one transaction with its event, then bring the switch along.

        What takes learners away from the candidate, or keeps more from coming, is done on a full disk, too: there is
        some room kept for that.

        Args:
            deployment_id: which deployment.
            command: what to do, who asks, and why.
            expected_revision: refuse if the deployment has moved on since it was looked at.
            fence: raises inside the transaction when the caller may no longer act (an expired lease).

        Raises:
            records.Unknown: there is no such deployment. StoreUnavailable: the database can't be used.
        """
        before, change = self._pressing(
            command, lambda: self._decided(deployment_id, command, expected_revision, fence)
        )
        if expected_revision not in {None, before.revision}:
            return Outcome(before, change if isinstance(change, Refusal) else None, not before.needs_switch)
        # What was decided earlier may still be on its way to the switch: a second click sees it through.
        switched = self._pressing(command, lambda: self.reconcile(deployment_id, fence))
        if isinstance(change, Refusal):
            return Outcome(before, change, switched)
        return Outcome(self.status(deployment_id), None, switched, "" if switched else self._unconfirmed(deployment_id))

    def _pressing(self, command: Command, write: Callable[[], T]) -> T:
        """Write, if need be with the room that is kept on the disk for what protects learners."""
        while True:
            try:
                return write()
            except StoreUnavailable as error:
                if error.trouble is not Trouble.FULL or command.action not in _PROTECTS:
                    raise
                if not give_up_reserve(self.store.home):
                    raise

    def _decided(
        self, deployment_id: str, command: Command, expected_revision: int | None, fence: Fence | None
    ) -> tuple[Status, Change | Refusal]:
        with self.store.transaction() as tx:
            if fence is not None:
                fence(tx)
            before = records.read_status(tx.connection, deployment_id)
            if expected_revision is not None and before.revision != expected_revision:
                moved_on = Refusal(
                    f"it has changed since you looked: it is {before.state} now ({before.why}). Look again"
                )
                return before, moved_on
            # Whoever asks: whether all have agreed is looked up here, in the transaction that acts on it.
            agreed = standing(tx.connection, before)
            command = replace(command, signed=before.gate if agreed is not None and agreed.complete else "")
            change = machine.apply(before, command, self.store.clock().now())
            if isinstance(change, Change):
                change = self._overruled(tx, before, command) or change
            if isinstance(change, Change):
                self._commit(tx, before, change, command)
        return before, change

    def _unconfirmed(self, deployment_id: str) -> str:
        with self.store.read() as connection:
            open_now = records.incidents(connection, deployment_id, open_only=True)
        why = next((f" ({i.summary})" for i in open_now if i.cause == SWITCH_FAILED), "")
        return (
            f"decided and recorded, but the traffic switch has not confirmed it yet{why}; a running monitor tries again"
        )

    @staticmethod
    def _overruled(tx: Tx, status: Status, command: Command) -> Refusal | None:
        """Refuse what would set two deployments of one flag against each other."""
        back_from_completed = command.action is Action.ROLL_BACK and status.state is State.COMPLETED
        if command.action is not Action.RETRY and not back_from_completed:
            return None
        # One that has not begun moves no traffic: it must not keep a bad candidate at 100 %.
        under_way = [
            s.id
            for s in records.read_all(tx.connection, status.plan.flag)
            if not s.state.ended and (s.phase >= 0 or not back_from_completed)
        ]
        if not under_way:
            return None
        hint = "roll that one back" if back_from_completed else "finish, abort or roll it back first"
        return Refusal(f"deployment {under_way[0]} of flag {status.plan.flag!r} is under way and decides: {hint}")

    def _commit(self, tx: Tx, before: Status, change: Change, command: Command) -> None:
        after, open_now = change.status, records.incidents(tx.connection, before.id, open_only=True)
        settles = command.by_person and command.action in {Action.RESUME, Action.RETRY, Action.ADVANCE, Action.ABORT}
        if settles and any(incident.cause == SWITCH_DRIFTED for incident in open_now):
            after = replace(after, switch_revision=after.revision)  # set anew, whatever it has drifted to
        records.replace_deployment(tx, before, after)
        tx.append(change.kind, command.actor, command.reason, before.id, change.data)
        if settles:
            for incident in open_now:
                records.close_incident(tx, incident, command.actor, f"{command.action}: {command.reason}")
        if not command.by_person and (command.halt or command.action is Action.ROLL_BACK):
            records.open_incident(tx, before.id, change.kind, command.reason, command.actor)

    def reconcile(self, deployment_id: str, fence: Fence | None = None) -> bool:
        """Bring the switch to the share that was decided, read it back and log it; True when it is there.

        Safe to call at any time by anybody: setting is idempotent, and the log gets one event a decision. What was
        decided while the switch was being set is set after it.
        """
        for _ in range(_ROUNDS):
            status = self.status(deployment_id)
            if not status.needs_switch:
                return True
            settled = self._settle(status, fence)
            if settled is not None:
                return settled
        return False

    def _settle(self, status: Status, fence: Fence | None) -> bool | None:
        """Set, read back and log what a status says; None where another decision was committed meanwhile."""
        try:
            self.switch.set(status.plan.flag, status.share, status.revision)
            seen = self.switch.get(status.plan.flag)
        except SwitchError as error:
            if self.status(status.id).switch_revision != status.switch_revision:
                return None
            if not self._superseded(status):
                self._switch_failed(status, str(error))
            return False
        if seen.stale or not seen.agrees(status.share):
            self._switch_failed(status, f"asked for {percent(status.share)}, but {say_switch(seen)}")
            return False
        with self.store.transaction() as tx:
            if fence is not None:
                fence(tx)
            current = records.read_status(tx.connection, status.id)
            if current.switch_revision != status.switch_revision:
                # Others may have set theirs before we set ours, which was out of date by then: theirs is set again.
                if not current.needs_switch:
                    self._set_again(tx, current)
                return None
            if not current.needs_switch:
                return True
            now = self.store.clock().now()
            after = replace(
                current, revision=current.revision + 1, switched_revision=current.switch_revision, switched_at=now
            )
            records.replace_deployment(tx, current, after)
            data = {"share": status.share, "source": seen.source, "attempt": status.attempt, "revision": after.revision}
            actor = "monitor" if fence else "switch"
            tx.append("traffic switched", actor, f"read back: {percent(seen.share)} of the learners", status.id, data)
            for incident in records.incidents(tx.connection, status.id, open_only=True):
                if incident.cause in {SWITCH_FAILED, SWITCH_UNREADABLE}:
                    records.close_incident(
                        tx, incident, actor, "the switch was read back at the share that was decided"
                    )
        return True

    @staticmethod
    def _set_again(tx: Tx, current: Status) -> None:
        revision = current.revision + 1
        records.replace_deployment(tx, current, replace(current, revision=revision, switch_revision=revision))

    def _superseded(self, status: Status) -> bool:
        """Let go of a switch that was never read back and now follows a later deployment; True where that is so."""
        with self.store.transaction() as tx:
            others = [s for s in records.read_all(tx.connection, status.plan.flag) if s.id != status.id]
            deciding = next((s for s in others if not s.state.ended and s.phase >= 0), None)
            current = records.read_status(tx.connection, status.id)
            if deciding is None or not current.state.ended or not current.needs_switch:
                return False
            after = replace(current, revision=current.revision + 1, switched_revision=current.switch_revision)
            records.replace_deployment(tx, current, after)
            data = {"share": status.share, "attempt": status.attempt, "revision": after.revision, "by": deciding.id}
            reason = f"deployment {deciding.id} decides the flag now"
            tx.append("switch superseded", "switch", reason, status.id, data)
        return True

    def _switch_failed(self, status: Status, problem: str) -> None:
        logger.error("the traffic switch refused %s: %s", status.id, problem)
        with self.store.transaction() as tx:
            open_causes = {i.cause for i in records.incidents(tx.connection, status.id, open_only=True)}
            if SWITCH_FAILED not in open_causes:
                data = {"share": status.share, "attempt": status.attempt}
                tx.append(SWITCH_FAILED, "switch", problem, status.id, data)
                records.open_incident(tx, status.id, SWITCH_FAILED, problem, "switch")

    def status(self, deployment_id: str) -> Status:
        """Return a deployment's status.

        Raises:
            records.Unknown: there is no such deployment.
        """
        with self.store.read() as connection:
            return records.read_status(connection, deployment_id)

    def all(self) -> list[Status]:
        """Return every deployment, newest first."""
        with self.store.read() as connection:
            return records.read_all(connection)

    def current(self, flag: str | None = None) -> Status | None:
        """Return the deployment to show: the one under way, else the newest."""
        with self.store.read() as connection:
            statuses = records.read_all(connection, flag)
        return next((s for s in statuses if not s.state.ended), statuses[0] if statuses else None)

    def deciding(self, flag: str) -> Status | None:
        """Return the deployment that a flag follows now, which a later one that hasn't begun is not.

        Before the first one has begun it is the newest draft. None where it can't be told.
        """
        try:
            # Of the committed rows, not of the switch: it may be down just when somebody wants to roll back.
            rule = committed_rule(self.store, flag)
            return None if rule is None else self.status(rule.deployment)
        except (StoreUnavailable, records.Unknown):
            return None

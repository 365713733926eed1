"""Is the traffic as it was decided? What a switch does is compared with what is committed; a difference is an incident.

More traffic for the candidate than was decided, now or after a restart of the switch, is put right at once. Less is
not: somebody may have taken the candidate out by hand for a good reason, so the deployment holds, and a person decides.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from core.delivery import records
from core.delivery.machine import MONITOR
from core.delivery.model import Action, Command, State, Status
from core.delivery.service import SWITCH_CAUSES, SWITCH_DRIFTED, SWITCH_UNREADABLE, Deliveries, Fence
from core.delivery.words import percent
from core.delivery.words import switch as say_switch
from core.store import StoreUnavailable
from core.traffic import SwitchError, SwitchState, committed_rule

logger = logging.getLogger(__name__)

CALM_S = 60.0
"""Wall seconds after which a drift that is over closes its incident: one that comes and goes is one incident."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found of one flag.

    Attributes:
        share: what is committed. status: of the deployment that decides it.
        seen: what the switch does; None where it can't be read.
        problem: why it can't, or how it differs; "" when all is well.
    """

    flag: str
    share: float
    status: Status
    seen: SwitchState | None
    problem: str = ""


def read_switch(deliveries: Deliveries, flag: str) -> Reading | None:
    """Compare a flag's switch with what is committed; None where nothing is to be compared.

    That is so before the flag's first deployment has begun, and while a decision is still on its way to the switch.
    """
    try:
        rule = committed_rule(deliveries.store, flag)
    except StoreUnavailable:
        return None
    if rule is None or not rule.active:
        return None
    status = deliveries.status(rule.deployment)
    if status.needs_switch or status.revision != rule.revision:
        return None
    try:
        seen = deliveries.switch.get(flag)
    except SwitchError as error:
        return Reading(flag, rule.share, status, None, str(error))
    problem = "" if seen.agrees(rule.share) else f"{percent(rule.share)} was decided, but {say_switch(seen)}"
    return Reading(flag, rule.share, status, seen, problem)


def watch_switch(deliveries: Deliveries, flag: str, fence: Fence) -> bool:
    """Look at a flag's switch once and do what a difference calls for; False when the switch can't be read or set.

    Raises:
        Fenced: the caller may no longer act.
    """
    reading = read_switch(deliveries, flag)
    if reading is None:
        return True
    if reading.seen is None:
        _open(deliveries, reading, SWITCH_UNREADABLE, fence)
        return False
    if not reading.problem:
        _close(deliveries, reading, fence)
        return True
    status, exceeds = reading.status, reading.seen.exceeds(reading.share)
    then = "it is put right" if exceeds else "`canary switch --restore`, or resuming the deployment, sets it anew"
    reading = replace(reading, problem=f"{reading.problem}; {then}")
    logger.error("the traffic switch has drifted: %s", reading.problem)
    if not _open(deliveries, reading, SWITCH_DRIFTED, fence, put_right=exceeds):
        return True
    if exceeds:
        return deliveries.reconcile(status.id, fence)
    if status.state in {State.RUNNING, State.ADVANCING}:
        hold = Command(Action.HOLD, MONITOR, reading.problem, by_person=False)
        deliveries.command(status.id, hold, fence=fence)
    return True


def _open(deliveries: Deliveries, reading: Reading, cause: str, fence: Fence, *, put_right: bool = False) -> bool:
    """Open an incident unless it is open; mark the switch to be set. False where the deployment has changed since."""
    with deliveries.store.transaction() as tx:
        fence(tx)
        before = records.read_status(tx.connection, reading.status.id)
        if before.revision != reading.status.revision:
            return False
        known = cause in {i.cause for i in records.incidents(tx.connection, before.id, open_only=True)}
        if put_right or not known:
            tx.append(cause, MONITOR, reading.problem, before.id, _facts(reading))
        if not known:
            records.open_incident(tx, before.id, cause, reading.problem, MONITOR)
        if put_right:
            revision = before.revision + 1
            records.replace_deployment(tx, before, replace(before, revision=revision, switch_revision=revision))
    return True


def _facts(reading: Reading) -> dict[str, object]:
    facts: dict[str, object] = {"decided": reading.share, "attempt": reading.status.attempt}
    if reading.seen is not None:
        facts |= {"share": reading.seen.share, "source": reading.seen.source}
        facts |= {
            name: told
            for name, told in (("lowest", reading.seen.lowest), ("restart", reading.seen.restart))
            if told is not None
        }
    return facts


def _close(deliveries: Deliveries, reading: Reading, fence: Fence) -> None:
    """Close the incidents of a switch that does what was decided, of whichever of the flag's deployments they are."""
    clock = deliveries.store.clock()
    calm = clock.now() - CALM_S * clock.speed
    with deliveries.store.read() as connection:
        of_flag = {status.id for status in records.read_all(connection, reading.flag)}
        over = {i.id for i in _of_switch(connection) if i.deployment in of_flag and _is_over(i, calm)}
    if not over:
        return
    with deliveries.store.transaction() as tx:
        fence(tx)
        for incident in _of_switch(tx.connection):
            if incident.id in over:
                records.close_incident(tx, incident, MONITOR, f"{percent(reading.share)} is read back, as decided")


def _of_switch(connection: Connection) -> list[records.Incident]:
    return [i for i in records.incidents(connection, open_only=True) if i.cause in SWITCH_CAUSES]


def _is_over(incident: records.Incident, calm: float) -> bool:
    return incident.cause != SWITCH_DRIFTED or incident.opened <= calm


def restore_switch(deliveries: Deliveries, flag: str, actor: str, reason: str) -> bool:
    """Set the switch anew to what is committed, because a person says so; True when it was read back.

    Raises:
        LookupError: no deployment of this flag has begun.
    """
    rule = committed_rule(deliveries.store, flag)
    if rule is None or not rule.active:
        raise LookupError(f"no deployment of flag {flag!r} has begun")
    with deliveries.store.transaction() as tx:
        before = records.read_status(tx.connection, rule.deployment)
        revision = before.revision + 1
        records.replace_deployment(tx, before, replace(before, revision=revision, switch_revision=revision))
        data = {"share": before.share, "attempt": before.attempt, "revision": revision}
        tx.append("switch set anew", actor, reason, before.id, data)
        for incident in _of_switch(tx.connection):
            if incident.deployment == before.id and incident.cause == SWITCH_DRIFTED:
                records.close_incident(tx, incident, actor, reason)
    return deliveries.reconcile(rule.deployment)

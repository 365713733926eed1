"""Lease and newest sample -> how fresh a page is, and whether anybody watches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery import SWITCH_DRIFTED, SWITCH_FAILED, SWITCH_UNREADABLE, Incident, State, Status
from core.delivery.words import percent
from core.store import Clock, Lease
from core.web.views.says import sentence
from core.web.views.times import ago, both_times, precise

MONITOR_GRACE_S = 1.0
"""Wall seconds after a lease ran out before the monitor is called dead: another one may be taking over."""

UNPROVED_SPANS = 20
"""Sample spans after which a rollback without a proof is an alarm: twice as many as the monitor waits for traffic."""


_SWITCH = {
    SWITCH_DRIFTED: "The traffic is or was not as decided",
    SWITCH_UNREADABLE: "Nobody can tell what the traffic switch does",
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """How fresh what is shown is, and whether anybody watches. `alarms` are said louder than all else."""

    data: str
    monitor: str
    alarms: tuple[str, ...]


def pulse(
    status: Status,
    lease: Lease | None,
    newest: float | None,
    clock: Clock,
    wall: float,
    incidents: Sequence[Incident] = (),
) -> Pulse:
    """Say how old the data is and whether the monitor lives.

    Args:
        status: of the deployment that is shown.
        lease: the monitor's.
        newest: plan time at which the candidate's newest sample ends; None where there is none.
        clock: the plan's. wall: wall time now.
        incidents: of the deployment; what is wrong with the traffic switch is told from the open ones.
    """
    now, speed = clock.plan(wall), clock.speed
    alarms: list[str] = []
    watched = status.state.carries_traffic or status.state is State.SCHEDULED
    dead = monitor_death(lease, wall)
    if dead and watched:
        alarms.append(
            f"The monitor is not running: nobody watches this deployment. {dead} "
            "Start it with `canary monitor`, or restart the server. Rolling back by hand works all the same."
        )
    age = None if newest is None else max(0.0, now - newest)
    if status.state.carries_traffic and not dead:
        since = status.phase_started if newest is None else newest
        silent = None if since is None else now - since
        if silent is not None and silent > status.plan.silent_after_s:
            alarms.append(
                f"No sample of {status.plan.candidate} for {both_times(silent, speed)}: nobody can tell how it does."
            )
    open_now = [i for i in incidents if i.closed is None]
    if status.needs_switch:
        why = next((f": {i.summary}" for i in open_now if i.cause == SWITCH_FAILED), "")
        alarms.append(
            f"Decided, but the traffic switch has not confirmed {percent(status.share)} yet{why}. "
            "It is tried until it does."
        )
    alarms += [f"{_SWITCH[i.cause]}: {sentence(i.summary)}" for i in open_now if i.cause in _SWITCH]
    rolled_back = status.rolled_back_at if status.state is State.ROLLED_BACK and not status.verification else None
    if rolled_back is not None and now - rolled_back > UNPROVED_SPANS * status.plan.sample_s:
        alarms.append(
            f"Rolled back {both_times(now - rolled_back, speed)} ago, and no window of traffic has proved it yet: "
            f"some requests may still reach {status.plan.candidate}."
        )
    data = "no sample yet" if age is None else f"newest sample ended {ago(age / speed)}"
    monitor = "not running"
    if lease is not None and not dead:
        monitor = f"last tick {ago(wall - lease.beat)}, {precise(lease.late_s)} late"
    return Pulse(data, monitor, tuple(alarms))


def monitor_death(lease: Lease | None, wall: float) -> str:
    """Return what is known of a dead monitor, as a sentence; "" while it lives."""
    if lease is None:
        return "It has never run on this database."
    if lease.is_held(wall, MONITOR_GRACE_S):
        return ""
    if lease.beat > wall:
        return "The clock was set back since its last tick."
    return f"Its last tick was {ago(wall - lease.beat)}."

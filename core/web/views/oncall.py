"""Roster, incidents and calls -> what the On-call page says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery.words import duration
from core.oncall import Call, OpenIncident, Roster
from core.web.views.marks import Mark, Tone
from core.web.views.says import capital
from core.web.views.times import exact_time

OPEN = Mark(Tone.BAD, "notification_important", "nobody has it")
TAKEN = Mark(Tone.WATCH, "person_raised_hand", "acknowledged")
_STATES = {
    "due": Mark(Tone.WATCH, "schedule_send", "to be sent"),
    "sent": Mark(Tone.GOOD, "mark_email_read", "delivered"),
    "given up": Mark(Tone.CALM, "cancel_schedule_send", "not sent"),
}


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An open incident: what, why, since when, and who looks after it."""

    id: str
    mark: Mark
    cause: str
    summary: str
    since: str
    who: str
    taken: bool


def duty(roster: Roster | None, now: float) -> tuple[tuple[str, str], ...]:
    """Return who is on call now: (level, who). `now`: wall time."""
    if roster is None:
        return ()
    return tuple((capital(level), who) for level, who in roster.duty(now))


def incident_rows(found: Sequence[OpenIncident], now: float) -> tuple[IncidentRow, ...]:
    """Return the open incidents, oldest first. `now`: wall time."""
    return tuple(
        IncidentRow(
            o.incident.id,
            OPEN if o.ack is None else TAKEN,
            capital(o.incident.cause),
            o.incident.summary,
            f"for {duration(max(0.0, now - o.opened))}",
            "" if o.ack is None else f"{o.ack.person}, by {o.ack.how}",
            o.ack is not None,
        )
        for o in found
    )


def call_rows(found: Sequence[Call]) -> tuple[tuple[Mark, str, str, str, str], ...]:
    """Return calls, newest first: (state, when, to whom, about what, what went wrong)."""
    return tuple(
        (
            _STATES[c.state],
            exact_time(c.created),
            c.person if c.level == "tell" else f"{c.person} ({c.level})",
            c.subject.removeprefix("[canary] "),
            f"{c.error}; tried {c.attempts} times" if c.error and c.attempts else c.error,
        )
        for c in found
    )

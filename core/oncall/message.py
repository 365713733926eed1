"""What a call says: what, since when, figure, limit, and a link; short enough for a phone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from core.delivery import Incident, Status
from core.delivery.words import duration, percent
from core.store import Event

_LONGEST = 600


def call_text(
    incident: Incident, status: Status | None, level: str, opened: float, now: float, link: str
) -> tuple[str, str]:
    """Return subject and body of a call about an incident; `opened`, `now`: wall times; `link`: to acknowledge."""
    name = status.plan.name if status is not None else incident.deployment
    subject = f"[canary] {incident.cause}: {name}"
    lines = [_short(incident.summary)]
    if status is not None:
        who = f"{percent(status.share)} of the learners get {status.plan.candidate}"
        lines.append(
            f"Now: {status.state}, {who if status.share > 0 else f'every learner gets {status.plan.baseline}'}."
        )
        if status.plan.simulated:
            lines.append(f"Simulated: {status.plan.simulated}.")
    since = datetime.fromtimestamp(opened, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines.append(f"Since {since} ({duration(max(0.0, now - opened))}). You are called as {level}.")
    lines += ["", f"Acknowledge: {link}"]
    return subject, "\n".join(lines)


def event_text(event: Event, name: str, url: str) -> tuple[str, str]:
    """Return subject and body of a message about an event that nobody has to acknowledge."""
    return f"[canary] {event.kind}: {name}", f"{_short(event.reason)}\nBy {event.actor}.\n\n{url}"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"

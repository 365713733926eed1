"""Events -> the rows of the History page, and its download. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.delivery import Figure
from core.delivery.words import figure as say_figure
from core.delivery.words import percent
from core.store import Event
from core.web.views.marks import Mark, Tone
from core.web.views.times import exact_time

_FIGURES = frozenset(Figure)
PAGE = 25
"""Events a page."""

KINDS: dict[str, Mark] = {
    "deployment created": Mark(Tone.CALM, "note_add", "created"),
    "deployment scheduled": Mark(Tone.CALM, "schedule", "scheduled"),
    "phase started": Mark(Tone.GOOD, "play_circle", "phase started"),
    "phase passed": Mark(Tone.GOOD, "check_circle", "phase passed"),
    "held": Mark(Tone.WATCH, "pause_circle", "held"),
    "halted": Mark(Tone.WATCH, "front_hand", "halted"),
    "resumed": Mark(Tone.GOOD, "resume", "resumed"),
    "rolled back": Mark(Tone.BAD, "undo", "rolled back"),
    "retried": Mark(Tone.CALM, "replay", "retried"),
    "aborted": Mark(Tone.WATCH, "block", "aborted"),
    "completed": Mark(Tone.GOOD, "task_alt", "completed"),
    "traffic switched": Mark(Tone.CALM, "call_split", "traffic switched"),
    "switch failed": Mark(Tone.BAD, "link_off", "switch failed"),
    "switch drifted": Mark(Tone.BAD, "alt_route", "switch drifted"),
    "switch unreadable": Mark(Tone.BAD, "link_off", "switch unreadable"),
    "switch superseded": Mark(Tone.CALM, "call_merge", "switch superseded"),
    "switch set anew": Mark(Tone.CALM, "restart_alt", "switch set anew"),
    "rollback verified": Mark(Tone.GOOD, "verified", "rollback verified"),
    "rollback unverified": Mark(Tone.WATCH, "help", "rollback unverified"),
    "checkpoint judged": Mark(Tone.CALM, "fact_check", "checkpoint judged"),
    "incident opened": Mark(Tone.BAD, "warning", "incident opened"),
    "incident closed": Mark(Tone.GOOD, "done_all", "incident closed"),
    "monitor took over": Mark(Tone.CALM, "swap_horiz", "monitor took over"),
    "business case saved": Mark(Tone.CALM, "calculate", "business case saved"),
    "business case removed": Mark(Tone.CALM, "delete", "business case removed"),
    "samples compacted": Mark(Tone.CALM, "compress", "samples compacted"),
}
"""How events look, and what the filter offers; kinds that aren't here are shown plainly."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, said. `facts`: what changed, as (name, value) in words."""

    seq: int
    mark: Mark
    at: str
    wall: str
    deployment: str
    actor: str
    reason: str
    facts: tuple[tuple[str, str], ...]


def mark_of(kind: str) -> Mark:
    """Return how an event of a kind looks."""
    return KINDS.get(kind, Mark(Tone.CALM, "radio_button_checked", kind))


def rows(events: Iterable[Event], speed: float = 1.0) -> tuple[EventRow, ...]:
    """Say events. Wall time is told where the plan's clock differs from it."""
    return tuple(
        EventRow(
            event.seq,
            mark_of(event.kind),
            exact_time(event.at),
            exact_time(event.wall) if abs(event.wall - event.at) >= 1 or speed != 1.0 else "",
            event.deployment,
            event.actor,
            event.reason,
            tuple(_facts(event.data)),
        )
        for event in events
    )


_SHOWN = ("phase", "decided", "share", "attempt", "cause", "source", "state")


def _facts(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    before, after = data.get("share_from"), data.get("share_to")
    if before is not None and after is not None and before != after:
        yield "learners", f"{percent(before)} → {percent(after)}"
    if data.get("figure") in _FIGURES and data.get("value") is not None:
        figure = Figure(data["figure"])
        yield figure.label, say_figure(figure, data["value"])
    for name in _SHOWN:
        value = data.get(name)
        if value is not None and not (name == "attempt" and value == 1):
            yield name, percent(value) if name in {"share", "decided"} else str(value)


def as_json_lines(events: Sequence[Event]) -> str:
    """Return events as JSON lines, every field as it is chained, oldest first as given."""
    return "".join(json.dumps(_plain(event), ensure_ascii=False, sort_keys=True) + "\n" for event in events)


def _plain(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": event.at,
        "wall": event.wall,
        "deployment": event.deployment,
        "kind": event.kind,
        "actor": event.actor,
        "reason": event.reason,
        "data": event.data,
        "previous": event.previous,
        "hash": event.hash,
    }


def pages_of(count: int) -> int:
    """Return how many pages so many events fill; at least 1."""
    return max(1, math.ceil(count / PAGE))


def page_of(found: Sequence[Event], page: int) -> Sequence[Event]:
    """Return the events of a page, counted from 1; of one beyond the end, the last."""
    page = min(max(1, page), pages_of(len(found)))
    return found[(page - 1) * PAGE : page * PAGE]


def counted(found: int, of: int) -> str:
    """Say how many events passed the filter."""
    return f"{found:,} events" if found == of else f"{found:,} of {of:,} events"

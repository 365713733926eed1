"""A deployment's sign-off -> what the Sign-off page says: what there is to agree to, seat by seat who has. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery import GO, Decision, State, Status, Tally, Verdict, asked_of
from core.delivery.words import percent
from core.web.views.checkpoints import CardLine, card_line
from core.web.views.marks import PENDING, Mark, Tone
from core.web.views.says import capital, sentence
from core.web.views.times import exact_time

AGREED = Mark(Tone.GOOD, "how_to_reg", "go")
REFUSED = Mark(Tone.BAD, "do_not_disturb_on", "no-go")
WAITING = Mark(Tone.WATCH, "draw", "waits")
_STALE = Mark(Tone.CALM, "history", "stale")
_WITHDRAWN = Mark(Tone.CALM, "undo", "withdrawn")


@dataclass(frozen=True, slots=True)
class SeatRow:
    """One seat: who decided what for it, with the comment; or that it is still to decide."""

    seat: str
    mark: Mark
    who: str
    comment: str
    when: str


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate that is shut, or why there is none.

    Attributes:
        mark, title, detail: the sentence on top.
        gate: that decisions are bound to; "" where nobody is asked.
        evidence: the criteria as they are now. seats: one row each.
        earlier: decisions that count no more, newest first.
    """

    mark: Mark
    title: str
    detail: str
    gate: str
    evidence: tuple[CardLine, ...]
    seats: tuple[SeatRow, ...]
    earlier: tuple[SeatRow, ...]


def gate_view(
    status: Status, verdict: Verdict | None, tally: Tally | None, found: Sequence[Decision], now: float
) -> GateView:
    """Return what the page says of a deployment.

    Args:
        verdict: the monitor's latest word. tally: how the sign-off stands; None where nobody is asked now.
        found: all decisions on the deployment, oldest first. now: plan time.
    """
    gone = tuple(_row(d, status.gate) for d in reversed(found) if not d.stands_at(status.gate))
    if tally is None or status.state.ended:
        return GateView(*_none(status, now), "", (), (), gone)
    phase = status.plan.phases[status.phase]
    standing = {d.seat: d for d in found if d.stands_at(status.gate)}
    asked = asked_of(status)
    seats = tuple(
        _row(standing[seat], status.gate) if seat in standing else SeatRow(seat, PENDING, "still to decide", "", "")
        for seat in (asked.seats if asked is not None else ())
    )
    following = status.plan.phases[status.phase + 1] if status.phase + 1 < len(status.plan.phases) else None
    goes_on = (
        f"{following.name}: {percent(following.share)} of the learners get {status.plan.candidate}"
        if following is not None
        else "the end: the roll-out is completed"
    )
    held = status.state is State.HOLDING
    if tally.complete:
        mark, title = AGREED, f"{capital(phase.name)} is signed off"
        detail = f"Next: {goes_on}." + (" It is on hold: a person advances it." if held else "")
    else:
        mark = REFUSED if tally.no_go else WAITING
        title = f"{capital(phase.name)} waits for sign-off"
        detail = f"{sentence(str(tally))} With {tally.quorum} it goes on to {goes_on}."
        if held:
            detail += f" It is on hold ({status.why}), so that a person has to advance it, too."
    evidence = tuple(card_line(f) for f in verdict.criteria) if verdict is not None else ()
    return GateView(mark, title, detail, status.gate, evidence, seats, gone)


def _none(status: Status, now: float) -> tuple[Mark, str, str]:
    plan = status.plan
    calm = Mark(Tone.CALM, "edit_off", "nothing to sign")
    if not any(p.sign_off is not None for p in plan.phases):
        asks = "A phase asks for it by `sign_off: [engineering, operations, …]`."
        return calm, "This plan asks for no sign-off", asks
    if status.state.ended:
        return calm, f"Nothing to sign: it is {status.state}", sentence(status.why)
    here = asked_of(status)
    if here is not None and status.phase_ends is not None and now < status.phase_ends:
        phase = plan.phases[status.phase]
        detail = f"It ends {exact_time(status.phase_ends)}; then {here.quorum} of {', '.join(here.seats)} are asked."
        return calm, f"{capital(phase.name)} is still under way", detail
    later = next((p for i, p in enumerate(plan.phases) if i > status.phase and p.sign_off is not None), None)
    if later is None:
        return calm, "Nothing to sign now", sentence(status.why)
    return calm, "Nothing to sign now", f"Sign-off is asked for next at the end of {later.name}."


def _row(d: Decision, gate: str) -> SeatRow:
    if d.stands_at(gate):
        return SeatRow(d.seat, AGREED if d.decision == GO else REFUSED, d.person, d.comment, exact_time(d.at))
    mark = _WITHDRAWN if d.withdrawn is not None else _STALE
    return SeatRow(d.seat, mark, d.person, f"{d.decision}: {d.comment}", exact_time(d.at))

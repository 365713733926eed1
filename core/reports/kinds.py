"""The reports there are, by name: each a function from facts to its blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.delivery import SignOff, words
from core.delivery.quantities import say_duration, say_moment, say_share
from core.reports import parts
from core.reports.charts import TONES
from core.reports.document import NOT_RECORDED, Block, Cell, Document, Lead, Numbers, Points, Table
from core.reports.facts import Facts
from core.reports.verdict import decision, open_risks
from core.store import Event


@dataclass(frozen=True, slots=True)
class Kind:
    """A report: what it is called, what is in it, and how it is made."""

    title: str
    about: str
    blocks: Callable[[Facts], list[Block]]


def canary(facts: Facts) -> list[Block]:
    """Return all there is: the decisions, every checkpoint with its figures, incidents, signatures."""
    last = facts.checkpoints[-1] if facts.checkpoints else None
    blocks: list[Block] = [Lead(decision(facts))]
    back = _rolled_back(facts)
    if back is not None and facts.state == "rolled back":
        blocks.append(parts.rollback_numbers(facts, back))
    blocks.append(parts.ramp_chart(facts))
    if last is not None:
        blocks.append(parts.criteria(last, f"Criteria at checkpoint {last.number} of {last.phase}"))
        if last.guardrails:
            blocks.append(parts.guardrails(last))
    rows = []
    for c in facts.checkpoints:
        learners, requests = parts.exposure(facts, c)
        met = sum(j.state == "pass" for j in c.criteria)
        measured = sum(j.state != "not measured" for j in c.criteria)
        rows.append((
            parts.when(c.event), Cell(f"{c.phase}, {c.number} of {c.of}", c.event),
            Cell(c.state, c.event, _tone(c.state)),
            Cell(f"{met} of {measured} measured", c.event), learners, requests,
        ))  # fmt: skip
    columns = ("when", "checkpoint", "state", "criteria met", "learners", "requests")
    blocks.append(Table("Checkpoints", columns, tuple(rows), "None was judged yet."))
    blocks += [*parts.courses(facts), parts.decisions(facts), parts.incidents(facts)]
    if facts.gates or facts.signed:
        blocks.append(parts.signatures(facts))
    return blocks


def schedule(facts: Facts) -> list[Block]:
    """Return what comes next: when, for whom, judged when and by what, who signs."""
    following, source = facts.following, facts.created
    if facts.state in {"completed", "rolled back", "aborted"} or following is None:
        said = f"Nothing comes next: it is {facts.state}."
        if facts.state not in {"completed", "rolled back", "aborted"}:
            said = f"No phase comes after {facts.plan.phases[facts.phase].name}: its criteria complete the roll-out."
        blocks: list[Block] = [Lead(Cell(said, facts.last))]
    else:
        opens = facts.opens(following)
        here = facts.plan.phases[max(0, facts.phase)]
        begins = f"as soon as {here.name} is passed" if opens is None else f"at {say_moment(opens)} at the earliest"
        if facts.phase < 0:
            begins = "when it is started" if opens is None else f"as planned, {say_moment(opens)}"
            if opens is None and following.starts is not None and not facts.plan.skip_gaps:
                begins += f": {say_moment(following.starts)}, as was planned, has passed"
        said = f"Next: {following.name}, {say_share(following.share)} of the learners, {begins}."
        learners = Cell(NOT_RECORDED if facts.checkpoints else "told by the first checkpoint")
        if facts.checkpoints:
            seen = facts.checkpoints[-1].seen.values()
            if seen and all("learners" in s for s in seen):
                total = sum(s["learners"] for s in seen)
                text = f"about {words.count(total * following.share)} of {words.count(total)} seen"
                learners = Cell(text, facts.checkpoints[-1].event)
        blocks = [
            Lead(Cell(said, source)),
            Numbers((
                ("share", Cell(say_share(following.share), source)),
                ("learners", learners),
                ("lasts", Cell("for good" if following.permanent else say_duration(following.lasts_s), source)),
                ("sign before it", Cell(_seats(here.sign_off if facts.phase >= 0 else None), source)),
                ("sign after it", Cell(_seats(following.sign_off), source)),
            )),
            Table(
                "Checkpoints", ("", "after", "planned"),
                tuple(
                    (Cell(f"{n}"), Cell(say_duration(after), source),
                     Cell("when it has begun" if opens is None else say_moment(opens + after), source))
                    for n, after in enumerate(following.checkpoints, start=1)
                ),
            ),
            Points("Criteria", tuple(Cell(parts.limit(c), source) for c in following.criteria)),
            parts.on_call(facts, opens, following.checkpoints),
        ]  # fmt: skip
    acting = (f"{parts.limit(t.limit)} for {say_duration(t.hold_s)}: {t.then}" for t in facts.plan.triggers)
    against = (
        f"{g.figure.label}{words.place(g)}, {words.margin(g)} the baseline's: else {g.then}"
        for g in facts.plan.guardrails
    )
    blocks.append(Points("At once, in every phase", tuple(Cell(text, source) for text in (*acting, *against))))
    rows = tuple(parts.schedule_row(facts, i) for i in range(len(facts.plan.phases)))
    blocks.append(Table("The whole plan", ("phase", "learners", "lasts", "checkpoints after", "signs"), rows))
    return blocks


def summary(facts: Facts) -> list[Block]:
    """Return one page: the decision in a sentence, five numbers, open risks."""
    back = _rolled_back(facts)
    if back is not None and facts.state == "rolled back":
        numbers = parts.rollback_numbers(facts, back).items[:4]
    else:
        numbers = _how_it_goes(facts)
    blocks: list[Block] = [
        Lead(decision(facts)),
        Numbers((*numbers, ("incidents", _incidents(facts)))),
        parts.ramp_chart(facts),
        Points("Open risks", open_risks(facts), "None that the log knows of."),
    ]
    return blocks


def _how_it_goes(facts: Facts) -> tuple[tuple[str, Cell], ...]:
    last = facts.checkpoints[-1] if facts.checkpoints else None
    learners, requests = parts.exposure(facts, last)
    latest = facts.decided[-1] if facts.decided else None
    share = float(latest.data.get("share_to", 0.0)) if latest is not None else 0.0
    met = Cell("no checkpoint yet")
    if last is not None:
        measured = [j for j in last.criteria if j.state != "not measured"]
        said = f"{sum(j.state == 'pass' for j in measured)} of {len(measured)} measured"
        met = Cell(said, last.event, _tone(last.state))
    return (
        ("learners with the candidate now", Cell(words.percent(share), latest)),
        ("criteria met, last checkpoint", met),
        ("learners it had, that phase", learners),
        ("requests it answered, that phase", requests),
    )


def _incidents(facts: Facts) -> Cell:
    if not facts.troubles:
        return Cell("none")
    all_of, opened = len(facts.troubles), sum(t.closed is None for t in facts.troubles)
    said = f"{opened} open" if opened == all_of else f"{all_of}, {opened or 'none'} open"
    return Cell(said, facts.troubles[-1].opened, "bad" if opened else "")


def sign_off(facts: Facts) -> list[Block]:
    """Return the sign-off sheet: who is asked, what they decided and saw, bound by which hash."""
    gate = facts.gate
    if gate is None:
        asks = [p.name for p in facts.plan.phases if p.sign_off is not None]
        said = (
            f"Nobody has been asked yet; the plan asks after {', '.join(asks)}."
            if asks
            else ("This plan asks nobody for sign-off.")
        )
        return [Lead(Cell(said, facts.created))]
    phase = next(p for p in facts.plan.phases if p.name == gate.data["phase"])
    asked = phase.sign_off
    assert asked is not None
    standing = {s.seat: s for s in facts.signed if s.stands}
    went = sum(s.decision == "go" for s in standing.values())
    refused = sum(s.decision != "go" for s in standing.values())
    needed = f"{asked.quorum} of the {len(asked.seats)} seats are needed"
    said = f"{phase.name}: {went} {'says' if went == 1 else 'say'} go" + (f", {refused} no-go" if refused else "")
    tone = "bad" if refused else "good" if went >= asked.quorum else "watch"
    open_ = Cell("no decision") if went >= asked.quorum else Cell("still to decide", tone="watch")
    rows = []
    for seat in asked.seats:
        s = standing.get(seat)
        rows.append(
            (Cell(seat), open_, Cell(""), Cell(""), Cell(""))
            if s is None
            else (Cell(seat, s.event), Cell(s.decision, s.event, "good" if s.decision == "go" else "bad"),
                  Cell(s.person, s.event), Cell(s.comment, s.event), parts.when(s.event))
        )  # fmt: skip
    blocks: list[Block] = [
        Lead(Cell(f"{said}; {needed}.", gate, tone)),
        Table("Seats", ("seat", "decision", "who", "comment", "when"), tuple(rows)),
        Points("Bound to what they saw", (Cell(f"asked {say_moment(gate.at)}", gate),
                                          Cell(f"gate {gate.data.get('gate', NOT_RECORDED)}", gate))),
    ]  # fmt: skip
    seen = [c for c in facts.checkpoints if c.phase == phase.name and c.attempt == gate.data.get("attempt")]
    if seen:
        blocks.append(parts.criteria(seen[-1], f"Evidence: checkpoint {seen[-1].number} of {phase.name}"))
    if len(facts.signed) > len(standing):
        blocks.append(parts.signatures(facts))
    return blocks


def rollback(facts: Facts) -> list[Block]:
    """Return the report after a rollback: what decided it, how long each step took, whom it touched."""
    back = _rolled_back(facts)
    if back is None:
        said = f"It was not rolled back: it is {facts.state}."
        return [Lead(Cell(said, facts.last))]
    who = f"{back.actor}, a person," if facts.drills[0].by_person else "the monitor"
    blocks: list[Block] = [
        Lead(Cell(f"Rolled back by {who} at {say_moment(back.at)}: {back.reason}.", back, "bad")),
        parts.rollback_numbers(facts, back),
        parts.ramp_chart(facts),
    ]
    seen = [c for c in facts.checkpoints if c.event.seq < back.seq]
    if seen:
        title = f"The figures at the checkpoint before: {seen[-1].number} of {seen[-1].phase}"
        blocks.append(parts.criteria(seen[-1], title))
    blocks += [parts.incidents(facts), parts.decisions(facts)]
    return blocks


KINDS: dict[str, Kind] = {
    "canary": Kind(
        "Canary report", "everything: decisions, checkpoints with their figures, incidents, signatures", canary
    ),
    "schedule": Kind(
        "Next-phase schedule",
        "the next phase: when, for how many learners, judged by what, who signs, who is on call",
        schedule,
    ),
    "summary": Kind("Executive summary", "one page: the decision in a sentence, five numbers, open risks", summary),
    "sign-off": Kind(
        "Sign-off sheet", "the sign-off sheet: seats, decisions, comments, the hash they are bound to", sign_off
    ),
    "rollback": Kind(
        "Post-rollback report", "after a rollback: why, how long each step took, whom it touched", rollback
    ),
}
"""The reports there are, by the name they are asked for by."""


def build(kind: str, facts: Facts) -> Document:
    """Return a report; `kind` is one of `KINDS`."""
    return parts.document(KINDS[kind].title, facts, KINDS[kind].blocks(facts))


def _tone(state: str) -> str:
    return TONES.get(state, "")


def _rolled_back(facts: Facts) -> Event | None:
    return next((e for e in reversed(facts.decided) if e.kind == "rolled back"), None)


def _seats(asked: SignOff | None) -> str:
    return "nobody" if asked is None else f"{asked.quorum} of {len(asked.seats)} seats"

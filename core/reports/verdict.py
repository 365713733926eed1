"""The decision in a sentence, and the risks that the log leaves open."""

from __future__ import annotations

from core.delivery.quantities import say_moment, say_share
from core.reports.document import Cell
from core.reports.facts import Facts

_TONES = {"completed": "good", "rolled back": "bad", "aborted": "watch", "holding": "watch"}


def decision(facts: Facts) -> Cell:
    """Say how it stands, since when and why, in a sentence."""
    plan = facts.plan
    if not facts.decided:
        return Cell(f"{plan.candidate} has not been given to anybody: the roll-out was not started.", facts.created)
    latest = facts.decided[-1]
    since = say_moment(latest.at)
    match facts.state:
        case "completed":
            said = f"{plan.candidate} has taken over for everybody since {since}: {latest.reason}."
        case "rolled back" | "aborted":
            said = f"Everybody has {plan.baseline}: {facts.state} at {since} because {latest.reason}."
        case "holding":
            where = f"{say_share(float(latest.data['share_to']))} of the learners"
            said = f"On hold at {where} since {since}: {latest.reason}. A person decides."
        case "scheduled":
            said = f"It is scheduled and no learner has {plan.candidate} yet."
        case _:
            phase = plan.phases[facts.phase]
            said = f"{phase.name} is under way at {say_share(phase.share)} of the learners since {since}."
            if latest.kind == "sign-off asked for":
                said = f"{latest.reason}, since {since}."
    return Cell(said[:1].upper() + said[1:], latest, _TONES.get(facts.state, ""))


def open_risks(facts: Facts) -> tuple[Cell, ...]:
    """Return what isn't settled: open incidents, criteria that are not met or not measured, missing signatures."""
    risks = [Cell(f"Open incident: {t.opened.reason}", t.opened, "bad") for t in facts.troubles if t.closed is None]
    if facts.checkpoints and facts.state not in {"rolled back", "aborted"}:
        last = facts.checkpoints[-1]
        for j in (*last.criteria, *last.guardrails):
            if j.state == "not measured":
                risks.append(Cell(f"{j.figure.label} is not measured", last.event, "watch"))
            elif j.state != "pass":
                said = j.sentence or f"{j.figure.label} is {j.state}"
                risks.append(Cell(f"{j.state}: {said}", last.event, "watch"))
    if facts.state == "rolled back" and facts.drills and facts.drills[0].verified_plan_s is None:
        risks.append(Cell("The rollback is not verified by traffic", facts.last, "watch"))
    gate = facts.gate
    if gate is not None and gate is facts.decided[-1]:
        risks.append(Cell(gate.reason, gate, "watch"))
    return tuple(risks)

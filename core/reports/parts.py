"""Blocks that several reports share."""

from __future__ import annotations

from core.delivery import Limit, words
from core.delivery.quantities import say_duration, say_moment, say_share
from core.reports.charts import TONES, course, ramp
from core.reports.document import NOT_RECORDED, Block, Cell, Chart, Document, Table
from core.reports.facts import Checkpoint, Facts, Judged
from core.store import Event


def document(title: str, facts: Facts, blocks: list[Block]) -> Document:
    """Return a report on a deployment, with its simulated parts named and all of its events."""
    plan = facts.plan
    subtitle = (
        f"{plan.name}: {plan.candidate} in the place of {plan.baseline}, behind the flag {plan.flag} ({facts.id})"
    )
    return Document(title, subtitle, plan.simulated, tuple(blocks), facts.log)


def when(event: Event) -> Cell:
    """Say when something happened, in plan time."""
    return Cell(say_moment(event.at), event)


def limit(of: Limit) -> str:
    """Say a limit with its figure: "error rate under 1 %"."""
    return f"{of.figure.label} {words.limit(of)}"


def decisions(facts: Facts) -> Table:
    """Return every change of state: when, what, by whom, why."""
    rows = []
    for e in facts.decided:
        before, after = float(e.data.get("share_from", 0.0)), float(e.data.get("share_to", 0.0))
        share = f"{words.percent(before)} → {words.percent(after)}" if before != after else words.percent(after)
        rows.append((when(e), Cell(_kind(e), e, _tone(e)), Cell(share, e), Cell(e.actor, e), Cell(e.reason, e)))
    return Table(
        "Decisions", ("when", "what", "learners", "who", "why"), tuple(rows), "Nothing was decided: it has not begun."
    )


def _kind(event: Event) -> str:
    return f"{event.kind}: {event.data['phase']}" if event.data.get("phase") else event.kind


def _tone(event: Event) -> str:
    tones = {"rolled back": "bad", "aborted": "watch", "held": "watch", "halted": "watch", "completed": "good"}
    return tones.get(event.kind, "")


def ramp_chart(facts: Facts) -> Chart:
    """Return the ramp as a chart."""
    return Chart("Share of the learners with the candidate", *ramp(facts))


def criteria(checkpoint: Checkpoint, title: str) -> Table:
    """Return what one checkpoint says of each criterion."""
    return Table(
        title,
        ("criterion", "state", "value", "interval", "baseline", "made of"),
        tuple(_criterion(j, checkpoint.event) for j in checkpoint.criteria),
        "The phase has no criterion.",
    )


def _criterion(j: Judged, source: Event) -> tuple[Cell, ...]:
    return (
        Cell(name_of(j), source),
        Cell(j.state, source, TONES.get(j.state, "")),
        Cell(value_of(j), source),
        Cell(_interval(j), source),
        Cell("–" if j.baseline is None else words.figure(j.figure, j.baseline), source),
        Cell(_made_of(j), source),
    )


def name_of(j: Judged) -> str:
    """Say a criterion as the log has it; an old log has the figure alone."""
    return j.figure.label if j.bound is None else limit(Limit(j.figure, j.limit, j.bound))


def value_of(j: Judged) -> str:
    """Say a value, or that it wasn't measured."""
    return "not measured" if j.value is None else words.figure(j.figure, j.value)


def _interval(j: Judged) -> str:
    low, high = (None if v is None else words.figure(j.figure, v) for v in (j.low, j.high))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is None and high is None:
        return NOT_RECORDED if j.bound is None else "–"
    return f"up to {high}" if low is None else f"from {low}"


def _made_of(j: Judged) -> str:
    if j.bound is None:
        return NOT_RECORDED
    return "–" if j.trials is None else f"{words.count(j.events or 0)} of {words.count(j.trials)}"


def guardrails(checkpoint: Checkpoint) -> Table:
    """Return what one checkpoint says of each comparison with the baseline."""
    rows = tuple(
        (
            Cell(f"{j.figure.label} at most {j.bound:g} times" if j.limit.startswith(">") and j.bound is not None
                 else j.figure.label, checkpoint.event),
            Cell(j.state, checkpoint.event, TONES.get(j.state, "")),
            Cell("not measured" if j.ratio is None else words.times(j.ratio), checkpoint.event),
            Cell("–" if j.p_value is None else words.probability(j.p_value), checkpoint.event),
            Cell("–" if j.alpha is None else f"below {words.exact_probability(j.alpha)}", checkpoint.event),
        )
        for j in checkpoint.guardrails
    )  # fmt: skip
    title = f"Against the baseline, at checkpoint {checkpoint.number} of {checkpoint.phase}"
    return Table(title, ("guardrail", "state", "of the baseline's", "always-valid p", "acts"), rows)


def exposure(facts: Facts, checkpoint: Checkpoint | None) -> tuple[Cell, Cell]:
    """Say how many learners and requests the candidate had by a checkpoint of its phase."""
    if checkpoint is None:
        return Cell("no checkpoint yet"), Cell("no checkpoint yet")
    seen = checkpoint.seen.get(facts.plan.candidate, {})
    said = (words.count(seen[key]) if key in seen else NOT_RECORDED for key in ("learners", "requests"))
    learners, requests = (Cell(text, checkpoint.event) for text in said)
    return learners, requests


def courses(facts: Facts) -> list[Block]:
    """Return a chart of each criterion of each phase of the present attempt, where there is anything to draw."""
    attempt = max((c.attempt for c in facts.checkpoints), default=1)
    charts: list[Block] = []
    for index, phase in enumerate(facts.plan.phases):
        looked = [c for c in facts.checkpoints if c.phase == phase.name and c.attempt == attempt]
        for at in range(max((len(c.criteria) for c in looked), default=0)):
            judged = [(c, c.criteria[at]) for c in looked if at < len(c.criteria)]
            if any(j.value is not None for _, j in judged):
                title = f"{phase.name}: {name_of(judged[-1][1])}"
                charts.append(Chart(title, *course(f"course-{index}-{at}", judged)))
    return charts


def incidents(facts: Facts) -> Table:
    """Return every incident: since when, why, how soon it was acknowledged, whether it is closed."""
    rows = []
    for t in facts.troubles:
        ack = Cell("not acknowledged", tone="watch")
        if t.acknowledged is not None:
            took = words.duration(max(0.0, t.acknowledged.wall - t.opened.wall))
            ack = Cell(f"{t.acknowledged.data.get('person')}, after {took}", t.acknowledged)
        calls = Cell(f"{len(t.calls)}", t.calls[-1]) if t.calls else Cell("nobody was called")
        closed = Cell("open", t.opened, "bad") if t.closed is None else when(t.closed)
        rows.append((when(t.opened), Cell(t.opened.reason, t.opened), calls, ack, closed))
    columns = ("opened", "what", "calls", "acknowledged", "closed")
    return Table("Incidents", columns, tuple(rows), "There was none.")


def signatures(facts: Facts) -> Table:
    """Return every decision of a seat, those that count no more marked."""
    rows = tuple(
        (
            Cell(s.seat, s.event),
            Cell(s.person, s.event),
            Cell(s.decision, s.event, "good" if s.decision == "go" else "bad"),
            Cell(s.comment, s.event),
            when(s.event),
            Cell("stands", s.event) if s.stands else Cell("withdrawn", s.withdrawn) if s.withdrawn else Cell("stale"),
        )
        for s in facts.signed
    )
    return Table("Decisions of the seats", ("seat", "who", "decision", "comment", "when", ""), rows, "Nobody decided.")


def schedule_row(facts: Facts, index: int) -> tuple[Cell, ...]:
    """Return one phase of the plan: share, how long, checkpoints, who signs."""
    phase, source = facts.plan.phases[index], facts.created
    asked = phase.sign_off
    return (
        Cell(phase.name, source),
        Cell(say_share(phase.share), source),
        Cell("for good" if phase.permanent else say_duration(phase.lasts_s), source),
        Cell(", ".join(say_duration(c) for c in phase.checkpoints), source),
        Cell("nobody" if asked is None else f"{asked.quorum} of {', '.join(asked.seats)}", source),
    )

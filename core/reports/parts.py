"""Blocks that several reports share."""

from __future__ import annotations

from collections.abc import Sequence

from core.delivery import Figure, Limit, words
from core.delivery.quantities import say_duration, say_moment, say_share
from core.reports.charts import ENDS, TONES, course, is_a_course, ramp
from core.reports.document import NOT_RECORDED, Block, Cell, Chart, Charts, Document, Numbers, Table
from core.reports.facts import Checkpoint, Facts, Judged
from core.store import Event

NOBODY = "nobody"


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
        rows.append(
            (when(e), Cell(_kind(e), e, ENDS.get(e.kind, "")), Cell(share, e), Cell(e.actor, e), Cell(e.reason, e))
        )
    return Table(
        "Decisions", ("when", "what", "learners", "who", "why"), tuple(rows), "Nothing was decided: it has not begun."
    )


def _kind(event: Event) -> str:
    return f"{event.kind}: {event.data['phase']}" if event.data.get("phase") else event.kind


def ramp_chart(facts: Facts) -> Chart:
    """Return the ramp as a chart."""
    return Chart("Share of the learners with the candidate (steps are not to scale)", *ramp(facts))


def criteria(checkpoint: Checkpoint, title: str) -> Table:
    """Return what one checkpoint says of each criterion."""
    return Table(
        title,
        ("criterion", "state", "value", "interval", "baseline", "counted"),
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
            Cell(_against(j), checkpoint.event),
            Cell("–" if j.p_value is None else words.probability(j.p_value), checkpoint.event),
            Cell("–" if j.alpha is None else f"below {words.exact_probability(j.alpha)}", checkpoint.event),
        )
        for j in checkpoint.guardrails
    )  # fmt: skip
    title = f"Against the baseline, at checkpoint {checkpoint.number} of {checkpoint.phase}"
    return Table(title, ("guardrail", "state", "against the baseline", "always-valid p", "acts"), rows)


def _against(j: Judged) -> str:
    if j.figure is Figure.SPLIT and j.value is not None and j.bound is not None:
        return f"{words.figure(j.figure, j.value)}, planned {words.exact(j.figure, j.bound)}"
    return "not measured" if j.ratio is None else words.times(j.ratio)


def exposure(facts: Facts, checkpoint: Checkpoint | None) -> tuple[Cell, Cell]:
    """Say how many learners and requests the candidate had by a checkpoint of its phase."""
    if checkpoint is None:
        return Cell("no checkpoint yet"), Cell("no checkpoint yet")
    seen = checkpoint.seen.get(facts.plan.candidate, {})
    said = (words.count(seen[key]) if key in seen else NOT_RECORDED for key in ("learners", "requests"))
    learners, requests = (Cell(text, checkpoint.event) for text in said)
    return learners, requests


def courses(facts: Facts) -> list[Block]:
    """Return charts of each phase's criteria in the present attempt, where there is anything to draw."""
    attempt = max((c.attempt for c in facts.checkpoints), default=1)
    found: list[Block] = []
    for index, phase in enumerate(facts.plan.phases):
        looked = [c for c in facts.checkpoints if c.phase == phase.name and c.attempt == attempt]
        charts = []
        for at in range(max((len(c.criteria) for c in looked), default=0)):
            judged = [(c, c.criteria[at]) for c in looked if at < len(c.criteria)]
            if is_a_course(judged):
                charts.append(Chart(name_of(judged[-1][1]), *course(f"course-{index}-{at}", judged)))
        if charts:
            found.append(Charts(f"{phase.name}, checkpoint by checkpoint", tuple(charts)))
    return found


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
            Cell(s.phase or NOT_RECORDED, s.event),
            Cell(s.seat, s.event),
            Cell(s.person, s.event),
            Cell(s.decision, s.event, "good" if s.decision == "go" else "bad"),
            Cell(s.comment, s.event),
            when(s.event),
            Cell("withdrawn", s.withdrawn, "watch") if s.withdrawn
            else Cell("no: asked anew since", tone="watch") if s.stale else Cell("yes", s.event),
        )
        for s in facts.signed
    )  # fmt: skip
    columns = ("phase", "seat", "who", "decision", "comment", "when", "counts")
    return Table("Every decision of a seat", columns, rows, "Nobody decided.")


def rollback_numbers(facts: Facts, back: Event) -> Numbers:
    """Return what a rollback took: from which share, how long, whom the candidate had until then."""
    drill = facts.drills[0]
    after = [e for e in facts.log if e.seq > back.seq]
    switched = next((e for e in after if e.kind == "traffic switched" and e.data["share"] == 0), None)
    shown = next((e for e in after if e.kind in {"rollback verified", "rollback unverified"}), None)
    took = (
        Cell("not read back yet", tone="bad")
        if drill.switched_wall_s is None
        else Cell(_soon(drill.switched_wall_s), switched)
    )
    clean = Cell("not seen yet", tone="watch")
    if drill.verified_plan_s is not None:
        clean = Cell(_soon(drill.verified_plan_s), shown, "good")
    elif drill.unverified and shown is not None:
        clean = Cell(drill.unverified, shown, "watch")
    clock = "" if facts.in_real_time else ", plan time"
    shares = f"{words.percent(back.data['share_from'])} → {words.percent(back.data['share_to'])}"
    return Numbers((
        ("learners with the candidate", Cell(shares, back)),
        ("from decision to switch read back", took),
        (f"from decision to first clean window{clock}", clean),
        ("learners who had it, last phase", _exposed("learners", shown)),
        ("requests it answered, last phase", _exposed("requests", shown)),
    ))  # fmt: skip


def _soon(seconds: float) -> str:
    if seconds < 0.001:
        return "under 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else words.duration(seconds)


def _exposed(name: str, shown: Event | None) -> Cell:
    """Say whom the candidate had; counted when the rollback is verified."""
    if shown is None:
        return Cell("not counted yet")
    exposed = shown.data.get("exposed", {})
    return Cell(words.count(exposed[name]), shown) if name in exposed else Cell(NOT_RECORDED)


def on_call(facts: Facts, opens: float | None, checkpoints: Sequence[float]) -> Table:
    """Return who is on call in a phase that opens at a plan time: at its begin, and from each checkpoint with others.

    Where it isn't known when that is by the clock on the wall: at the time of the log's latest event.
    """
    title, columns, rows = "On call, by the roster as it is set now", ("at", "level", "who"), []
    if facts.duty is None:
        return Table(title, columns, (), "No roster is set: nobody is called.")
    planned = opens is not None and facts.in_real_time
    moments = [opens + after for after in (0.0, *checkpoints)] if opens is not None and planned else [facts.last.wall]
    before: Sequence[tuple[str, str]] = ()
    for moment in moments:
        duty = facts.duty(moment)
        if duty != before:
            rows += [
                (
                    Cell(say_moment(moment) if not at else ""),
                    Cell(level),
                    Cell(who, tone="watch" if who == NOBODY else ""),
                )
                for at, (level, who) in enumerate(duty)
            ]
        before = duty
    return Table(title, columns, tuple(rows), "The roster has nobody.")


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

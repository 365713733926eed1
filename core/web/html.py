"""Views -> HTML for `st.html`, where Streamlit has no element of that shape. Every text is escaped here, nowhere else.

Colours and shapes are in style.css; icons are ligatures of the icon font that Streamlit ships, hidden from screen readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from core.delivery import Figure
from core.store import Verification
from core.web.palette import Palette
from core.web.views.checkpoints import CardLine, ReportCard
from core.web.views.history import EventRow
from core.web.views.live import FigureRow, Headline, Pulse, Step, Stopwatch
from core.web.views.marks import Mark, Tone
from core.web.views.plans import PlanView
from core.web.views.system import DrillRow

STYLE = Path(__file__).with_name("style.css")


def style(colours: Palette) -> str:
    """Return the style sheet with the colours of the present appearance."""
    names = ("baseline", "candidate", "good", "watch", "bad", "muted", "line", "ground")
    variables = "".join(f"--cc-{name}:{getattr(colours, name)};" for name in names)
    return f"<style>:root{{{variables}}}{STYLE.read_text()}</style>"


def icon(name: str) -> str:
    """Return an icon that is only for the eye."""
    return f'<span class="cc-icon" aria-hidden="true">{escape(name)}</span>'


def badge(mark: Mark) -> str:
    """Return a state as icon and word."""
    return f'<span class="cc-badge cc-{mark.tone}">{icon(mark.icon)}{escape(mark.word)}</span>'


def headline(view: Headline) -> str:
    """Return the sentence that says what is going on."""
    return (
        f'<section class="cc-headline cc-edge-{view.mark.tone}" aria-live="polite">{badge(view.mark)}'
        f"<h1>{escape(view.title)}</h1><p>{escape(view.detail)}</p></section>"
    )


def alarms(view: Pulse) -> str:
    """Return what has to be louder than all else."""
    return "".join(
        f'<div class="cc-alarm" role="alert">{icon("emergency_home")}<p>{escape(text)}</p></div>'
        for text in view.alarms
    )


def pulse(view: Pulse) -> str:
    """Return how fresh the data is and how the monitor does, as one quiet line."""
    parts = [("sensors", "Data", view.data), ("favorite", "Monitor", view.monitor)]
    if view.clock:
        parts.append(("speed", "Plan", view.clock))
    items = "".join(f"<li>{icon(name)}<b>{label}</b> {escape(text)}</li>" for name, label, text in parts)
    return f'<ul class="cc-pulse">{items}</ul>'


def stepper(view: Sequence[Step]) -> str:
    """Return the phases in order, the present one with its progress and checkpoints."""
    return f'<ol class="cc-steps">{"".join(_step(step) for step in view)}</ol>'


def _step(step: Step) -> str:
    ticks = "".join(
        f'<i class="cc-tick cc-{t.mark.tone}" style="left:{100 * t.place:.2f}%" title="{escape(t.label)}"></i>'
        for t in step.ticks
    )
    current = ' aria-current="step"' if step.now else ""
    said = f"{step.name}: {100 * step.progress:.0f} % of its time"
    bar = (
        f'<div class="cc-bar" role="progressbar" aria-label="{escape(said)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * step.progress:.0f}"><span style="width:{100 * step.progress:.2f}%"></span>{ticks}</div>'
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in step.lines)
    return (
        f'<li class="cc-step{" cc-now" if step.now else ""} cc-{step.mark.tone}"{current}><div class="cc-step-head"><b>{escape(step.name)}</b>'
        f'<span class="cc-share">{escape(step.share)}</span>{badge(step.mark)}</div>{bar}{lines}</li>'
    )


def figures(rows: Iterable[FigureRow], candidate: str, baseline: str, pictures: Mapping[Figure, str]) -> str:
    """Return the table with a row a figure; `pictures` are sparklines as data URIs."""
    head = "".join(
        f'<th scope="col"{extra}>{text}</th>'
        for text, extra in (
            ("State", ""),
            ("Figure", ""),
            (f'<i class="cc-key cc-key-candidate"></i>{escape(candidate)}', ""),
            (f'<i class="cc-key cc-key-baseline"></i>{escape(baseline)}', ""),
            ("Limits", ""),
            ("Trend", ""),
        )
    )
    body = "".join(_figure(row, candidate, baseline, pictures.get(row.figure, "")) for row in rows)
    return f'<table class="cc-figures"><caption class="cc-hidden">Figures of both versions and their limits</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _figure(row: FigureRow, candidate: str, baseline: str, picture: str) -> str:
    interval = f"<small>{escape(row.interval)}</small>" if row.interval else ""
    limits = "".join(f"<span>{escape(text)}</span>" for text in row.limits)
    image = (
        f'<img src="{picture}" alt="{escape(row.label)} of {escape(candidate)} and {escape(baseline)} so far">'
        if picture
        else '<span class="cc-none">–</span>'
    )
    sentence = f"<small>{escape(row.sentence)}</small>" if row.sentence else ""
    none = '<span class="cc-none">–</span>'
    return (
        f'<tr class="cc-row-{row.mark.tone}"><td class="cc-c-state">{badge(row.mark)}</td><th scope="row" class="cc-c-name">{escape(row.label)}{sentence}</th>'
        f'<td class="cc-c-value" data-label="{escape(candidate)}"><b>{escape(row.value) or none}</b>{interval}</td>'
        f'<td class="cc-c-base" data-label="{escape(baseline)}">{escape(row.baseline) or none}</td>'
        f'<td class="cc-c-limit" data-label="limits">{limits or none}</td><td class="cc-c-trend">{image}</td></tr>'
    )


def stopwatch(view: Stopwatch, real_time: bool) -> str:
    """Return how long a rollback took. `real_time`: plan and wall time are the same, so one is told."""
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd><b>{escape(plan)}</b>{'' if real_time or plan == wall else f' of plan time, {escape(wall)} really'}</dd></div>"
        for label, plan, wall in view.steps
    )
    note = f"<p>{escape(view.note)}</p>" if view.note else ""
    return f'<section class="cc-stopwatch"><h3>{icon("timer")}Measured rollback</h3><dl>{rows}</dl>{note}<p class="cc-muted">{escape(view.who)}</p></section>'


def card(view: ReportCard) -> str:
    """Return one checkpoint's report card."""
    head = (
        f'<header><h4>{escape(view.title)}</h4>{badge(view.mark)}</header><p class="cc-muted">{escape(view.when)}</p>'
    )
    if view.pending:
        return f'<article class="cc-card cc-pending">{head}</article>'
    lines = "".join(_line(line) for line in view.criteria)
    breached = f"<h5>Triggers breached</h5>{''.join(_line(line) for line in view.breached)}" if view.breached else ""
    return f'<article class="cc-card cc-edge-{view.mark.tone}">{head}<p>{escape(view.summary)}</p><div class="cc-lines">{lines}</div>{breached}</article>'


def _line(line: CardLine) -> str:
    interval = f" <small>({escape(line.interval)})</small>" if line.interval else ""
    base = f'<small class="cc-muted">baseline {escape(line.baseline)}</small>' if line.baseline else ""
    return (
        f'<div class="cc-line" title="{escape(line.sentence)}">{badge(line.mark)}<span class="cc-line-name">{escape(line.label)}</span>'
        f'<span class="cc-line-value"><b>{escape(line.value) or "–"}</b>{interval} {base}</span><span class="cc-line-limit">{escape(line.limit)}</span></div>'
    )


def events(rows: Iterable[EventRow], *, several: bool) -> str:
    """Return events as a list. `several`: say which deployment each belongs to."""
    return f'<ol class="cc-events">{"".join(_event(row, several) for row in rows)}</ol>'


def _event(row: EventRow, several: bool) -> str:
    facts = "".join(f"<span><b>{escape(name)}</b> {escape(value)}</span>" for name, value in row.facts)
    wall = f"<span>recorded {escape(row.wall)}</span>" if row.wall else ""
    where = f"<span>{escape(row.deployment)}</span>" if several and row.deployment else ""
    return (
        f'<li><div class="cc-event-when"><time>{escape(row.at)}</time><span class="cc-muted">no. {row.seq:,}</span></div><div class="cc-event-what">{badge(row.mark)}'
        f'<p>{escape(row.reason)}</p><div class="cc-facts"><span>by {escape(row.actor)}</span>{where}{facts}{wall}</div></div></li>'
    )


def pairs(facts: Iterable[tuple[str, str]]) -> str:
    """Return names and values, one below the other."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="cc-pairs">{items}</dl>'


def banner(texts: Sequence[str]) -> str:
    """Return what has to be known about where the figures come from; nothing where there is nothing to say."""
    if not texts:
        return ""
    return f'<aside class="cc-banner" aria-label="where the figures come from">{icon("science")}<p>{" · ".join(escape(text) for text in texts)}</p></aside>'


def welcome(demo: bool) -> str:
    """Return what is said before the first deployment."""
    how = (
        "The demo's service is running: real requests for made-up learners, answered by the original analyzer. Start its canary and 1 % of the learners "
        "get the fast one, watched sample by sample; then break it, and see it rolled back."
        if demo
        else "To see one on real traffic, run <code>canary demo</code>. To roll out your own, point your service's flag at this server, push its figures, "
        "and deploy a plan here or with <code>canary deploy PLAN.yaml</code>."
    )
    return f'<section class="cc-headline cc-edge-calm"><h1>Nothing has been rolled out yet</h1><p>{how}</p></section>'


def problems(found: Iterable[tuple[str, str, str, str]]) -> str:
    """Return what is wrong with a plan, a row each: line, field, what was found, what was expected."""
    rows = "".join(
        f"<tr><td>{escape(line) or '–'}</td><td><code>{escape(field) or '–'}</code></td><td>{escape(value) or 'nothing'}</td><td>{escape(expected)}</td></tr>"
        for line, field, value, expected in found
    )
    return f'<div class="cc-scroll"><table class="cc-table"><thead><tr><th>Line</th><th>Field</th><th>Found</th><th>Expected</th></tr></thead><tbody>{rows}</tbody></table></div>'


def plan(view: PlanView) -> str:
    """Return a plan in words."""
    parts = "".join(
        f"<section><h4>{escape(part.title)}</h4>{''.join(f'<p>{escape(s)}</p>' for s in part.sentences)}{_points(part.points)}</section>"
        for part in view.parts
    )
    warnings = (
        f'<section class="cc-edge-watch cc-warn"><h4>{icon("warning")}What to know</h4>{_points(view.warnings)}</section>'
        if view.warnings
        else ""
    )
    return f'<article class="cc-plan">{"".join(f"<p>{escape(s)}</p>" for s in view.headline)}{warnings}<div class="cc-plan-parts">{parts}</div></article>'


def _points(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>" if sentences else ""


def title(text: str, note: str) -> str:
    """Return a page's heading and what the page is for."""
    return f'<header class="cc-title"><h1>{escape(text)}</h1><p>{escape(note)}</p></header>'


def nothing(text: str) -> str:
    """Return what is said where there is nothing to show yet."""
    return f'<p class="cc-nothing">{escape(text)}</p>'


def cards(views: Iterable[ReportCard]) -> str:
    """Return report cards, one below the other."""
    return f'<div class="cc-cards">{"".join(card(view) for view in views)}</div>'


def seal(found: Verification) -> str:
    """Return whether the event log is whole."""
    if found.ok:
        anchored = (
            ""
            if found.anchored is None
            else f", {found.anchored:,} of them vouched for by the anchor outside the database"
        )
        said = f"{found.count:,} events, an unbroken chain{anchored}."
        mark = (
            Mark(Tone.WATCH, "help", "verified, with a warning")
            if found.warning
            else Mark(Tone.GOOD, "verified", "verified")
        )
        return f'<div class="cc-seal cc-edge-{mark.tone}">{badge(mark)}<p>{escape(" ".join([said, found.warning]).strip())}</p></div>'
    where = "" if found.seq is None else f" First at event {found.seq:,}."
    return f'<div class="cc-alarm" role="alert">{icon("gpp_bad")}<p>The event log has been tampered with: {escape(found.problem)}{where}</p></div>'


def drills(rows: Iterable[DrillRow]) -> str:
    """Return the rollbacks as a table."""
    body = "".join(
        f'<tr><td>{escape(r.at)}</td><td>{escape(r.who)}</td><td class="cc-num">{escape(r.switched)}</td><td class="cc-num"><b>{escape(r.verified)}</b>'
        f"{f'<small>{escape(r.verified_wall)} really</small>' if r.verified_wall and r.verified_wall != r.verified else ''}</td>"
        f"<td>{escape(r.reason)}<small>{escape(r.deployment)}</small></td></tr>"
        for r in rows
    )
    head = "".join(
        f"<th scope='col'>{text}</th>"
        for text in ("When (plan time)", "Decided by", "Switched after", "Verified after", "Why")
    )
    return f'<div class="cc-scroll"><table class="cc-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(heading: str, found: Iterable[tuple[str, str]], mark: Mark | None) -> str:
    """Return a titled list of names and values."""
    return f'<div class="cc-facts-head"><h3>{escape(heading)}</h3>{badge(mark) if mark else ""}</div>{pairs(found)}'

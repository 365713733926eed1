"""Views -> HTML for `st.html`, where Streamlit has no element of that shape.

Colours and shapes are in style.css. Icons are ligatures of the icon font that Streamlit ships, for the eye only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from core.delivery import Figure
from core.store import Verification
from core.web.markup import NOTHING, Html, el, join, table_head
from core.web.palette import Palette
from core.web.views.checkpoints import CardLine, ReportCard
from core.web.views.choices import Stopwatch
from core.web.views.history import EventRow
from core.web.views.live import Step, Tick
from core.web.views.marks import PENDING, Headline, Mark, Tone
from core.web.views.oncall import IncidentRow
from core.web.views.plans import PlanView
from core.web.views.pulse import Pulse
from core.web.views.rows import FigureRow, GuardrailRow
from core.web.views.says import capital
from core.web.views.settings import FindingRow, SettingRow
from core.web.views.signoff import GateView, SeatRow
from core.web.views.system import DrillRow
from core.web.views.trial import TrialView

_STYLE = Path(__file__).with_name("style.css")
_COLOURS = ("baseline", "candidate", "good", "watch", "bad", "muted", "line", "ground")
_DASH = el("span", "–", cls="cc-none")


@cache
def style(colours: Palette) -> Html:
    """Return the style sheet with the colours of the present appearance."""
    variables = "".join(f"--cc-{name}:{getattr(colours, name)};" for name in _COLOURS)
    return Html(f"<style>:root{{{variables}}}{_STYLE.read_text()}</style>")


def icon(name: str) -> Html:
    """Return an icon that is only for the eye."""
    return el("span", name, cls="cc-icon", aria_hidden="true")


def badge(mark: Mark) -> Html:
    """Return a state as icon and word."""
    return el("span", icon(mark.icon), mark.word, cls=f"cc-badge cc-{mark.tone}")


def title(text: str, note: str) -> Html:
    """Return a page's heading and what the page is for."""
    return el("header", el("h1", text), el("p", note), cls="cc-title")


def section(text: str) -> Html:
    """Return the heading of a part of a page."""
    return el("h2", text, cls="cc-section")


def nothing(text: str) -> Html:
    """Return what is said where there is nothing to show yet."""
    return el("p", text, cls="cc-nothing")


def banner(texts: Sequence[str]) -> Html:
    """Return what has to be known about where the figures come from; nothing where there is nothing to say."""
    if not texts:
        return NOTHING
    return el("aside", icon("science"), el("p", " · ".join(texts)), cls="cc-banner", aria_label="about these figures")


def alarm(text: str, name: str = "emergency_home") -> Html:
    """Return what has to be louder than all else."""
    return el("div", icon(name), el("p", text), cls="cc-alarm", role="alert")


def alarms(view: Pulse) -> Html:
    """Return every alarm of the pulse."""
    return join(alarm(text) for text in view.alarms)


# --- Live ------------------------------------------------------------------------------------------------------------


def headline(view: Headline) -> Html:
    """Return the sentence that says what is going on."""
    return el(
        "section",
        badge(view.mark),
        el("h1", view.title),
        el("p", view.detail),
        cls=f"cc-headline cc-edge-{view.mark.tone}",
        aria_live="polite",
    )


def pulse(view: Pulse) -> Html:
    """Return how fresh the data is and how the monitor does, as one quiet line."""
    parts = [("sensors", "Data", view.data), ("favorite", "Monitor", view.monitor)]
    items = join(el("li", icon(name), el("b", label), f" {text}") for name, label, text in parts)
    return el("ul", items, cls="cc-pulse")


def stepper(view: Sequence[Step]) -> Html:
    """Return the phases in order, the present one with its progress and checkpoints."""
    return el("ol", *map(_step, view), cls="cc-steps")


def _step(step: Step) -> Html:
    per_cent = f"{100 * step.progress:.0f}"
    bar = el(
        "div",
        el("span", style=f"width:{100 * step.progress:.2f}%"),
        *map(_tick, step.ticks),
        cls="cc-bar",
        role="progressbar",
        aria_label=f"{step.name}: {per_cent} % of its time",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=per_cent,
    )
    head = el("div", el("b", step.name), el("span", step.share, cls="cc-share"), badge(step.mark), cls="cc-step-head")
    return el(
        "li",
        head,
        bar,
        *(el("p", line) for line in step.lines),
        cls=f"cc-step{' cc-now' if step.now else ''} cc-{step.mark.tone}",
        aria_current="step" if step.now else None,
    )


def _tick(tick: Tick) -> Html:
    kind = "pending" if tick.mark is PENDING else str(tick.mark.tone)
    return el("i", cls=f"cc-tick cc-{kind}", style=f"left:{100 * tick.place:.2f}%", title=tick.label)


def figures(rows: Iterable[FigureRow], candidate: str, baseline: str, pictures: Mapping[Figure, str]) -> Html:
    """Return the table with a row a figure; `pictures` are sparklines as data URIs."""
    return _captioned(
        "Figures of both versions and their limits",
        ("State", "Figure", *_versions(candidate, baseline), "Limits", "Trend"),
        (_figure(row, candidate, baseline, pictures.get(row.figure, "")) for row in rows),
        "cc-figures",
    )


def _figure(row: FigureRow, candidate: str, baseline: str, picture: str) -> Html:
    said = f"{row.label} of {candidate} and {baseline} so far"
    return el(
        "tr",
        el("td", badge(row.mark), cls="cc-c-state"),
        el("th", row.label, _small(row.sentence), cls="cc-c-name", scope="row"),
        el("td", el("b", row.value or _DASH), _small(row.interval), cls="cc-c-value", data_label=candidate),
        el("td", row.baseline or _DASH, cls="cc-c-base", data_label=baseline),
        el("td", *([el("span", text) for text in row.limits] or [_DASH]), cls="cc-c-limit", data_label="limits"),
        el("td", el("img", src=picture, alt=said) if picture else _DASH, cls="cc-c-trend"),
        cls=f"cc-row-{row.mark.tone}",
    )


def note(text: str) -> Html:
    """Return a sentence beside the point."""
    return el("p", text, cls="cc-muted")


def guardrails(rows: Iterable[GuardrailRow], candidate: str, baseline: str) -> Html:
    """Return the table with a row a comparison with the baseline."""
    return _captioned(
        "Comparisons with the baseline, valid at every look",
        ("State", "Against the baseline", *_versions(candidate, baseline), "Effect", "Certainty"),
        (_guardrail(row, candidate, baseline) for row in rows),
        "cc-figures cc-guardrails",
    )


def _guardrail(row: GuardrailRow, candidate: str, baseline: str) -> Html:
    certainty = [el("span", text) for text in (row.certainty, row.more) if text]
    return el(
        "tr",
        el("td", badge(row.mark), cls="cc-c-state"),
        el("th", row.label, _small(row.sentence or capital(row.limit) + "."), cls="cc-c-name", scope="row"),
        el("td", el("b", row.value or _DASH), cls="cc-c-value", data_label=candidate),
        el("td", row.baseline or _DASH, cls="cc-c-base", data_label=baseline),
        el("td", el("b", row.effect or _DASH), _small(row.interval), cls="cc-c-value cc-c-effect", data_label="effect"),
        el("td", *(certainty or [_DASH]), cls="cc-c-limit", data_label="certainty"),
        cls=f"cc-row-{row.mark.tone}",
    )


def _captioned(caption: str, heads: Iterable[str | Html], rows: Iterable[Html], cls: str) -> Html:
    return el(
        "table",
        el("caption", caption, cls="cc-hidden"),
        table_head(heads),
        el("tbody", *rows),
        cls=cls,
    )


def _versions(candidate: str, baseline: str) -> tuple[Html, Html]:
    """Return the headings of both versions, each with the key to its colour."""
    return (
        join([el("i", cls="cc-key cc-key-candidate"), candidate]),
        join([el("i", cls="cc-key cc-key-baseline"), baseline]),
    )


def _small(text: str) -> Html | None:
    return el("small", text) if text else None


def stopwatch(view: Stopwatch, *, real_time: bool) -> Html:
    """Return how long a rollback took. `real_time`: plan and wall time are the same, so one is told."""

    def measured(label: str, plan: str, wall: str) -> Html:
        both = "" if real_time or plan == wall else f" of plan time, {wall} really"
        return el("div", el("dt", label), el("dd", el("b", plan), both))

    return el(
        "section",
        el("h2", icon("timer"), "Measured rollback"),
        el("dl", *(measured(*step) for step in view.steps)),
        el("p", view.note) if view.note else None,
        el("p", view.who, cls="cc-muted"),
        cls="cc-stopwatch",
    )


# --- Plans -----------------------------------------------------------------------------------------------------------


def welcome(*, demo: bool) -> Html:
    """Return what is said before the first deployment."""
    if demo:
        how = el(
            "p",
            "The demo's service is running: real requests for its learners, all answered by the original analyzer. "
            "Start its canary, and 1 % of the learners get the fast one, watched sample by sample. Then break it, "
            "and see it rolled back.",
        )
    else:
        how = join(
            [
                el("p", "To see one on real traffic, run ", el("code", "canary demo"), "."),
                el(
                    "p",
                    "To roll out your own: ask this server's flag for each learner, push your service's figures, and "
                    "deploy a plan here or with ",
                    el("code", "canary deploy PLAN.yaml"),
                    ".",
                ),
            ]
        )
    return el("section", el("h1", "Nothing has been rolled out yet"), how, cls="cc-headline cc-edge-calm")


def problems(found: Iterable[tuple[str, str, str, str]]) -> Html:
    """Return what is wrong with a plan, a row each: line, field, what was found, what was expected."""
    rows = [
        (line or _DASH, el("code", field) if field else _DASH, value or "nothing", expected)
        for line, field, value, expected in found
    ]
    return _table(("Line", "Field", "Found", "Expected"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], cls: str = "") -> Html:
    head = table_head(heads)
    body = el("tbody", *(el("tr", *(el("td", cell) for cell in row)) for row in rows))
    return el("div", el("table", head, body, cls=f"cc-table {cls}".strip()), cls="cc-scroll", tabindex=0, role="region")


def plan(view: PlanView) -> Html:
    """Return a plan in words."""
    parts = (
        el("section", el("h3", part.title), *(el("p", text) for text in part.sentences), _points(part.points))
        for part in view.parts
    )
    heed = el("section", el("h3", icon("warning"), "What to know"), _points(view.warnings), cls="cc-edge-watch cc-warn")
    return el(
        "article",
        *(el("p", text) for text in view.headline),
        heed if view.warnings else None,
        el("div", *parts, cls="cc-plan-parts"),
        cls="cc-plan",
    )


def _points(sentences: Sequence[str]) -> Html | None:
    return el("ul", *(el("li", text) for text in sentences)) if sentences else None


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def cards(views: Sequence[ReportCard]) -> Html:
    """Return report cards one below the other, and those to come as small tiles after them."""
    judged = [_card(view) for view in views if not view.pending]
    tiles = [_tile(view) for view in views if view.pending]
    return el("div", *judged, el("div", *tiles, cls="cc-tiles") if tiles else None, cls="cc-cards")


def _card(view: ReportCard) -> Html:
    breached = [el("h4", "Breached"), *map(_line, view.breached)] if view.breached else []
    compared = [el("h4", "Against the baseline, at every look"), *map(_line, view.compared)] if view.compared else []
    return el(
        "article",
        el("header", el("h3", view.title), badge(view.mark)),
        el("p", view.when, cls="cc-muted"),
        el("p", view.summary),
        *map(_line, view.criteria),
        *compared,
        *breached,
        cls=f"cc-card cc-edge-{view.mark.tone}",
    )


def _tile(view: ReportCard) -> Html:
    return el("div", el("b", view.title), badge(view.mark), _small(view.when), cls="cc-tile")


def _line(line: CardLine) -> Html:
    interval = el("small", f" ({line.interval})") if line.interval else None
    baseline = el("small", f" baseline {line.baseline}", cls="cc-muted") if line.baseline else None
    return el(
        "div",
        badge(line.mark),
        el("span", line.label, cls="cc-line-name"),
        el("span", el("b", line.value or _DASH), interval, baseline, cls="cc-line-value"),
        el("span", line.limit, cls="cc-line-limit"),
        cls="cc-line",
        title=line.sentence,
    )


# --- History and system ----------------------------------------------------------------------------------------------


def seal(found: Verification) -> Html:
    """Return whether the event log is whole."""
    if not found.ok:
        where = "" if found.seq is None else f" First at event {found.seq:,}."
        return alarm(f"The event log has been tampered with: {found.problem}{where}", "gpp_bad")
    anchored = "" if found.anchored is None else f", {found.anchored:,} of them vouched for by the anchor outside it"
    said = f"{found.count:,} events in the database, an unbroken chain{anchored}. {found.warning}".strip()
    mark = (
        Mark(Tone.WATCH, "help", "whole, as far as known") if found.warning else Mark(Tone.GOOD, "verified", "verified")
    )
    return el("div", badge(mark), el("p", said), cls=f"cc-seal cc-edge-{mark.tone}")


def events(rows: Iterable[EventRow], *, several: bool) -> Html:
    """Return events as a list. `several`: say which deployment each belongs to."""
    return el("ol", *(_event(row, several) for row in rows), cls="cc-events")


def _event(row: EventRow, several: bool) -> Html:
    facts = [el("span", f"by {row.actor}")]
    facts += [el("span", row.deployment)] if several and row.deployment else []
    facts += [el("span", el("b", name), f" {value}") for name, value in row.facts]
    facts += [el("span", f"recorded {row.wall}")] if row.wall else []
    when = el("div", el("time", row.at), el("span", f"no. {row.seq:,}", cls="cc-muted"), cls="cc-event-when")
    said = el("p", row.reason) if row.reason else None
    what = el("div", badge(row.mark), said, el("div", *facts, cls="cc-facts"), cls="cc-event-what")
    return el("li", when, what)


def gate(view: GateView) -> Html:
    """Return a sign-off: where it stands, what there is to agree to, and each seat."""
    head = headline(Headline(view.mark, view.title, view.detail))
    evidence = (
        el("article", el("header", el("h3", "What there is to agree to")), *map(_line, view.evidence), cls="cc-card")
        if view.evidence
        else None
    )
    return el("div", head, evidence, seats(view.seats) if view.seats else None, cls="cc-gate")


def seats(rows: Iterable[SeatRow]) -> Html:
    """Return decisions as a table, a row a seat."""

    def cells(row: SeatRow) -> tuple[str, ...]:
        return badge(row.mark), row.seat.capitalize(), join([row.who, _small(row.when)]), row.comment

    return _table(("Decision", "Seat", "Who", "Comment"), map(cells, rows))


def trial(view: TrialView) -> Html:
    """Return what came of a trial of an alarm, as a sentence."""
    return headline(Headline(view.mark, view.title, view.detail))


def trial_faults(view: TrialView) -> Html:
    """Return what the alarm did with each fault, as a table."""
    heads = ("", "Fault", "Alarm", "Score", "Figure", "Rule of thumb")
    return _table(heads, ((badge(mark), *cells) for mark, *cells in view.faults))


def everyday(view: TrialView) -> Html:
    """Return what is everyday for a service, a row a figure."""
    return _table(("Figure", "Median", "95th worst percentile"), view.everyday)


def incident(row: IncidentRow) -> Html:
    """Return an open incident: what, why, since when, and who looks after it."""
    head = el("header", el("h3", row.cause), badge(row.mark))
    told = el("p", f"{row.since}{f' · {row.who}' if row.who else ''} · {row.id}", cls="cc-muted")
    return el("article", head, el("p", row.summary), told, cls=f"cc-incident cc-edge-{row.mark.tone}")


def calls(rows: Iterable[tuple[Mark, str, str, str, str]]) -> Html:
    """Return messages as a table, newest first."""

    def cells(row: tuple[Mark, str, str, str, str]) -> tuple[str, ...]:
        mark, when, who, what, error = row
        return badge(mark), who, join([what, _small(error)]), when

    return _table(("State", "To", "About", "When"), map(cells, rows))


def pairs(found: Iterable[tuple[str, str]]) -> Html:
    """Return names and values, one below the other."""
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in found), cls="cc-pairs")


def facts(heading: str, found: Iterable[tuple[str, str]], mark: Mark | None) -> Html:
    """Return a titled list of names and values."""
    head = el("div", el("h2", heading), badge(mark) if mark else None, cls="cc-facts-head")
    return join([head, pairs(found)])


def opinion(mark: Mark, text: str, when: str) -> Html:
    """Return the doctor's opinion in a sentence."""
    return el(
        "section",
        badge(mark),
        el("h1", text),
        el("p", f"As of {when}. Nothing was changed."),
        cls=f"cc-headline cc-edge-{mark.tone}",
        aria_live="polite",
    )


def findings(rows: Iterable[FindingRow]) -> Html:
    """Return what the doctor found as a table."""

    def cells(row: FindingRow) -> tuple[str, ...]:
        return badge(row.mark), el("b", row.check), join([row.says, _small(f"→ {row.mend}" if row.mend else "")])

    return _table(("State", "Part", "What is so, and how to mend it"), map(cells, rows))


def settings(rows: Iterable[SettingRow]) -> Html:
    """Return settings as a table."""

    def cells(row: SettingRow) -> tuple[str, ...]:
        anew = f"{row.anew} after a restart" if row.anew else ""
        return (
            join([el("code", row.name), _small(row.what)]),
            join([el("b", row.said), _small(anew)]),
            badge(row.origin),
        )

    return _table(("Setting", "Value", "From"), map(cells, rows), "cc-settings")


def drills(rows: Iterable[DrillRow]) -> Html:
    """Return the rollbacks as a table."""

    def cells(row: DrillRow) -> tuple[str, ...]:
        really = f"{row.verified_wall} really" if row.verified_wall != row.verified else ""
        verified = join([el("b", row.verified), _small(really if row.verified_wall else "")])
        return row.at, row.who, row.switched, verified, join([row.reason, _small(row.deployment)])

    return _table(("When (plan time)", "Decided by", "Switched after", "Verified after", "Why"), map(cells, rows))

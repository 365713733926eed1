"""What charts of a deployment are drawn from."""

from __future__ import annotations

import streamlit as st

from core.delivery import Figure, Plan, State, Status
from core.delivery.words import limit as say_limit
from core.web import figures
from core.web.palette import palette
from core.web.reading.installation import TTL_S, deliveries, store
from core.web.reading.live import MARKED, snapshot
from core.web.reading.watching import watched
from core.web.views.curves import DRAWN
from core.web.views.history import mark_of

TAIL_S = 900.0
"""Plan seconds for which samples are still shown after a deployment has ended."""

_SAID = frozenset(MARKED) - {"phase passed"}


def _until(status: Status, now: float) -> float:
    ended = status.state in {State.ROLLED_BACK, State.ABORTED}
    return min(now, status.judged_at + TAIL_S) if ended and status.judged_at is not None else now


def _window_of(plan: Plan, figure: Figure) -> tuple[float, int]:
    """Return how triggers see a figure: (plan seconds, fewest trials)."""
    hold = next((t.hold_s for t in plan.triggers if t.limit.figure is figure), 2 * plan.sample_s)
    return hold, plan.min_requests if figure.quantile is None else plan.min_requests_quantile


def drawable(plan: Plan, phase: int) -> list[Figure]:
    """Return the figures that a chart can be drawn of: those of the plan first, then the latencies it doesn't name."""
    named = [c.figure for c in plan.phases[max(phase, 0)].criteria] + [t.limit.figure for t in plan.triggers]
    return [f for f in dict.fromkeys([*named, Figure.LATENCY_P50]) if f in DRAWN]


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def sparklines(deployment: str, theme: str | None) -> dict[Figure, str]:
    """Return a small picture, as a data URI, of each figure in the present phase."""
    status, of, colours = deliveries().status(deployment), store(), palette(theme)
    if status.phase_started is None:
        return {}
    watch, plan = watched(of, status, status.phase_started), status.plan
    pictures = {}
    with watch.lock:
        for figure in drawable(plan, status.phase):
            window, minimum = _window_of(plan, figure)
            until = _until(status, of.clock().now())
            lines = [
                watch.bins.curve(figure, version, window, minimum, until).value
                for version in (plan.candidate, plan.baseline)
            ]
            limits = [t.limit.value for t in plan.triggers if t.limit.figure is figure]
            pictures[figure] = figures.sparkline(lines[0].tolist(), lines[1].tolist(), colours, limits)
    return {figure: picture for figure, picture in pictures.items() if picture}


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def chart(deployment: str, figure: Figure | None, whole: bool, theme: str | None) -> tuple[figures.PlotlyFigure, str]:
    """Return the chart of a figure (None: traffic) and its text alternative.

    `whole`: of the present attempt, else of its present phase.
    """
    found, of = snapshot(deployment), store()
    status, plan, colours = found.status, found.status.plan, palette(theme)
    origin = (found.began if whole else status.phase_started) or status.created
    until = _until(status, found.now)
    watch = watched(of, status, origin)
    with watch.lock:
        with of.read() as connection:
            watch.refresh(connection)
        if figure is None:
            candidate, baseline = watch.bins.rate(plan.candidate), watch.bins.rate(plan.baseline)
        else:
            window, minimum = _window_of(plan, figure)
            candidate, baseline = (
                watch.bins.curve(figure, v, window, minimum, until) for v in (plan.candidate, plan.baseline)
            )
    limits = [] if figure is None else _limits(plan, status.phase, figure)
    marks = [
        figures.EventMark(
            e.at,
            mark_of(e.kind).word + (f": {e.data['phase']}" if e.kind == "phase started" else ""),
            mark_of(e.kind).tone,
            e.kind in _SAID,
        )
        for e in found.marks
        if origin <= e.at <= until
    ]
    judged = [
        figures.Judged(f_at, finding.value, finding.low, finding.high, str(finding.state))
        for f_at, finding in (
            (record.at, finding)
            for record in found.checkpoints
            if record.attempt == status.attempt and record.at >= origin
            for finding in record.verdict.criteria
        )
        if finding.figure is figure and finding.value is not None
    ]
    drawing = figures.over_time(
        figure,
        (plan.candidate, candidate),
        (plan.baseline, baseline),
        colours,
        limits=limits,
        marks=marks,
        judged=judged,
        span=(origin, max(until, origin + 10 * plan.sample_s)),
    )
    return drawing, figures.told(figure, (plan.candidate, candidate), (plan.baseline, baseline), limits)


def _limits(plan: Plan, phase: int, figure: Figure) -> list[figures.LimitLine]:
    lines = [
        figures.LimitLine(c.value, f"criterion: {say_limit(c)}", acting=False)
        for c in plan.phases[max(phase, 0)].criteria
        if c.figure is figure
    ]
    acts = {"roll back": "rolls back", "hold": "holds"}
    return lines + [
        figures.LimitLine(t.limit.value, f"{acts[t.then]}: {say_limit(t.limit)}", acting=True)
        for t in plan.triggers
        if t.limit.figure is figure
    ]

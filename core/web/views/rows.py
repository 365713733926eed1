"""A verdict -> one row a figure: state, both versions' values, limits, the judge's sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery import WARN_ONLY, Figure, Finding, Limit, Plan, Role, Trigger, Verdict
from core.delivery.words import duration
from core.delivery.words import figure as say_figure
from core.delivery.words import limit as say_limit
from core.web.views.marks import BREACHED, Mark, Tone, figure_mark
from core.web.views.says import capital, interval, sentence

_RELATIVE = frozenset({Figure.REVENUE, Figure.ROI})  # said against the baseline, which has no figure of its own then


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of both versions, with its limits and what the judge says of it.

    Attributes:
        figure: what it is about. mark: its state.
        value, interval, baseline: said with their units; "" where there is none.
        limits: what must hold, and what acts when it doesn't, in words.
        sentence: the judge's.
    """

    figure: Figure
    mark: Mark
    label: str
    value: str
    interval: str
    baseline: str
    limits: tuple[str, ...]
    sentence: str
    gates: bool


def figure_rows(plan: Plan, phase: int, verdict: Verdict | None) -> tuple[FigureRow, ...]:
    """Return one row a figure: those with a criterion in the phase first, then those with a trigger only."""
    criteria = plan.phases[max(phase, 0)].criteria
    order = dict.fromkeys([limit.figure for limit in criteria] + [t.limit.figure for t in plan.triggers])
    findings = {(f.role, f.figure): f for f in (*verdict.criteria, *verdict.triggers)} if verdict else {}
    return tuple(
        _row(
            figure,
            next((limit for limit in criteria if limit.figure is figure), None),
            next((t for t in plan.triggers if t.limit.figure is figure), None),
            findings.get((Role.CRITERION, figure)),
            findings.get((Role.TRIGGER, figure)),
        )
        for figure in order
    )


def _row(
    figure: Figure, criterion: Limit | None, trigger: Trigger | None, judged: Finding | None, watched: Finding | None
) -> FigureRow:
    fired = watched is not None and bool(watched.then)
    main = watched if fired else judged or watched
    limits = []
    if criterion is not None:
        limits.append(say_limit(criterion))
    if trigger is not None:
        acts = "rolls back" if trigger.then == "roll back" else "holds"
        limits.append(f"{acts} when {say_limit(trigger.limit)} for {duration(trigger.hold_s)}")
    if main is None:
        return FigureRow(
            figure,
            Mark(Tone.CALM, "hourglass_top", "not judged yet"),
            capital(figure.label),
            "",
            "",
            "",
            tuple(limits),
            "",
            criterion is not None,
        )
    mark = BREACHED if fired else figure_mark(main.state)
    if mark.tone is Tone.BAD and figure in WARN_ONLY:
        mark = Mark(Tone.WATCH, "warning", "warning only")
    return FigureRow(
        figure,
        mark,
        capital(figure.label),
        "" if main.value is None else say_figure(figure, main.value),
        interval(figure, main),
        "" if main.baseline is None or figure in _RELATIVE else say_figure(figure, main.baseline),
        tuple(limits),
        sentence(main.sentence),
        criterion is not None and figure not in WARN_ONLY,
    )


def figure_name(figure: Figure | None) -> str:
    """Say what a chart's choice is called; None is traffic."""
    return "Requests per second" if figure is None else capital(figure.label)


def span_name(whole: bool) -> str:
    """Say what span a chart has."""
    return "Whole roll-out" if whole else "This phase"


def chart_note(figure: Figure | None) -> str:
    """Say how the lines of a chart are made."""
    if figure is None:
        return "Requests answered a second of plan time, both versions."
    return (
        "Each point is pooled over the window that ends there, as triggers are judged: sums, never averages of ratios. "
        "Dots are what was judged at checkpoints over the phase so far, with the interval that decided."
    )

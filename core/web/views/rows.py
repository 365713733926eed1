"""A verdict -> one row a figure: state, both versions' values, limits, the judge's sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.delivery import RELATIVE, WARN_ONLY, Figure, Finding, Guardrail, Limit, Plan, Role, Trigger, Verdict
from core.delivery.words import between, duration, exact_probability, place, probability, roughly, times
from core.delivery.words import figure as say_figure
from core.delivery.words import limit as say_limit
from core.web.views.marks import BREACHED, Mark, Tone, figure_mark
from core.web.views.says import capital, interval, sentence


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


@dataclass(frozen=True, slots=True)
class GuardrailRow:
    """One comparison with the baseline that is looked at with every sample.

    Attributes:
        mark: its state. label: what is compared, and of whom. limit: what is allowed, and what follows.
        value, baseline: of both versions. effect, interval: of the candidate against the baseline, valid at every look.
        certainty: the always-valid p and below which it acts. more: how much more data is needed, or "".
        sentence: the judge's.
    """

    mark: Mark
    label: str
    limit: str
    value: str
    baseline: str
    effect: str
    interval: str
    certainty: str
    more: str
    sentence: str


def guardrail_rows(plan: Plan, verdict: Verdict | None) -> tuple[GuardrailRow, ...]:
    """Return one row a guardrail, then one a trigger that is relative to the baseline, then the learners' split."""
    found: dict[Guardrail | Limit, Finding] = {}
    for finding in (*verdict.guardrails, *verdict.triggers) if verdict else ():
        found[finding.guardrail or finding.limit] = finding
    return (
        *(guardrail_row(_beyond(g), capital(g.figure.label) + place(g), found.get(g)) for g in plan.guardrails),
        *(
            guardrail_row(_acts(t.then, say_limit(t.limit)), capital(t.limit.figure.label), found.get(t.limit))
            for t in plan.relative_triggers()
        ),
        *(split_row(f) for f in (verdict.guardrails if verdict else ()) if f.figure is Figure.SPLIT),
    )


def split_row(finding: Finding) -> GuardrailRow:
    """Return how learners are split between the versions in words."""
    share = say_figure(Figure.SPLIT, finding.limit.value)
    row = guardrail_row(f"holds when it isn't {share} as planned", capital(finding.figure.label), finding)
    others = "" if finding.value is None else say_figure(Figure.SPLIT, 1 - finding.value)
    return replace(row, baseline=others)


def guardrail_row(limit: str, label: str, finding: Finding | None) -> GuardrailRow:
    """Return a comparison in words; `finding` None: it has not been judged yet."""
    if finding is None:
        return GuardrailRow(Mark(Tone.CALM, "hourglass_top", "not judged yet"), label, limit, *[""] * 7)
    figure, relative = finding.figure, finding.figure in RELATIVE
    effect = "" if finding.ratio is None else times(finding.ratio)
    bounds = between(finding.ratio_low, finding.ratio_high)
    if relative:
        effect = "" if finding.value is None else say_figure(figure, finding.value)
        bounds = interval(figure, finding)
    certainty = ""
    if finding.p_value is not None and finding.alpha is not None:
        certainty = f"{probability(finding.p_value)}, acts at {exact_probability(finding.alpha)}"
    return GuardrailRow(
        BREACHED if finding.then else figure_mark(finding.state),
        label,
        limit,
        "" if relative or finding.value is None else say_figure(figure, finding.value),
        "" if relative or finding.baseline is None else say_figure(figure, finding.baseline),
        effect,
        bounds,
        certainty,
        f"about {roughly(finding.wait_s)} more would tell" if finding.wait_s else "",
        sentence(finding.sentence),
    )


def _beyond(guardrail: Guardrail) -> str:
    acts = "rolls back" if guardrail.then == "roll back" else "holds"
    if guardrail.margin == 1:
        return f"{acts} at any {'more' if guardrail.limit.op.startswith('>') else 'less'}"
    return f"{acts} {'beyond' if guardrail.limit.op.startswith('>') else 'below'} {guardrail.margin:g} times"


def _acts(then: str, when: str) -> str:
    return f"{'rolls back' if then == 'roll back' else 'holds'} when {when}"


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
        "" if main.baseline is None or figure in RELATIVE else say_figure(figure, main.baseline),
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

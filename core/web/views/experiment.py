"""Findings of an experiment -> what its page says and draws. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.experiments import (
    Comparison,
    Daily,
    Findings,
    SavedExperiment,
    Verdict,
    decision,
    number,
    percent,
    probability,
    relative_words,
    sentence,
)
from core.web.views.marks import Headline, Mark, Tone

BETTER = Mark(Tone.GOOD, "trending_up", "better")
WORSE = Mark(Tone.BAD, "trending_down", "worse")
OPEN = Mark(Tone.WATCH, "help", "not shown to differ")
NONE = Mark(Tone.CALM, "do_not_disturb_on", "nothing to compare")
_VERDICTS = {
    Verdict.BETTER: BETTER,
    Verdict.WORSE: WORSE,
    Verdict.OPEN: OPEN,
    Verdict.INVALID: Mark(Tone.BAD, "call_split", "traffic not split as planned"),
}
DIFFERENCE = Mark(Tone.WATCH, "shuffle_on", "not randomised")


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One metric in the table, in words."""

    mark: Mark
    name: str
    about: str
    control: str
    treatment: str
    relative: str
    difference: str
    p: str
    adjusted: str
    smallest: str


@dataclass(frozen=True, slots=True)
class Effects:
    """Relative effects to draw: for each metric its name, mark and percentages; `margin` NaN without one."""

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    margin: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """An effect by day, in per cent of the control where `relative`: estimate, interval, confidence sequence."""

    days: tuple[str, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    always_low: tuple[float, ...]
    always_high: tuple[float, ...]
    relative: bool


def headline(findings: Findings, treatment: str) -> Headline:
    """Say what the experiment comes to."""
    verdict, said = decision(findings, treatment)
    mark = _VERDICTS[verdict] if findings.design.randomised or findings.withheld else DIFFERENCE
    split = findings.split
    counts = " against ".join(f"{split.observed[arm]:,}" for arm in (treatment, findings.design.control))
    unit = "clusters" if findings.design.cluster else "learners"
    if findings.withheld:
        first_doubt = findings.warnings[0]
        detail = f"{first_doubt[0].upper()}{first_doubt[1:]}. Were other shares planned, or were versions not given by "
        detail += "chance? Say so under “More” and compare again."
    else:
        first = next(found for found in findings.comparisons if found.treatment == treatment)
        tested = f"split {'as planned' if split.ok else 'not as planned'} ({probability(split.p_value)})"
        if not findings.design.randomised:
            tested = "not randomised, so differences are not effects of the version"
        detail = f"{sentence(first, findings)} {counts} {unit}, {tested}."
    return Headline(mark, _whole(f"{said}."), _whole(detail))


def _whole(text: str) -> str:
    """Keep a number and its unit on one line."""
    return text.replace(" %", "\u00a0%")


def mark_of(found: Comparison) -> Mark:
    """Return how a comparison looks."""
    if math.isnan(float(found.effect.p_value)):
        return NONE
    return {True: BETTER, False: WORSE, None: OPEN}[found.better]


def rows(findings: Findings, treatment: str) -> list[EffectRow]:
    """Return the table of metrics."""
    out = []
    for found in findings.comparisons:
        if found.treatment != treatment:
            continue
        effect = found.effect
        about = effect.method
        if effect.reduction > 0:
            about += f" took away {percent(float(effect.reduction))} of the variance"
        if found.margin is not None:
            about += f"; margin {found.margin.margin}: {found.margin.state}"
        low, high = (number(float(bound), signed=True) for bound in (effect.low, effect.high))
        smallest = float(effect.mde / effect.control) if effect.control > 0 else math.nan
        out.append(
            EffectRow(
                mark_of(found),
                found.metric.name,
                about,
                number(float(effect.control)),
                number(float(effect.treatment)),
                relative_words(effect),
                f"{number(float(effect.difference), signed=True)} ({low} to {high})",
                _p(float(effect.p_value)),
                f"Holm {_p(found.p_adjusted)}, BH {_p(found.p_fdr)}",
                percent(smallest) if math.isfinite(smallest) else number(float(effect.mde)),
            )
        )
    return out


def _p(p: float) -> str:
    return "–" if math.isnan(p) else probability(p).removeprefix("p = ").removeprefix("p ")


def effects(findings: Findings, treatment: str) -> Effects | None:
    """Return the relative effects to draw; None where no metric has one."""
    own = [f for f in findings.comparisons if f.treatment == treatment and math.isfinite(float(f.effect.relative_low))]
    if not own:
        return None

    def margin(found: Comparison) -> float:
        declared = found.metric.margin
        if declared is None:
            return math.nan
        size = declared.size if declared.relative else declared.size / float(found.effect.control)
        return 100 * size

    return Effects(
        tuple(f.metric.name for f in own),
        tuple(mark_of(f) for f in own),
        tuple(100 * float(f.effect.relative) for f in own),
        tuple(100 * float(f.effect.relative_low) for f in own),
        tuple(100 * float(f.effect.relative_high) for f in own),
        tuple(margin(f) for f in own),
    )


def course(found: Daily) -> Course:
    """Return the effect by day as it is drawn: relative, where the control is clearly above zero on most days."""
    effect = found.effect
    known = [math.isfinite(v) for v in effect.relative_low.tolist()]
    relative = sum(known) * 2 >= len(known)
    scale = 100.0 if relative else 1.0
    columns = (
        (effect.relative, effect.relative_low, effect.relative_high, found.relative_low, found.relative_high)
        if relative
        else (effect.difference, effect.low, effect.high, found.low, found.high)
    )
    value, low, high, always_low, always_high = (tuple((scale * column).tolist()) for column in columns)
    return Course(found.days, value, low, high, always_low, always_high, relative)


def doubts(findings: Findings) -> list[str]:
    """Return what makes the result doubtful; a split that isn't as planned is the headline already."""
    return [f"{text[0].upper()}{text[1:]}." for text in findings.warnings[int(findings.withheld) :]]


def course_note(findings: Findings, metric: str, treatment: str) -> str:
    """Say how to read the course of an effect."""
    found = findings.comparison(metric, treatment)
    said = (
        "Over all learners who came in up to that day. The dotted band may be looked at every day and acted on at any; "
    )
    said += "the other holds on one day chosen beforehand."
    if found.trend is None:
        return said
    tested = f"({probability(found.trend.p_value)} of no slope over {found.trend.days} days)"
    if found.trend.p_value >= found.effect.alpha:
        return f"{said} The effect is not shown to change with the day {tested}."
    fades = (found.trend.slope > 0) != (float(found.effect.difference) > 0)
    return f"{said} The effect {'fades' if fades else 'grows'} from day to day {tested}."


def label(saved: SavedExperiment) -> str:
    """Say which experiment it is, in a list."""
    return f"{saved.name} (simulated)" if saved.simulated else saved.name


def facts(saved: SavedExperiment, findings: Findings, rows_read: int, rejected: int) -> list[tuple[str, str]]:
    """Return what the experiment was computed from."""
    question, split = saved.question, findings.split
    found = [
        ("Data", ", ".join(question.paths)),
        ("Rows read", f"{rows_read:,}" + (f", {rejected:,} of them left out" if rejected else "")),
        ("Versions", f"column {question.variant}, {question.control} is the control"),
        ("Split", ", ".join(f"{arm} {n:,} of {split.expected[arm]:,.0f} planned" for arm, n in split.observed.items())),
        ("Metrics", "; ".join(question.metrics)),
    ]
    if question.covariates:
        found.append(("Covariates", "; ".join(question.covariates)))
    if question.margins:
        found.append(("Margins", "; ".join(question.margins)))
    found += [
        ("Confidence", percent(1 - question.alpha)),
        ("Kept by", saved.by),
    ]
    return found

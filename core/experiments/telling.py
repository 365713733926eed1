"""Findings -> sentences: what each metric shows, the decision, what segments suggest, and a report to send."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from core.experiments.analysis import Comparison, Findings, Segment, Spread
from core.experiments.estimates import Effect
from core.experiments.heterogeneity import SpreadState
from core.experiments.margins import MarginState
from core.experiments.words import number, percent, probability

_ALIKE = 0.05


def sentences(findings: Findings) -> list[str]:
    """Return what the experiment says, a sentence for each metric and pair."""
    if findings.withheld:
        return [f"No decision: {findings.warnings[0]}."]
    return [sentence(found, findings) for found in findings.comparisons]


def sentence(found: Comparison, findings: Findings) -> str:
    """Return what was found of one metric, with its numbers."""
    effect, metric = found.effect, found.metric
    pair = f"{metric.name} of {found.treatment}"
    if not np.isfinite(effect.low):
        return f"{pair}: nothing can be said, for lack of values."
    level = percent(1 - effect.alpha)
    if np.isfinite(effect.relative_low):
        size = f"{percent(float(effect.relative), signed=True)} against {findings.design.control}"
        interval = [percent(float(bound), signed=True) for bound in (effect.relative_low, effect.relative_high)]
    else:
        size = f"{number(float(effect.difference), signed=True)} against {findings.design.control}"
        interval = [number(float(bound), signed=True) for bound in (effect.low, effect.high)]
    said = f"{pair} is {size} ({level} interval {interval[0]} to {interval[1]}"
    said += f"; {probability(found.p_adjusted)} after Holm)" if np.isfinite(found.p_adjusted) else ")"
    verdict = {True: "better", False: "worse", None: "not shown to differ"}[found.better]
    verdict += "" if findings.design.randomised else ", not randomised"
    said += f": {verdict}"
    if found.better is None and effect.mde > 0:
        smallest = float(effect.mde / effect.control) if effect.control > 0 else float("nan")
        told = percent(smallest) if np.isfinite(smallest) else number(float(effect.mde))
        said += f"; a difference of {told} would have been seen with a power of 80 %"
    if found.margin is not None:
        said += {
            MarginState.MET: f"; not worse than the margin of {found.margin.margin}",
            MarginState.VIOLATED: f"; worse than the margin of {found.margin.margin}",
            MarginState.OPEN: f"; not shown to be within the margin of {found.margin.margin}",
        }[found.margin.state]
    if found.trend is not None and found.trend.p_value < effect.alpha / max(1, len(findings.comparisons)):
        fading = (found.trend.slope > 0) != (effect.difference > 0)
        said += f"; the effect {'fades' if fading else 'grows'} from day to day ({probability(found.trend.p_value)})"
    return said + "."


def spread_sentence(found: Spread) -> str:
    """Return whether a metric's effect is the same in all levels of a segment."""
    name = f"{found.metric.name} of {found.treatment} by {found.dimension}"
    if found.found is None:
        return f"{name}: not enough data to compare levels."
    h = found.found
    if found.state is SpreadState.WITHIN:
        return f"{name}: spread within {percent(h.spread)}: every level's effect lies that near the overall one."
    tested = f"{probability(found.p_adjusted)} after Holm, I² {percent(h.i_squared)}"
    if found.state is SpreadState.HETEROGENEOUS:
        return f"{name}: heterogeneous: levels differ in their effect ({tested}){in_per_cent(found)}."
    return f"{name}: not enough data: neither shown to be within {percent(h.spread)} nor shown to differ ({tested})."


class Verdict(StrEnum):
    """What an experiment comes to."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not shown to differ"
    INVALID = "no decision"


def decision(findings: Findings, treatment: str) -> tuple[Verdict, str]:
    """Return what one treatment comes to: worse if any metric is, better if some are and none is worse."""
    if findings.withheld:
        return Verdict.INVALID, "No decision: the traffic was not split as planned"
    own = [found for found in findings.comparisons if found.treatment == treatment]
    worse = [f for f in own if f.better is False or (f.margin is not None and f.margin.state is MarginState.VIOLATED)]
    better = [f for f in own if f.better]
    if worse:
        return Verdict.WORSE, f"{treatment} is worse on {_named(worse)}"
    unsure = [f for f in own if f.margin is not None and f.margin.state is MarginState.OPEN]
    doubt = f"; the margin of {_named(unsure)} is not shown to be kept" if unsure else ""
    if better:
        return Verdict.BETTER, f"{treatment} is better on {_named(better)}{doubt}"
    return Verdict.OPEN, f"{treatment} is not shown to differ on {_named(own)}{doubt}"


def _named(found: list[Comparison]) -> str:
    """Say metrics, each with its size."""

    def size(one: Comparison) -> str:
        effect = one.effect
        if np.isfinite(effect.relative_low):
            return percent(float(effect.relative), signed=True)
        return number(float(effect.difference), signed=True)

    return ", ".join(f"{one.metric.name} ({size(one)})" for one in found)


def markdown(findings: Findings, title: str, notes: Sequence[str] = ()) -> str:
    """Return a report that people can read and send: the decision, every figure, and what makes it doubtful.

    Args:
        notes: what has to be known first, such as that its learners are simulated.
    """
    design, split = findings.design, findings.split
    counts = ", ".join(f"{arm} {n:,}" for arm, n in split.observed.items())
    lines = [f"# {title}", "", *(f"**{note}**" for note in notes), ""]
    lines += [f"{decision(findings, treatment)[1]}.  " for treatment in findings.treatments]
    lines += ["", f"Split: {counts}; {probability(split.p_value)} of the planned one.", "", "## Metrics", ""]
    lines += [f"- {said}" for said in sentences(findings)]
    if findings.comparisons:
        lines += ["", _row("metric", "version", "control", "treatment", "difference", "relative", "p", "Holm", "BH")]
        lines += ["|" + "---|" * 9]
        lines += [_row(*_figures(found)) for found in findings.comparisons]
    for dimension in design.segments:
        lines += ["", f"## By {dimension}", ""]
        lines += [f"- {spread_sentence(s)}" for s in findings.spreads if s.dimension == dimension]
        lines += ["", _row("metric", "version", "level", "learners", "relative", "Holm"), "|" + "---|" * 6]
        lines += [_row(*_level(s)) for s in findings.segments if s.dimension == dimension]
    if findings.warnings:
        lines += ["", "## Doubts", "", *(f"- {warning}" for warning in findings.warnings)]
    lines += ["", f"Intervals at {percent(1 - design.alpha)}. Methods: docs/experiments.md.", ""]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _figures(found: Comparison) -> list[str]:
    effect = found.effect
    interval = f"{number(float(effect.low), signed=True)} to {number(float(effect.high), signed=True)}"
    p_values = [float(effect.p_value), found.p_adjusted, found.p_fdr]
    return [
        found.metric.name,
        found.treatment,
        number(float(effect.control)),
        number(float(effect.treatment)),
        f"{number(float(effect.difference), signed=True)} ({interval})",
        relative_words(effect),
        *("-" if np.isnan(p) else probability(p).removeprefix("p = ").removeprefix("p ") for p in p_values),
    ]


def _level(found: Segment) -> list[str]:
    n = f"{found.n_control + found.n_treatment:,}"
    if found.effect is None:
        return [found.metric.name, found.treatment, found.level, n, "too few to show", ""]
    p = "-" if np.isnan(found.p_adjusted) else probability(found.p_adjusted).removeprefix("p = ").removeprefix("p ")
    return [found.metric.name, found.treatment, found.level, n, relative_words(found.effect), p]


def relative_words(effect: Effect) -> str:
    """Say a relative effect with its interval; "-" where the control is not clearly above zero."""
    if not np.isfinite(effect.relative_low):
        return "-"
    low, high = (percent(float(bound), signed=True) for bound in (effect.relative_low, effect.relative_high))
    return f"{percent(float(effect.relative), signed=True)} ({low} to {high})"


def recommendations(findings: Findings, metric: str, treatment: str) -> tuple[str, ...]:
    """Return what segments suggest, each with the numbers behind it; nothing of learners who were not randomised."""
    if not findings.design.randomised:
        return ()
    own = [s for s in findings.segments if (s.metric.name, s.treatment) == (metric, treatment) and s.effect is not None]
    spreads = {s.dimension: s for s in findings.spreads if (s.metric.name, s.treatment) == (metric, treatment)}
    overall = findings.comparison(metric, treatment).effect
    out = []
    for s in own:
        if s.effect is None or not s.p_adjusted < findings.design.alpha:
            continue
        worse = (s.effect.difference > 0) == s.metric.lower_is_better
        ahead = s.high < 0 if s.metric.lower_is_better else s.low > 0
        # A lift that is the same in per cent everywhere is no reason to start with those who have most.
        ahead &= bool(spreads[s.dimension].relative_p_adjusted < findings.design.alpha)
        ahead &= bool((s.effect.relative > overall.relative) != s.metric.lower_is_better)
        where = f"{s.dimension} {s.level} ({s.n_control + s.n_treatment:,} learners)"
        told = f"{metric} {relative_words(s.effect)}; {probability(s.p_adjusted)} after Holm"
        if worse:
            out.append(f"Keep {findings.design.control} for {where} until it is understood: {told}.")
        elif ahead and spreads[s.dimension].state is SpreadState.HETEROGENEOUS:
            out.append(f"{treatment} does most for {where}: {told}. Start there.")
    for dimension, spread in spreads.items():
        if spread.state is SpreadState.UNKNOWN and spread.found is not None:
            widest = max((s for s in own if s.dimension == dimension), key=lambda s: s.high - s.low)
            low, high = (percent(bound, signed=True) for bound in (widest.low, widest.high))
            out.append(
                f"More learners are needed before levels of {dimension} can be told apart or called alike: the effect "
                f"in {widest.level} lies {low} to {high} of the baseline from the overall one."
            )
    alike = [dimension for dimension, spread in spreads.items() if spread.state is SpreadState.WITHIN]
    if alike:
        out.append(
            f"No need to treat levels apart of {', '.join(alike)}: each one's effect on {metric} is within "
            f"{percent(findings.design.spread)} of the baseline from the overall one."
        )
    return tuple(out)


def in_per_cent(found: Spread) -> str:
    """Return what has to be added where levels differ in units, but not in per cent of their own control."""
    p = found.relative_p_adjusted
    return f"; in per cent of their own control they don't ({probability(p)})" if p >= _ALIKE else ""

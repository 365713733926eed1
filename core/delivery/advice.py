"""What is unwise in a valid plan, or isn't measured: said before it starts, in sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from core.delivery import words
from core.delivery.needs import Rate, Traffic, rate_of, window
from core.delivery.plan import WARN_ONLY, Figure, Limit, Phase, Plan, Trigger
from core.delivery.quantities import say_duration, say_moment, say_share

RELATIVE = frozenset({Figure.REVENUE, Figure.ROI})
"""Figures that compare with the baseline: at 100 % nobody is left to compare with."""

_ENOUGH_POWER = 0.8

NOT_YET = frozenset({Figure.SEGMENT_SPREAD})
"""Figures that plans may name and no source gives yet."""


def warnings(plan: Plan, traffic: Traffic) -> list[str]:
    """Return what is unwise in a valid plan, or isn't measured, at a traffic; each begins with where."""
    return list(_warnings(plan, traffic))


def shortage(rate: Rate, needs: int, expected: int) -> str:
    """Say what a rate lacks to be conclusive."""
    time = f", in {say_duration(needs / rate.per_s)}" if rate.per_s > 0 else ""
    return (
        f"it needs {words.count(needs)} {rate.trials} of which none {rate.bad}{time}; "
        f"the phase brings {words.count(expected)}"
    )


def not_measured(plan: Plan, figure: Figure, phase: Phase) -> str:
    """Say why a figure isn't measured in a phase; "" where it is."""
    if figure in NOT_YET:
        return "as no source gives it yet"
    if figure in RELATIVE and phase.share >= 1:
        return f"as nobody is left with {plan.baseline} to compare with"
    if figure is Figure.DISAGREEMENT and plan.compare_share <= 0:
        return "as no answers are compared (disagreement.compare is 0 %)"
    return ""


def _warnings(plan: Plan, traffic: Traffic) -> Iterator[str]:
    for phase in plan.phases:
        yield from _phase_warnings(plan, phase, traffic)
    for before, phase in itertools.pairwise(plan.phases):
        if before.starts is None or phase.starts is None or plan.skip_gaps:
            continue
        ends = before.starts + before.lasts_s
        if phase.starts < ends:
            yield f"{phase.name}: begins at {say_moment(ends)} at the earliest, when {before.name} ends, after its date"
    if plan.phases[-1].share < 1:
        yield f"{plan.phases[-1].name}: the plan ends at {say_share(plan.phases[-1].share)} of the learners"
    for trigger in plan.triggers:
        yield from _trigger_warnings(plan, trigger, traffic)
    if all(t.then != "roll back" for t in plan.triggers):
        yield "triggers: every one only holds; nothing but silence rolls back by itself"


def _phase_warnings(plan: Plan, phase: Phase, traffic: Traffic) -> Iterator[str]:
    gates = False
    for limit in phase.criteria:
        figure, what = limit.figure, f"{phase.name}: {limit.figure.label} {words.limit(limit)}"
        if unmeasured := not_measured(plan, figure, phase):
            yield f"{what} is not measured, {unmeasured}: it gates nothing"
            continue
        if figure in WARN_ONLY:
            yield f"{what} warns only: it gates nothing"
            continue
        gates = True
        rate = rate_of(plan, limit, traffic, phase.share)
        if rate is not None:
            needs, expected = rate.needed(plan.confidence), rate.in_time(phase.lasts_s)
            allowed = rate.allowed(expected, plan.confidence)
            if allowed is None:
                yield f"{what} can't be shown: {shortage(rate, needs, expected)}, so that it will hold"
            elif (power := rate.power(expected, allowed)) < _ENOUGH_POWER:
                yield (
                    f"{what} is hard to show in {say_duration(phase.lasts_s)}: a candidate twice as good as that is "
                    f"held in {words.percent(1 - power)} of cases"
                )
        for trigger in plan.triggers:
            if trigger.limit.figure is figure and _looser(limit, trigger.limit):
                yield f"{what} is looser than the trigger that acts at once, {words.limit(trigger.limit)}"
    if not gates:
        yield f"{phase.name}: no criterion gates it; it passes whatever happens, unless a trigger acts"


def _looser(criterion: Limit, trigger: Limit) -> bool:
    """Say whether a criterion allows what a trigger acts on."""
    if criterion.op.startswith("<"):
        return criterion.value > trigger.value
    return criterion.op != "==" and criterion.value < trigger.value


def _trigger_warnings(plan: Plan, trigger: Trigger, traffic: Traffic) -> Iterator[str]:
    figure, what = trigger.limit.figure, f"trigger {trigger.limit.figure.label} {words.limit(trigger.limit)}"
    if figure in NOT_YET or (figure is Figure.DISAGREEMENT and plan.compare_share <= 0):
        yield f"{what} never acts: it is not measured, {not_measured(plan, figure, plan.phases[0])}"
        return
    for phase in plan.phases:
        if unmeasured := not_measured(plan, figure, phase):
            yield f"{what} doesn't act in {phase.name}: it is not measured, {unmeasured}"
            continue
        rate = rate_of(plan, trigger.limit, traffic, phase.share)
        window_s = trigger.hold_s if rate is None else window(plan, trigger, rate)
        if window_s > phase.lasts_s:
            took = say_duration(window_s) if math.isfinite(window_s) else "for ever"
            yield f"{what} can't act in {phase.name}: its window takes {took}, the phase {say_duration(phase.lasts_s)}"

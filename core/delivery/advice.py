"""What is unwise in a valid plan, or isn't measured: said before it starts, in sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from core.delivery import words
from core.delivery.needs import Rate, Traffic, rate_of, window
from core.delivery.plan import RELATIVE, WARN_ONLY, Figure, Guardrail, Limit, Phase, Plan, Trigger
from core.delivery.quantities import say_duration, say_moment, say_share

_ENOUGH_POWER = 0.8


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


def unmeasured_criterion(plan: Plan, figure: Figure, phase: Phase) -> str:
    """Say why a figure isn't measured as a phase's criterion; "" where it is."""
    if figure in RELATIVE or figure is Figure.SEGMENT_SPREAD:
        return "" if phase.has_baseline else f"as nobody is left with {plan.baseline} to compare with"
    return _unmeasured(plan, figure)


def unmeasured_trigger(plan: Plan, figure: Figure) -> str:
    """Say why a figure isn't measured as a trigger; "" where it is."""
    if figure is Figure.SEGMENT_SPREAD:
        return "as it is a criterion, not a trigger"
    if figure in RELATIVE and not any(phase.has_baseline for phase in plan.phases):
        return f"as nobody is ever left with {plan.baseline} to compare with"
    return _unmeasured(plan, figure)


def unmeasured_guardrail(plan: Plan, guardrail: Guardrail) -> str:
    """Say why a guardrail is never measured; "" where it is, in a phase at least."""
    if not any(phase.has_baseline for phase in plan.phases):
        return f"as nobody is ever left with {plan.baseline} to compare with"
    if guardrail.figure is Figure.SLOW_REQUESTS and plan.latency_limit_ms() is None:
        return "as no trigger on latency_p99 says from when on a request is slow"
    return ""


def _unmeasured(plan: Plan, figure: Figure) -> str:
    if figure is Figure.SLOW_REQUESTS and plan.latency_limit_ms() is None:
        return "as no trigger on latency_p99 says from when on a request is slow"
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
    if plan.phases[-1].share < 1 and not plan.phases[-1].hold_back:
        yield f"{plan.phases[-1].name}: the plan ends at {say_share(plan.phases[-1].share)} of the learners"
    for trigger in plan.triggers:
        yield from _trigger_warnings(plan, trigger, traffic)
    for guardrail in plan.guardrails:
        if unmeasured := unmeasured_guardrail(plan, guardrail):
            yield f"guardrail {guardrail.figure.label}{words.place(guardrail)} is not measured, {unmeasured}"
    alone = [p.name for p in plan.phases if not p.has_baseline]
    if alone and (plan.guardrails or plan.relative_triggers()):
        yield (
            f"{', '.join(alone)}: guardrails and figures against {plan.baseline} are not measured, as nobody is left "
            'with it; "hold_back: 1 %" would leave some'
        )
    if all(t.then != "roll back" for t in plan.triggers):
        yield "triggers: every one only holds; nothing but silence rolls back by itself"


def _phase_warnings(plan: Plan, phase: Phase, traffic: Traffic) -> Iterator[str]:
    measured = False
    for limit in phase.criteria:
        figure, what = limit.figure, f"{phase.name}: {limit.figure.label} {words.limit(limit)}"
        if unmeasured := unmeasured_criterion(plan, figure, phase):
            yield f"{what} is not measured, {unmeasured}: it gates nothing"
            continue
        if figure in WARN_ONLY:
            yield f"{what} warns only: it gates nothing"
            continue
        measured = True
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
    if all(limit.figure in WARN_ONLY for limit in phase.criteria):
        yield f"{phase.name}: its criteria only warn; no measurement is not success, so that it will hold"
    elif not measured:
        yield f"{phase.name}: none of its criteria is measured; no measurement is not success, so that it will hold"


def _looser(criterion: Limit, trigger: Limit) -> bool:
    """Say whether a criterion allows what a trigger acts on."""
    if criterion.op.startswith("<"):
        return criterion.value > trigger.value
    return criterion.op != "==" and criterion.value < trigger.value


def _trigger_warnings(plan: Plan, trigger: Trigger, traffic: Traffic) -> Iterator[str]:
    figure, what = trigger.limit.figure, f"trigger {trigger.limit.figure.label} {words.limit(trigger.limit)}"
    if unmeasured := unmeasured_trigger(plan, figure):
        yield f"{what} never acts: it is not measured, {unmeasured}"
        return
    for phase in plan.phases:
        rate = rate_of(plan, trigger.limit, traffic, phase.share)
        window_s = trigger.hold_s if rate is None else window(plan, trigger, rate)
        if window_s > phase.lasts_s:
            took = say_duration(window_s) if math.isfinite(window_s) else "for ever"
            yield f"{what} can't act in {phase.name}: its window takes {took}, the phase {say_duration(phase.lasts_s)}"

"""Revenue and return on investment, relative to the baseline: as criteria at a phase's end, as triggers at every look.

The unit is the learner: what is compared are ratios of totals over learners, by their variance between learners. Pure.
"""

from __future__ import annotations

import math
from dataclasses import replace

from core.delivery import words
from core.delivery.model import FigureState, Finding, Role
from core.delivery.plan import Figure, Limit, Trigger
from core.delivery.scene import Scene, plain
from core.experiments import LEVEL, PerUnit, compare, fieller, revenue, roi
from core.experiments.sequential import critical, mean_evidence, more_needed
from core.store import BusinessSums

COUNTING = 50
"""Learners of each version that must count (Kish: (sum y)^2 / sum y^2) before an always-valid interval is given."""

_SMALLEST = 0.02  # the difference that is planned for is the trigger's limit, and no smaller than this


def business_criterion(scene: Scene, limit: Limit) -> Finding:
    """Judge revenue or ROI as a criterion: once, at the phase's end, as "no evidence of harm"."""
    about = limit.figure
    measured = _measured(scene, Role.CRITERION, limit, 0.0)
    if isinstance(measured, Finding):
        return measured
    candidate, baseline = measured
    seen = compare(candidate, baseline)
    if seen is None or seen.low is None or seen.high is None:
        return plain(Role.CRITERION, limit, FigureState.INCONCLUSIVE, _unclear(about))
    finding = replace(
        plain(Role.CRITERION, limit, FigureState.COLLECTING, ""),
        value=seen.relative,
        trials=candidate.learners,
        span_s=scene.elapsed_s,
    )
    per = _said(scene, about, seen.relative, candidate, baseline)
    if not scene.ended:
        said = f"{about.label} {per}, so far; looked at once, at the phase's end; must be {words.limit(limit)}"
        return replace(finding, wait_s=max(0.0, scene.ends - scene.now), sentence=said)
    harmed = all(not limit.holds(bound) for bound in (seen.low, seen.high))
    verdict = "all of it misses the limit" if harmed else "no evidence of harm"
    said = (
        f"{about.label} {per}, {_interval(about, seen.low, seen.high)} at {words.percent(LEVEL)} confidence:"
        f" {verdict}; must be {words.limit(limit)};"
        f" this phase could have seen a difference of {words.percent(seen.smallest)} or more"
    )
    state = FigureState.FAIL if harmed else FigureState.PASS
    return replace(finding, state=state, low=seen.low, high=seen.high, sentence=said)


def business_trigger(scene: Scene, trigger: Trigger) -> Finding:
    """Judge revenue or ROI as a trigger, at any look: it acts when all of its interval is beyond the limit.

    The interval is valid at every look, and over all of the phase so far, which must be as long as the hold time.
    """
    plan, limit, about = scene.plan, trigger.limit, trigger.limit.figure
    measured = _measured(scene, Role.TRIGGER, limit, trigger.hold_s)
    if isinstance(measured, Finding):
        return measured
    candidate, baseline = measured
    alpha, margin, downward = plan.alpha_of(trigger), 1 + limit.value, limit.op.startswith("<")
    if baseline.value <= 0:
        return plain(Role.TRIGGER, limit, FigureState.INCONCLUSIVE, _unclear(about), trigger.hold_s)
    relative = candidate.value / baseline.value - 1
    variance = candidate.variance + margin**2 * baseline.variance
    difference = candidate.value - margin * baseline.value
    z = (-difference if downward else difference) / math.sqrt(variance) if variance > 0 else 0.0
    planned = max(abs(limit.value), _SMALLEST) * baseline.value / float(critical(1.0, alpha))
    known = max(planned**2 / variance, 1e-9) if variance > 0 else 1.0
    low, high = (
        float(bound) - 1
        for bound in fieller(
            candidate.value, candidate.variance, baseline.value, baseline.variance, critical(known, alpha)
        )
    )
    clear = not math.isnan(low)
    finding = replace(
        plain(Role.TRIGGER, limit, FigureState.PASS, "", trigger.hold_s),
        value=relative,
        low=low if clear else None,
        high=high if clear else None,
        trials=candidate.learners,
        span_s=scene.elapsed_s,
        p_value=min([1.0, math.exp(-float(mean_evidence(z, known, alpha))), *_earlier(scene, trigger)]),
        alpha=alpha,
    )
    said = f"{about.label} {_said(scene, about, relative, candidate, baseline)}"
    if clear:
        said += f", {_interval(about, low, high)} at every look together"
    said += f"; limit {words.exact(about, limit.value)}"
    if scene.elapsed_s < trigger.hold_s:
        missing_s = trigger.hold_s - scene.elapsed_s
        said += f"; too early to tell, {words.duration(missing_s)} to go"
        return replace(finding, state=FigureState.COLLECTING, wait_s=missing_s, sentence=said)
    if not clear:
        return replace(finding, state=FigureState.INCONCLUSIVE, sentence=f"{said}; {_unclear(about)}")
    if limit.holds(low) and limit.holds(high):
        said += "; all of it is beyond the limit"
        return replace(finding, state=FigureState.FAIL, then=trigger.then, sentence=said)
    if not limit.holds(relative):
        return replace(finding, sentence=said)
    more = more_needed(z, known, alpha)
    wait_s = None if more is None else more * scene.elapsed_s
    said += "; could still be chance"
    if wait_s:
        said += f", about {words.roughly(wait_s)} more at this traffic would tell"
    return replace(finding, state=FigureState.INCONCLUSIVE, wait_s=wait_s, sentence=said)


def _earlier(scene: Scene, trigger: Trigger) -> tuple[float, ...]:
    """Return the p of the look before: it never rises once the hold time is over, from when on the trigger may act."""
    known = scene.earlier
    if known is None or known.elapsed_s < trigger.hold_s:
        return ()
    return tuple(
        f.p_value
        for f in known.triggers
        if (f.limit, f.hold_s) == (trigger.limit, trigger.hold_s) and f.p_value is not None
    )


def _measured(scene: Scene, role: Role, limit: Limit, hold_s: float) -> tuple[PerUnit, PerUnit] | Finding:
    """Return the figure of both versions, or the finding that says why there isn't any."""
    plan, about = scene.plan, limit.figure

    def not_yet(state: FigureState, why: str) -> Finding:
        return plain(role, limit, state, f"{about.label}: {why}", hold_s)

    if not scene.has_baseline:
        return not_yet(FigureState.NOT_MEASURED, "not measured, no learner is left at the baseline to compare with")
    new, old = scene.business.get(plan.candidate), scene.business.get(plan.baseline)
    if new is None or old is None:
        if scene.business and role is Role.TRIGGER:
            return not_yet(FigureState.COLLECTING, "no learner of each version yet")
        return not_yet(FigureState.NOT_MEASURED, "not measured, no source gives it for both versions")
    fewest, needed = min(new.learners, old.learners), plan.min_requests
    figures = [roi(s) if about is Figure.ROI else revenue(s, plan.revenue_unit) for s in (new, old)]
    counting = min(_counting(new), _counting(old))
    if figures[0] is None or figures[1] is None or fewest < needed:
        said = f"{words.count(fewest)} of {words.count(needed)} learners needed in each version"
        wait_s = scene.elapsed_s * (needed / fewest - 1) if fewest and fewest < needed else None
        return replace(not_yet(FigureState.COLLECTING, said), wait_s=wait_s)
    if role is Role.TRIGGER and counting < COUNTING:
        said = f"few learners bring nearly all of it: they count as {counting:,.0f}, and {COUNTING} are needed"
        return replace(not_yet(FigureState.COLLECTING, said), wait_s=None)
    return figures[0], figures[1]


def _counting(sums: BusinessSums) -> float:
    total, squares = sums.sums["revenue"], sums.products["revenue", "revenue"]
    return total**2 / squares if squares > 0 else 0.0


def _said(scene: Scene, about: Figure, relative: float, candidate: PerUnit, baseline: PerUnit) -> str:
    per = "" if about is Figure.ROI else f" per {scene.plan.revenue_unit}"
    learners = " learners against ".join(words.count(side.learners) for side in (candidate, baseline))
    return f"{words.percent(relative, signed=True)}{per}, {learners}"


def _interval(about: Figure, low: float, high: float) -> str:
    return f"{words.figure(about, low)} to {words.figure(about, high)}"


def _unclear(about: Figure) -> str:
    what = "return on investment" if about is Figure.ROI else "revenue"
    return f"{about.label}: the baseline's own {what} is not clearly above zero"

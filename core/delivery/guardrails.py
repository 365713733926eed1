"""Guardrails: the candidate compared with the baseline at every look of a phase. Pure.

Counts are compared by the e-process of core/experiments/sequential, with what it needs where counts vary more than
chance; gauges by ranks and signs. Both are computed from the sums of all looks of the phase, which takes milliseconds,
so that a monitor that was started anew, or read late samples, says the same as one that never stopped.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from core.delivery import words
from core.delivery.looks import Counter, Looks, gauges_of, looks_of
from core.delivery.model import FigureState, Finding, Role
from core.delivery.plan import COMPARED_COUNTS, Figure, Guardrail, Plan
from core.delivery.scene import Scene, Sides
from core.delivery.series import Floats
from core.experiments.sequential import (
    BURN_IN,
    FEW,
    KNOWN_LOOKS,
    Before,
    Direction,
    Dispersion,
    RatioState,
    RatioTest,
    assumed_dispersion,
    guarded_bounds,
    guarded_evidence,
    rank_evidence,
    sign_evidence,
)


def ratio_test(plan: Plan, guardrail: Guardrail, lasts_s: float) -> RatioTest:
    """Return the test that a guardrail on counts asks for in a phase of so many plan seconds.

    A fault may begin at any look of it, and one burst alone never decides.
    """
    direction = Direction.HIGHER if guardrail.limit.op.startswith(">") else Direction.LOWER
    horizon = max(1, round(lasts_s / plan.sample_s))
    return RatioTest(plan.alpha_of(guardrail), guardrail.margin, direction, spread_out=True, horizon=horizon)


def guardrail_finding(scene: Scene, guardrail: Guardrail) -> Finding:
    """Judge one guardrail at one moment."""
    plan, figure = scene.plan, guardrail.figure
    finding = Finding(
        role=Role.GUARDRAIL,
        limit=guardrail.limit,
        state=FigureState.NOT_MEASURED,
        sentence="",
        guardrail=guardrail,
        alpha=plan.alpha_of(guardrail),
    )
    label = figure.label + words.place(guardrail)

    def because(state: FigureState, why: str, wait_s: float | None = None) -> Finding:
        return replace(finding, state=state, sentence=f"{label}: {why}", wait_s=wait_s)

    if not scene.has_baseline:
        why = f"not measured, no learner is left with {plan.baseline} to compare with; a hold-back would leave some"
        return because(FigureState.NOT_MEASURED, why)
    if figure is Figure.SLOW_REQUESTS and plan.latency_limit_ms() is None:
        return because(
            FigureState.NOT_MEASURED, "not measured, no trigger on latency_p99 says from when on one is slow"
        )
    now, before = _sides(scene, guardrail)
    for version, series in zip((plan.candidate, plan.baseline), now, strict=True):
        heard = series.last_heard() if len(series) else None
        silent_s = scene.now - max(scene.heard_since, heard if heard is not None else scene.heard_since)
        if silent_s >= plan.silent_after_s:
            return because(FigureState.SILENT, f"no sample of {version} for {words.duration(silent_s)}")
    if figure in COMPARED_COUNTS:
        looks = looks_of(*now, _counter(plan, figure))
        if looks is not None and (looks.trials.any() or looks.base_trials.any()):
            return _counted(scene, finding, guardrail, looks, before)
    else:
        found = gauges_of(*now, figure.value)
        if found is not None:
            return _ranked(scene, finding, guardrail, *found, before)
        if now[0].total("timed"):
            why = "not measured by ranks, as the source tells each latency; a guardrail on slow_requests compares those"
            return because(FigureState.NOT_MEASURED, why)
    if not len(now[0]) or not len(now[1]):
        return because(FigureState.COLLECTING, "no sample of both versions yet")
    return because(FigureState.NOT_MEASURED, "not measured, no source gives it for both versions")


def _sides(scene: Scene, guardrail: Guardrail) -> tuple[Sides, Sides]:
    """Return both versions' samples in the phase so far, and before it."""
    place = (guardrail.segment, guardrail.region)
    if place == ("", ""):
        return (scene.candidate, scene.baseline), scene.before
    new, old = scene.places.get(place, (scene.candidate.between(1, 0), scene.baseline.between(1, 0)))
    return (
        (new.between(scene.started, scene.now), old.between(scene.started, scene.now)),
        (new.between(-math.inf, scene.started), old.between(-math.inf, scene.started)),
    )


def _counter(plan: Plan, figure: Figure) -> Counter:
    limit_ms = plan.latency_limit_ms()
    return lambda series: series.counts(figure, limit_ms or 0.0, limit_ms)


def known_before(plan: Plan, figure: Figure, before: Sides) -> Before:
    """Return what is known of how counts vary: what the plan says, or else what the samples before the phase do."""
    if plan.dispersion is not None and plan.dispersion <= 1:
        return Before(Dispersion(plan.dispersion, plan.dispersion, 0))
    looks = looks_of(*before, _counter(plan, figure))
    known = Before() if looks is None or not len(looks) else Before.of(looks.counts)
    if plan.dispersion is not None:  # how long bursts last, no number tells: the phase's own looks have to
        known = replace(known, found=None, least=plan.dispersion)
    return known


def _counted(scene: Scene, finding: Finding, guardrail: Guardrail, looks: Looks, before: Sides) -> Finding:
    plan, figure = scene.plan, guardrail.figure
    test = ratio_test(plan, guardrail, scene.ends - scene.started)
    planned = float(test.horizon)
    known = known_before(plan, figure, before)
    seen = guarded_evidence(test, looks.counts, planned=planned, before=known)
    low, high = guarded_bounds(test, looks.counts, planned=planned, before=known)
    assumed = float(assumed_dispersion(test, looks.counts, known)[-1]) if known.found is None else 1.0
    state = RatioState.begin(test).after(*looks.counts)
    x, n, y, m = (int(column.sum()) for column in looks.counts)
    span_s = float(looks.until[-1]) - scene.started
    finding = replace(
        finding,
        value=x / n if n else None,
        baseline=y / m if m else None,
        events=x,
        trials=n,
        ratio=state.ratio,
        ratio_low=low,
        ratio_high=high,
        p_value=min(1.0, math.exp(-float(seen.max(initial=0.0)))),
        span_s=span_s,
    )
    if min(n, m) < plan.min_requests:
        wait_s = span_s * (plan.min_requests / min(n, m) - 1) if min(n, m) and span_s > 0 else None
        said = f"{_against(finding, plan)}; {words.count(plan.min_requests)} requests of each version needed"
        said += "" if wait_s is None else f", about {words.roughly(wait_s)} to go at this traffic"
        return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)
    beyond = _is_beyond(finding, guardrail)
    over = _varies(known, assumed, beyond)
    if beyond and math.isinf(assumed):
        base_bad = int(np.sum(known.bad)) + y
        lacking = BURN_IN - len(looks) - _looks_before(known, base_bad)
        wait_s = lacking * plan.sample_s if lacking > 0 else None
        said = f"{_against(finding, plan)}{over}"
        said += _untold(plan, base_bad) if wait_s is None else f", about {words.roughly(wait_s)} to go"
        return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)
    acts = seen.max() >= test.threshold
    if acts and guardrail.then == "hold" and scene.since_resumed > scene.started:
        recent = looks.after(scene.since_resumed)
        then_known = known.and_then(looks.counts, len(looks) - len(recent))
        again = guarded_evidence(test, recent.counts, planned=planned, before=then_known)
        acts = again.max(initial=0.0) >= test.threshold
    if acts:
        said = f"{_against(finding, plan)}; {_allowed(finding)}{over}"
        return replace(finding, state=FigureState.FAIL, then=guardrail.then, sentence=said)
    more = None if math.isinf(assumed) else state.more_needed(assumed)
    # Two slow requests instead of one are beyond a margin, too, and nothing to worry about.
    # Where evidence is divided for want of knowledge, what it would be undivided is enough for a doubt.
    most = max(seen.max(), state.peak) if known.found is None else seen.max()
    doubtful = beyond and most >= _DOUBT * test.threshold
    decided = (
        high is not None and high <= guardrail.margin
        if test.direction is Direction.HIGHER
        else (low is not None and low >= guardrail.margin)
    )
    wait_s = None if more is None or not span_s or decided else more * span_s
    said = f"{_against(finding, plan)}; {_allowed(finding)}{over}"
    if beyond:
        said += "; could still be chance"
    elif decided:
        said += "; shown to be within it"
    if wait_s:
        said += f", about {words.roughly(wait_s)} more at this traffic would tell"
    elif not decided and more is None and x + y and not beyond and math.isfinite(assumed):
        said += ", too near its margin to tell in a hundred times as long"
    return replace(
        finding, state=FigureState.INCONCLUSIVE if doubtful else FigureState.PASS, wait_s=wait_s, sentence=said
    )


def _varies(known: Before, assumed: float, beyond: bool) -> str:
    """Say how much counts vary, where that makes a difference."""
    if known.found is not None:
        return f"; counts vary {known.found.value:.2g} times as much as chance" if known.found.is_over else ""
    if not beyond:
        return ""
    if math.isinf(assumed):
        return "; not known yet how much counts vary"
    times = f"{assumed:.2g}" if assumed < 10 else f"{assumed:,.0f}"
    return f"; too little is known from before: counts may vary up to {times} times as much as chance"


def _looks_before(known: Before, base_bad: int) -> int:
    """Count looks before the phase that make its own burn-in shorter: few, of a baseline that hardly fails, don't."""
    if base_bad >= FEW or np.count_nonzero(known.trials) >= KNOWN_LOOKS:
        return np.size(known.trials)
    return 0


def _untold(plan: Plan, base_bad: int) -> str:
    """Say what is missing where time alone doesn't tell how much counts vary."""
    lacking = f"{plan.candidate}'s bad requests are too few yet, or too near each other"
    if base_bad >= FEW:
        return f": {lacking}"
    have = f"{words.count(base_bad)} of the {FEW} bad requests of {plan.baseline} that it takes"
    return f": there are {have}, and {lacking}"


def _ranked(
    scene: Scene, finding: Finding, guardrail: Guardrail, candidate: Floats, baseline: Floats, before: Sides
) -> Finding:
    plan, figure = scene.plan, guardrail.figure
    earlier = before[1].gauges.get(figure.value, np.empty(0))[-_REMEMBERED:]
    high_is_bad = guardrail.limit.op.startswith(">")
    # Ranks see a fault within two or three samples where many values are known from before, signs within ten where
    # none is. The mean of two kinds of evidence is evidence.
    ranks = rank_evidence(candidate, baseline, earlier, high_is_bad=high_is_bad, margin=guardrail.margin)
    signs = sign_evidence(candidate, baseline, high_is_bad=high_is_bad, margin=guardrail.margin)
    seen = np.logaddexp(ranks, signs) - math.log(2)
    told = int((~np.isnan(candidate)).sum())
    known = np.concatenate([earlier, baseline])
    known = known[~np.isnan(known)]
    if not told or not known.size:
        said = f"{figure.label}{words.place(guardrail)}: no sample of both versions yet"
        return replace(finding, state=FigureState.COLLECTING, sentence=said)
    value, base = float(np.nanmedian(candidate)), float(np.median(known))
    threshold = -math.log(plan.alpha_of(guardrail))
    finding = replace(
        finding,
        value=value,
        baseline=base,
        trials=told,
        ratio=value / base if base > 0 else None,
        p_value=min(1.0, math.exp(-float(seen.max(initial=0.0)))),
        span_s=scene.elapsed_s,
    )
    said = (
        f"{figure.label}{words.place(guardrail)} {words.figure(figure, value)} (median of {words.count(told)} samples)"
        f" against {words.figure(figure, base)} ({words.count(known.size)} of {plan.baseline}); {_allowed(finding)}"
    )
    if seen.max() >= threshold:
        return replace(finding, state=FigureState.FAIL, then=guardrail.then, sentence=said)
    if not _is_beyond(finding, guardrail) or seen.max() < _DOUBT * threshold:
        return replace(finding, state=FigureState.PASS, sentence=said)
    # Were it to go on like this, evidence grows by as much a sample.
    wait_s = (threshold - float(seen[-1])) / float(seen[-1]) * scene.elapsed_s if seen[-1] > 0 else None
    said += "; could still be chance"
    if wait_s is not None:
        said += f", about {words.roughly(wait_s)} more would tell"
    return replace(finding, state=FigureState.INCONCLUSIVE, wait_s=wait_s, sentence=said)


_DOUBT = 0.25  # part of the log evidence that it takes to act, from which on a pass is in doubt
_REMEMBERED = 2000  # values of the baseline before a phase that those in it are ranked among


def _is_beyond(finding: Finding, guardrail: Guardrail) -> bool:
    """Say whether the candidate's figure, as it is, is beyond its margin."""
    if finding.value is None or finding.baseline is None:
        return False
    difference = finding.value - guardrail.margin * finding.baseline
    return difference > 0 if guardrail.limit.op.startswith(">") else difference < 0


def _against(finding: Finding, plan: Plan) -> str:
    figure = finding.figure
    guardrail = finding.guardrail
    assert guardrail is not None
    mine = "none" if finding.value is None else words.figure(figure, finding.value)
    theirs = "none" if finding.baseline is None else words.figure(figure, finding.baseline)
    said = f"{figure.label}{words.place(guardrail)} {mine} against {plan.baseline}'s {theirs}"
    said += f" over {words.duration(finding.span_s)}"
    bounds = words.between(finding.ratio_low, finding.ratio_high)
    if finding.ratio is not None:
        said += f", {words.times(finding.ratio)}{f' ({bounds})' if bounds else ''}"
    elif bounds:
        said += f", {bounds}"
    return said


def _allowed(finding: Finding) -> str:
    assert finding.guardrail is not None
    assert finding.p_value is not None
    assert finding.alpha is not None
    return (
        f"allowed {words.margin(finding.guardrail)}; {words.probability(finding.p_value)} at every look together,"
        f" acts at {words.exact_probability(finding.alpha)}"
    )

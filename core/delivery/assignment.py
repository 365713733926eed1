"""Do the learners get the versions in the shares that are planned? Looked at with every sample; a mismatch holds. Pure.

A sample ratio mismatch says that assignment or its recording is broken, and then no comparison of the versions means
anything. The unit is the learner who is seen for the first time: the flag has tossed for each of them once and for all.
Requests are no such unit, as one learner's all go the same way; sources that tell only sums can't be checked.
"""

from __future__ import annotations

import math
from dataclasses import replace

from core.delivery import words
from core.delivery.model import Assigned, FigureState, Finding, Role, Seen
from core.delivery.plan import Figure, Limit, Plan
from core.delivery.scene import Scene
from core.experiments.sequential import split_evidence

ALPHA = 0.001
"""Chance that a phase whose learners are assigned as planned is ever held."""

SETTLES_SAMPLES = 10
SETTLES_WALL_S = 60.0
"""How long a phase goes on before learners count, the longer of both: callers may go by the share before for as long as
they keep an answer, which they do in wall time."""


def settles_s(plan: Plan, speed: float = 1.0) -> float:
    """Return plan seconds of a phase before learners count; `speed`: plan seconds a wall second, 1 outside of demos."""
    return max(SETTLES_SAMPLES * plan.sample_s, SETTLES_WALL_S * speed)


def counted(
    before: Assigned | None, seen: Seen, *, settled: bool, resumed_at: float | None, known: bool = False
) -> Assigned:
    """Return what is known of assignments after one more look.

    Args:
        before: what was known; None at a phase's first look.
        seen: all learners of the phase so far.
        settled: the phase is older than what callers may have kept from the share before.
        resumed_at: plan time at which it was last decided, by a person or the monitor, to hold the phase or to let it
            go on; None: never.
        known: the look before found a mismatch; of use where `resumed_at` is new.
    """
    after = before or Assigned(seen)
    if after.settled is None and settled:
        after = replace(after, settled=seen)
    if resumed_at is not None and resumed_at != after.resumed_at:
        after = replace(after, resumed=seen, resumed_at=resumed_at, known=known)
    return replace(after, now=seen)


def assignment_finding(scene: Scene) -> Finding | None:
    """Judge how learners were assigned in the phase so far; None where nobody tells learners or all get one version."""
    assigned = scene.assigned
    if assigned is None or not scene.plan.split_check or not scene.has_baseline or not 0 < scene.share < 1:
        return None
    plan, share = scene.plan, scene.share
    finding = Finding(Role.GUARDRAIL, Limit(Figure.SPLIT, "==", share), FigureState.COLLECTING, "", alpha=ALPHA)
    label = Figure.SPLIT.label
    if assigned.settled is None:
        wait_s = max(0.0, settles_s(plan) - scene.elapsed_s)
        said = f"{label}: learners count once the new share has reached every caller"
        said += f", {words.duration(wait_s)} to go" if wait_s else ""
        return replace(finding, wait_s=wait_s, sentence=said)
    mine, theirs = assigned.now.since(assigned.settled)
    both = mine + theirs
    if both < plan.min_requests:
        said = f"{label}: {words.count(both)} of {words.count(plan.min_requests)} new learners needed"
        return replace(finding, events=mine, trials=both, sentence=said)
    if only := _told_alone(scene, assigned.now):
        said = f"{label}: learners of {only} alone are told; it takes a record of every request of both versions"
        return replace(finding, state=FigureState.NOT_MEASURED, sentence=said)
    seen = _evidence((mine, theirs), share)
    p_value = min([1.0, math.exp(-max(0.0, seen)), *_earlier(scene)])
    said = (
        f"{label}: {words.percent(mine / both)} of {words.count(both)} new learners got {plan.candidate}, planned are"
        f" {words.exact(Figure.SPLIT, share)}; {words.probability(p_value)} at every look together,"
        f" acts at {words.exact_probability(ALPHA)}"
    )
    finding = replace(finding, value=mine / both, events=mine, trials=both, p_value=p_value, span_s=scene.elapsed_s)
    if p_value > ALPHA:
        return replace(finding, state=FigureState.PASS, sentence=said)
    moved = assigned.now.both
    said += "; no comparison of the versions means anything before that is understood"
    said += f" ({words.count(moved)} learners were seen with both)" if moved else ""
    said += (
        ". Look whether every request is reported, with the learner it was for, whether one version's fall back or time"
        " out, and whether anything but the flag decides"
    )
    # A person who lets a phase go on is asked again only for new learners, but only of what there was to know then: the
    # monitor's own decisions, and those on something else, let no mismatch pass that shows later.
    anew = (
        assigned.resumed is None
        or not assigned.known
        or _evidence(assigned.now.since(assigned.resumed), share) >= -math.log(ALPHA)
    )
    return replace(finding, state=FigureState.FAIL, then="hold" if anew else "", sentence=said)


def _told_alone(scene: Scene, seen: Seen) -> str:
    """Return the version whose service alone tells learners; "" where both do, or the other is known to get none.

    A version without a learner in all of the phase isn't reported by learner, unless its source was heard and says that
    it had no request: then nobody gets it, which is a mismatch like any other.
    """
    sides = (
        (seen.candidate, scene.candidate, scene.plan.baseline),
        (seen.baseline, scene.baseline, scene.plan.candidate),
    )
    for learners, series, other in sides:
        if not learners and (series.last_heard() is None or series.total("requests")):
            return other
    return ""


def _evidence(counts: tuple[int, int], share: float) -> float:
    return float(split_evidence(counts, (share, 1 - share)))


def _earlier(scene: Scene) -> tuple[float, ...]:
    """Return the p of the look before; evidence that was there once doesn't go away."""
    known = scene.earlier.guardrails if scene.earlier is not None else ()
    return tuple(f.p_value for f in known if f.figure is Figure.SPLIT and f.p_value is not None)

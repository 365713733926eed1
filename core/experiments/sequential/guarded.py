"""Counts compared as long as they vary by chance, and else by what stands more: the rule that the judge asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.experiments.sequential.counts import Floats, RatioState, RatioTest, log_evidence
from core.experiments.sequential.dispersion import (
    Dispersion,
    difference_bounds,
    difference_evidence,
    lesser_dispersion,
    rate_dispersion,
)
from core.experiments.sequential.scatter import KNOWN_LOOKS, dispersion_bound

Counts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Bad events and requests of the candidate, then of the baseline, each of shape (..., looks), oldest first."""

LASTING_LOOKS = 12
"""Looks over which evidence is spread where dispersion is not known: an outage isn't a version that is worse."""

_STEPS = 4  # to a factor of two, between the dispersions at which evidence is computed
_MOST = 256.0  # beyond this nothing is evidence
_CAUTION = 0.25  # part of alpha at which the dispersion's bound may be too low


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What is known from before a phase of how counts vary.

    Attributes:
        found: how much they do, known well (`KNOWN_LOOKS`, or a plan that says so); None: to be found out.
        bad, trials: of the baseline, look by look, where it is to be found out: what little there is.
        least: they vary so many times as much as chance at least, as far as somebody has said.
    """

    found: Dispersion | None = None
    bad: ArrayLike = ()
    trials: ArrayLike = ()
    least: float = 1.0

    @staticmethod
    def of(counts: Counts) -> Before:
        """Find out from the looks before a phase, of shape (looks,).

        By what both the split and the baseline alone show, so that a candidate that went wrong in an earlier attempt
        doesn't count; by the baseline alone where there was no candidate, or hardly any.
        """
        _, _, bad, trials = counts
        if np.count_nonzero(trials) < KNOWN_LOOKS:
            return Before(None, bad, trials)
        return Before(lesser_dispersion(*counts) or rate_dispersion(bad, trials), bad, trials)

    def and_then(self, counts: Counts, looks: int) -> Before:
        """Return what is known after the first so many of a phase's looks, too."""
        _, _, bad, trials = counts
        return replace(self, bad=np.append(self.bad, bad[:looks]), trials=np.append(self.trials, trials[:looks]))


NOTHING = Before()


def guarded_evidence(test: RatioTest, counts: Counts, *, planned: float, before: Before = NOTHING) -> Floats:
    """Return the log evidence at each look; its maximum so far is what acts.

    Where how counts vary is known from before, and it is more than chance, the confidence sequence over per-look
    differences must agree with the e-process: the evidence is the lesser of the two. Where it is not known, evidence is
    divided by as much as they may vary as far as the looks so far can tell (`scatter.py`), and must come from
    `LASTING_LOOKS` at least: of outages, which come seldom, few looks tell nothing. Either way it is never
    easier to act than the e-process alone would make it.

    Args:
        test: what is asked.
        counts: of all looks so far; of shape (looks,) where dispersion is known.
        planned: looks that the phase has.
        before: what is known.
    """
    if before.found is None:
        return _cautious_evidence(test, counts, assumed_dispersion(test, counts, before))
    seen = log_evidence(test, *counts)
    if before.found.is_over:
        seen = np.minimum(seen, difference_evidence(test, *counts, planned=planned, memory=before.found.memory))
    return seen


def assumed_dispersion(test: RatioTest, counts: Counts, before: Before) -> Floats:
    """Return at each look by how much evidence is divided where dispersion is not known; inf: it can't be told yet."""
    level = _CAUTION * test.alpha
    most = dispersion_bound(level, *counts, earlier_bad=before.bad, earlier_trials=before.trials)
    return np.maximum(most, before.least)


def guarded_bounds(
    test: RatioTest, counts: Counts, *, planned: float, before: Before = NOTHING
) -> tuple[float | None, float | None]:
    """Return the bounds of the ratio after the last look that go with `guarded_evidence`: the wider on each side."""
    state = RatioState.begin(test).after(*counts)
    if before.found is None:
        most = assumed_dispersion(test, counts, before)[-1:]
        return state.bounds(float(most[0])) if most.size and most[0] <= _MOST else (None, None)
    low, high = state.bounds()
    if not before.found.is_over:
        return low, high
    lower, higher = difference_bounds(test, *counts, planned=planned, memory=before.found.memory)
    return (
        None if low is None or lower is None else min(low, lower),
        None if high is None or higher is None else max(high, higher),
    )


def _cautious_evidence(test: RatioTest, counts: Counts, dispersion: Floats) -> Floats:
    """Return the e-process at each look, of gains divided by that look's dispersion: rounded up, to few steps."""
    test = replace(test, lasts=LASTING_LOOKS)
    shape = dispersion.shape
    told = dispersion <= _MOST
    step = np.ceil(_STEPS * np.log2(np.where(told, dispersion, 1.0)) - 1e-9).reshape(-1, shape[-1])
    told = told.reshape(step.shape)
    series = [np.asarray(a).reshape(step.shape) for a in counts]
    out = np.zeros(step.shape)
    for at in np.unique(step[told]):
        here = told & (step == at)
        rows = here.any(axis=1)
        upto = int(np.flatnonzero(here.any(axis=0))[-1]) + 1
        seen = log_evidence(test, *(a[rows, :upto] for a in series), dispersion=2.0 ** (at / _STEPS))
        out[:, :upto][here[:, :upto]] = seen[here[rows, :upto]]
    return out.reshape(shape)

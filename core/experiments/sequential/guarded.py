"""Counts compared as long as they vary by chance, and else by what stands more: the rule that the judge asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.experiments.sequential.counts import Floats, RatioState, RatioTest, log_evidence
from core.experiments.sequential.dispersion import (
    Dispersion,
    difference_bounds,
    difference_evidence,
    lesser_dispersion,
)

Counts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Bad events and requests of the candidate, then of the baseline, each of shape (looks,), oldest first."""


def guarded_evidence(
    test: RatioTest, counts: Counts, *, planned: float, before: Dispersion | None = None
) -> tuple[Floats, Dispersion | None]:
    """Return the log evidence at each look, and the dispersion that was reckoned with.

    Where counts vary more than chance, the confidence sequence over per-look differences must agree with the e-process:
    the evidence is the lesser of the two. So it is never easier to act than the e-process alone would make it.

    Args:
        test: what is asked.
        counts: of all looks so far.
        planned: looks that the phase has.
        before: dispersion found on looks before these; None: nothing is known, it is estimated on these looks.
    """
    seen = log_evidence(test, *counts)
    dispersion = before if before is not None else lesser_dispersion(*counts)
    if dispersion is not None and dispersion.is_over:
        seen = np.minimum(seen, difference_evidence(test, *counts, planned=planned, memory=dispersion.memory))
    return seen, dispersion


def guarded_bounds(
    test: RatioTest, counts: Counts, *, planned: float, dispersion: Dispersion | None
) -> tuple[float | None, float | None]:
    """Return the bounds of the ratio after the last look that go with `guarded_evidence`: the wider on each side."""
    low, high = RatioState.begin(test).after(*counts).bounds()
    if dispersion is None or not dispersion.is_over:
        return low, high
    lower, higher = difference_bounds(test, *counts, planned=planned, memory=dispersion.memory)
    return (
        None if low is None or lower is None else min(low, lower),
        None if high is None or higher is None else max(high, higher),
    )

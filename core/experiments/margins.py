"""Non-inferiority: is the treatment no worse than the control by more than a margin that was stated before?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from core.experiments.estimates import Effect
from core.experiments.metrics import Margin


class MarginState(StrEnum):
    """What is known about a margin."""

    MET = "met"
    VIOLATED = "violated"
    OPEN = "not shown"


@dataclass(frozen=True, slots=True)
class MarginResult:
    """A margin and what was found.

    Attributes:
        p_value: one-sided, of "worse than the margin"; `MET` below alpha / 2, as the two-sided interval says.
    """

    margin: Margin
    p_value: float
    state: MarginState


def check_margin(effect: Effect, margin: Margin) -> MarginResult:
    """Test a margin on one effect: the contrast treatment - (1 + m) control carries the control's noise."""
    factor = 1 + margin.size if margin.relative else 1.0
    distance = effect.treatment - factor * effect.control - (0.0 if margin.relative else margin.size)
    se = np.sqrt(effect.treatment_variance + factor**2 * effect.control_variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = float(-np.sign(margin.size) * distance / se)
    tails = [float(special.ndtr(s) if np.isinf(effect.df) else special.stdtr(effect.df, s)) for s in (-z, z)]
    state = MarginState.OPEN
    if tails[0] < effect.alpha / 2:
        state = MarginState.MET
    elif tails[1] < effect.alpha / 2:
        state = MarginState.VIOLATED
    return MarginResult(margin, tails[0], state)

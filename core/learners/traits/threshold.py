"""Thresholds that give a trait a name, met so that rounding never decides which (0.85 - 0.80 is a rise of 0.05)."""

from __future__ import annotations

TOLERANCE = 1e-9
"""A value this close to a threshold is on it."""

ENOUGH_EVENTS = 10
"""Events from which halves and thirds of a learner's time are compared."""


def above(value: float, threshold: float) -> bool:
    """Whether a value is above a threshold, and not on it."""
    return value > threshold + TOLERANCE


def below(value: float, threshold: float) -> bool:
    """Whether a value is below a threshold, and not on it."""
    return value < threshold - TOLERANCE

"""Where the numbers that metrics need come from: a column as it is, or an outcome made of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.experiments.aggregates import Floats


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers."""

    column: str

    def __str__(self) -> str:
        return self.column


@dataclass(frozen=True, slots=True)
class Flag:
    """A column that says yes or no: 1/0, true/false, yes/no."""

    column: str

    def __str__(self) -> str:
        return self.column


@dataclass(frozen=True, slots=True)
class Is:
    """Yes for rows whose column holds one of some words, no for other words, missing for none."""

    column: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.column}={'|'.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Within:
    """Yes for learners whose event came within so many days of their exposure, no for others watched for as long.

    A learner whose window hasn't closed is censored: counted, and left out even if the event has come already,
    for early events alone would be kept otherwise.

    Attributes:
        event: column of the event's time, empty where there was none. exposure: column of the window's beginning.
        days: length of the window.
    """

    event: str
    exposure: str
    days: float

    def __str__(self) -> str:
        return f"{self.event} within {self.days:g} d of {self.exposure}"


Input = Number | Flag | Is | Within


def within_window(event: Floats, exposure: Floats, days: float, as_of: float) -> tuple[Floats, int]:
    """Return the outcome of each learner, NaN where it isn't known, and how many are censored.

    Args:
        event: day of the event, NaN where there was none. exposure: day on which the window opens; NaN: not known.
        days: length of the window. as_of: the last day that the data tell of.
    """
    closed = exposure + days <= as_of
    # Comparisons with NaN are false: no event is no.
    happened = (event >= exposure) & (event <= exposure + days)
    outcome = np.where(closed, happened.astype(np.float64), np.nan)
    return outcome, int((~closed & ~np.isnan(exposure)).sum())

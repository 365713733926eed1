"""All traits of a learner: one learner's record and the table of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learners.traits.affinity import LOW_EVIDENCE, TRANSFER
from core.learners.traits.threshold import above
from core.learners.traits.velocity import FAST_LEARNER

WEEKS = 12  # the window, unless the caller asks for another

TRENDS = ("declining", "stable", "improving")
AFFINITIES = ("specialist", "balanced", "generalist")
TRAJECTORIES = ("decelerating", "stable", "accelerating")
NOT_KNOWN = -1  # the code of a null name in a table

TRAITS = np.dtype(
    [
        ("events", np.int64),
        ("older", np.int64),
        ("velocity", np.float64),
        ("trend", np.int8),
        ("entropy_bits", np.float64),
        ("top_domain", np.int32),
        ("top_share", np.float64),
        ("concentration", np.float64),
        ("affinity", np.int8),
        ("transfer", np.float64),
        ("reuse_rate", np.float64),
        ("recency_weighted_reuse", np.float64),
        ("half_life_days", np.float64),
        ("recall_half_life_days", np.float64),
        ("trajectory", np.int8),
        ("events_per_week", np.float64),
        ("frequency", np.float64),
        ("responsiveness", np.float64),
        ("velocity_score", np.float64),
        ("affinity_score", np.float64),
        ("retention_score", np.float64),
    ]
)
"""One row a learner: NaN and NOT_KNOWN are nulls; trend, affinity, trajectory and top_domain are codes."""


@dataclass(frozen=True, slots=True)
class Traits:
    """One learner's traits; None where there is too little to say.

    Attributes:
        events: in the window. older: events before the window (or after `as_of`), counted and ignored.
        recall_half_life_days: None where no skill is scored again after more than a day; see `recall`.
        velocity_score, affinity_score, retention_score: scores of the source's formulas, never measurements.
    """

    events: int
    older: int = 0
    velocity: float | None = None
    trend: str | None = None
    entropy_bits: float | None = None
    top_domain: str | None = None
    top_share: float | None = None
    concentration: float | None = None
    affinity: str | None = None
    transfer: float | None = None
    reuse_rate: float | None = None
    recency_weighted_reuse: float | None = None
    half_life_days: float | None = None
    recall_half_life_days: float | None = None
    trajectory: str | None = None
    events_per_week: float | None = None
    frequency: float | None = None
    responsiveness: float | None = None
    velocity_score: float | None = None
    affinity_score: float | None = None
    retention_score: float | None = None

    @property
    def fast_learner(self) -> bool | None:
        """Whether velocity is above 0.65."""
        return None if self.velocity is None else above(self.velocity, FAST_LEARNER)

    @property
    def transfers(self) -> bool | None:
        """Whether more than 0.3 of the later half's domains are new."""
        return None if self.transfer is None else above(self.transfer, TRANSFER)

    @property
    def low_evidence(self) -> bool:
        """Whether there are too few events for the entropy to be trusted (it is biased low by (K - 1) / 2n nats)."""
        return self.events < LOW_EVIDENCE


_NAMES = {"trend": TRENDS, "affinity": AFFINITIES, "trajectory": TRAJECTORIES}


def traits_at(table: NDArray[np.void], index: int, domains: tuple[str, ...]) -> Traits:
    """Return row `index` of a table of dtype TRAITS as a record; `domains` is the vocabulary of `top_domain`."""
    values: dict[str, Any] = {}
    for name, value in zip(table.dtype.names or (), table[index].item(), strict=True):
        if name in _NAMES or name == "top_domain":
            values[name] = None if value == NOT_KNOWN else _NAMES.get(name, domains)[value]
        else:
            values[name] = None if value != value else value
    return Traits(**values)

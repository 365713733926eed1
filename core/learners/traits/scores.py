"""Scores handed down with the original analyzer, from its traits. They are formulas, never measurements.

    velocity_score  = (1.5 + 0.4 velocity) x 1.08 if improving, x 0.95 if declining
    affinity_score  = (1.5 + 0.2 concentration) x 1.15 if transfer > 0.4
    retention_score = (1.4 + 0.25 recency_weighted_reuse) x 1.12 if accelerating, x 0.90 if decelerating

No unit; each is clipped to 1 to 2. A null trend, transfer or trajectory changes nothing.

Constants of the population: none but those of the traits.
Null: all without an event in the window.
Source: the product's rows L1 to L3.
"""

from __future__ import annotations

from core.learners.traits.affinity import TRANSFER_STRONG
from core.learners.traits.threshold import above


def velocity_score(velocity: float, trend: str | None) -> float:
    """Return the score of velocity."""
    return _clipped((1.5 + 0.4 * velocity) * {"improving": 1.08, "declining": 0.95}.get(trend or "", 1.0))


def affinity_score(concentration: float, transfer: float | None) -> float:
    """Return the score of affinity."""
    strong = transfer is not None and above(transfer, TRANSFER_STRONG)
    return _clipped((1.5 + 0.2 * concentration) * (1.15 if strong else 1.0))


def retention_score(recency_weighted_reuse: float, trajectory: str | None) -> float:
    """Return the score of retention."""
    times = {"accelerating": 1.12, "decelerating": 0.90}.get(trajectory or "", 1.0)
    return _clipped((1.4 + 0.25 * recency_weighted_reuse) * times)


def _clipped(score: float) -> float:
    return min(max(score, 1.0), 2.0)

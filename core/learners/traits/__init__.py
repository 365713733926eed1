"""The traits of a learner: a module each with its definition in plain Python, and the table that holds them all.

Half-life of recall is in `core.learners.recall`, beside its compiled form. `reference` composes the modules.
"""

from core.learners.traits.affinity import (
    GENERALIST_BITS,
    LOW_EVIDENCE,
    SPECIALIST_BITS,
    SPECIALIST_SHARE,
    TRANSFER,
    TRANSFER_STRONG,
)
from core.learners.traits.half_life import PRIOR_USES
from core.learners.traits.reuse import DECAY_PER_DAY
from core.learners.traits.table import AFFINITIES, NOT_KNOWN, TRAITS, TRAJECTORIES, TRENDS, WEEKS, Traits, traits_at
from core.learners.traits.threshold import ENOUGH_EVENTS, TOLERANCE
from core.learners.traits.trajectory import ACCELERATING, DECELERATING
from core.learners.traits.velocity import DECAY_PER_WEEK, FAST_LEARNER, SCORE_RISE, SMOOTHING, TREND, TREND_WEEKS

__all__ = [
    "ACCELERATING",
    "AFFINITIES",
    "DECAY_PER_DAY",
    "DECAY_PER_WEEK",
    "DECELERATING",
    "ENOUGH_EVENTS",
    "FAST_LEARNER",
    "GENERALIST_BITS",
    "LOW_EVIDENCE",
    "NOT_KNOWN",
    "PRIOR_USES",
    "SCORE_RISE",
    "SMOOTHING",
    "SPECIALIST_BITS",
    "SPECIALIST_SHARE",
    "TOLERANCE",
    "TRAITS",
    "TRAJECTORIES",
    "TRANSFER",
    "TRANSFER_STRONG",
    "TREND",
    "TRENDS",
    "TREND_WEEKS",
    "WEEKS",
    "Traits",
    "traits_at",
]

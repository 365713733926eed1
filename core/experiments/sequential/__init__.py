"""Two versions compared at every look: evidence that may be looked at as often as one likes.

Every test here gives *log evidence* at each look. Of a candidate within its margin, the chance that it ever reaches
ln(1 / alpha) is at most alpha. So one acts when it does, and p = 1 / (the most evidence so far) is valid at every look.
"""

from core.experiments.sequential.counts import (
    Direction,
    RatioState,
    RatioTest,
    log_evidence,
    looks_until_seen,
)
from core.experiments.sequential.dispersion import (
    Dispersion,
    difference_bounds,
    difference_evidence,
    lesser_dispersion,
    rate_dispersion,
    split_dispersion,
)
from core.experiments.sequential.gauges import rank_evidence, sign_evidence
from core.experiments.sequential.guarded import (
    LASTING_LOOKS,
    Before,
    assumed_dispersion,
    guarded_bounds,
    guarded_evidence,
)
from core.experiments.sequential.means import critical, half_width, mean_evidence, more_needed
from core.experiments.sequential.scatter import BURN_IN, FEW, KNOWN_LOOKS, dispersion_bound
from core.experiments.sequential.split import split_evidence

__all__ = [
    "BURN_IN",
    "FEW",
    "KNOWN_LOOKS",
    "LASTING_LOOKS",
    "Before",
    "Direction",
    "Dispersion",
    "RatioState",
    "RatioTest",
    "assumed_dispersion",
    "critical",
    "difference_bounds",
    "difference_evidence",
    "dispersion_bound",
    "guarded_bounds",
    "guarded_evidence",
    "half_width",
    "lesser_dispersion",
    "log_evidence",
    "looks_until_seen",
    "mean_evidence",
    "more_needed",
    "rank_evidence",
    "rate_dispersion",
    "sign_evidence",
    "split_dispersion",
    "split_evidence",
]

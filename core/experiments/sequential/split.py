"""Is the traffic split as it should be? Counts of assigned learners against their shares, at every look.

A sample-ratio mismatch says that assignment or logging is broken, and that no comparison of the two versions means
anything. The evidence is the Bayes factor of a Dirichlet prior around the planned shares against those shares
[Lindon & Malek, NeurIPS 2022, arXiv:2011.03567, section 2]; it depends on the totals alone, so these are its state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

CONCENTRATION = 1000.0
"""How near the planned shares a mismatch is looked for: with 1,000, half is expected to be off by 1.6 points."""


def split_evidence(counts: ArrayLike, shares: ArrayLike, concentration: float = CONCENTRATION) -> NDArray[np.float64]:
    """Return log evidence that learners aren't assigned in the planned shares.

    Args:
        counts: shape (..., versions), learners of each version so far. Each learner counts once.
        shares: shape (versions,), above 0; what they add up to doesn't matter.
        concentration: of the prior.

    Returns:
        Shape (...): one for each look of which the totals are given.

    Raises:
        ValueError: a share is not above 0, or a count below 0.
    """
    n, weights = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if (weights <= 0).any() or (n < 0).any():
        raise ValueError("shares must be above 0 and counts 0 or more")
    q = weights / weights.sum()
    prior = concentration * q
    marginal = special.gammaln(concentration) - special.gammaln(concentration + n.sum(axis=-1))
    marginal = marginal + (special.gammaln(prior + n) - special.gammaln(prior)).sum(axis=-1)
    return np.asarray(marginal - (n * np.log(q)).sum(axis=-1), dtype=np.float64)

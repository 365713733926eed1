"""Do request counts vary more than a coin for each request would make them? From samples as they were recorded.

Learners stay with their version and each makes many requests, so a split of requests is one of learners, and varies as
often as requests come in bundles. Tests that take each request for a toss of its own would then be too sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.experiments.aggregates import Floats
from core.experiments.sequential import Dispersion, rate_dispersion, split_dispersion
from core.store import SampleFrame


@dataclass(frozen=True, slots=True)
class RequestCheck:
    """What recorded samples of two versions say.

    Attributes:
        looks: spans of time in which both versions had requests. requests: in them.
        split: how the candidate's share of the requests varies between neighbouring blocks of looks; None where there
            are too few. errors: how the errors' split between the versions varies.
    """

    looks: int
    requests: int
    split: Dispersion | None
    errors: Dispersion | None


def check_requests(frame: SampleFrame, candidate: str, baseline: str) -> RequestCheck:
    """Measure over-dispersion in samples of a flag; a share that is raised between looks counts as one jump."""
    starts, place = np.unique(frame.start, return_inverse=True)

    def counts(version: str, name: str) -> Floats:
        mine = frame.version == version
        return np.bincount(place[mine], getattr(frame, name)[mine], len(starts)).astype(np.float64)

    new, old = counts(candidate, "requests"), counts(baseline, "requests")
    both = (new > 0) & (old > 0)
    new, old = new[both], old[both]
    errors = counts(candidate, "errors")[both], counts(baseline, "errors")[both]
    if not both.any():
        return RequestCheck(0, 0, None, None)
    return RequestCheck(
        int(both.sum()),
        int((new + old).sum()),
        rate_dispersion(new, new + old),
        split_dispersion(errors[0], new, errors[1], old),
    )

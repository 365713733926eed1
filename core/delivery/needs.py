"""What a limit needs to be conclusive: how many requests or probes, and how many of them may be bad.

The rules are the judge's own: a criterion's exact one-sided bound, a trigger's binomial tail (evidence.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.delivery import words
from core.delivery.evidence import binomial_tail, bounds
from core.delivery.plan import Figure, Limit, Plan, Trigger


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is assumed to come, per plan-second.

    Attributes:
        requests_per_s: of all versions together.
        probes_per_s: health probes of the candidate.
        candidate_per_s: what the candidate gets at least, where its learners are asked for more often than their share.
        learners: how many there are in all; None: not said.

    Raises:
        ValueError: a figure is negative or no number.
    """

    requests_per_s: float
    probes_per_s: float = 1.0
    candidate_per_s: float = 0.0
    learners: int | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_s", "probes_per_s", "candidate_per_s", "learners"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; expected a number from 0 up")

    def to_candidate(self, share: float) -> float:
        """Return the candidate's requests a plan-second at a share of the learners."""
        return max(share * self.requests_per_s, min(self.candidate_per_s, self.requests_per_s))


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit as a share of bad events among trials, the way the judge sees it.

    Attributes:
        share: of bad events, at the limit. per_s: trials a plan-second. minimum: trials that the plan asks for.
        trials: what they are called. bad: what the bad ones do ("fail").
    """

    share: float
    per_s: float
    minimum: int
    trials: str
    bad: str

    def in_time(self, seconds: float) -> int:
        """Return how many trials come in a time, rounded down."""
        return math.floor(self.per_s * seconds + 1e-6)

    def needed(self, confidence: float) -> int:
        """Return how many trials, none of them bad, show that the share is below the limit: (1 - share)^n <= 1 - c."""
        return max(self.minimum, math.ceil(math.log1p(-confidence) / math.log1p(-self.share) - 1e-9))

    def allowed(self, trials: int, confidence: float) -> int | None:
        """Return how many bad ones may be among trials with the upper bound still below the limit; None: not even 0."""
        if trials < self.needed(confidence):
            return None
        low, high = 0, trials  # `low` may, `high` may not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if bounds(middle, trials, confidence)[1] < self.share else (low, middle)
        return low

    def power(self, trials: int, allowed: int) -> float:
        """Return how probably a candidate twice as good as the limit meets it: P(X <= allowed | trials, share / 2)."""
        return 1.0 - float(binomial_tail(np.array(allowed + 1), np.array(trials), self.share / 2))

    def acts_from(self, trials: int, evidence: float) -> int | None:
        """Return the fewest bad ones among trials that are evidence of a breach; None: not even all of them."""
        if trials < 1 or self._tail(trials, trials) >= evidence:
            return None
        low, high = math.floor(self.share * trials), trials  # `low` is not, `high` is
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._tail(middle, trials) < evidence else (middle, high)
        return high

    def _tail(self, bad: int, trials: int) -> float:
        return float(binomial_tail(np.array(bad), np.array(trials), self.share))


def rate_of(plan: Plan, limit: Limit, traffic: Traffic, learners_share: float) -> Rate | None:
    """Return a limit as a share of bad events, at a share of the learners; None of a figure that isn't a rate.

    A latency quantile is one: at most 1 % of requests may be slower than the limit of a p99.
    """
    requests = traffic.to_candidate(learners_share)
    figure, value = limit.figure, limit.value
    if figure.quantile is not None:
        slower = f"are slower than {words.exact(figure, value)}"
        # 1 - 0.99 is a little more than 0.01.
        return Rate(round(1 - figure.quantile, 12), requests, plan.min_requests_quantile, "requests", slower)
    if figure is Figure.ERROR_RATE:
        return Rate(value, requests, plan.min_requests, "requests", "fail")
    if figure is Figure.SLOW_REQUESTS:
        slower = f"are slower than {words.exact(Figure.LATENCY_P99, plan.latency_limit_ms() or 0.0)}"
        return Rate(value, requests, plan.min_requests, "requests", slower)
    if figure is Figure.FALLBACK_RATE:
        return Rate(value, requests, plan.min_requests, "requests", "are served by the fallback")
    if figure is Figure.AVAILABILITY:
        return Rate(round(1 - value, 12), traffic.probes_per_s, plan.min_requests, "health probes", "go unanswered")
    if figure is Figure.DISAGREEMENT:
        return Rate(value, plan.compare_share * requests, plan.min_requests, "compared answers", "differ")
    return None


def window(plan: Plan, trigger: Trigger, rate: Rate) -> float:
    """Return plan seconds that a trigger's window spans: it grows until it holds the minimum, in whole samples."""
    if rate.per_s <= 0:
        return math.inf
    enough_s = math.ceil(rate.minimum / rate.per_s / plan.sample_s - 1e-9) * plan.sample_s
    return max(trigger.hold_s, enough_s)

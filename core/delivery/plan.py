"""What a plan says: phases, checkpoints, criteria, triggers. Plain data; planfile.py reads it from YAML."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Figure(StrEnum):
    """What a criterion or a trigger can be about."""

    ERROR_RATE = "error_rate"
    LATENCY_P50 = "latency_p50"
    LATENCY_P95 = "latency_p95"
    LATENCY_P99 = "latency_p99"
    SLOW_REQUESTS = "slow_requests"
    AVAILABILITY = "availability"
    DISAGREEMENT = "disagreement"
    FALLBACK_RATE = "fallback_rate"
    REVENUE = "revenue_vs_baseline"
    ROI = "roi_vs_baseline"
    SEGMENT_SPREAD = "segment_spread"
    SPLIT = "learner_split"
    INCIDENTS = "incidents"
    MEMORY = "memory"
    CACHE_HIT_RATE = "cache_hit_rate"

    @property
    def quantile(self) -> float | None:
        """The quantile that a latency figure is about; None of every other figure."""
        return {Figure.LATENCY_P50: 0.50, Figure.LATENCY_P95: 0.95, Figure.LATENCY_P99: 0.99}.get(self)

    @property
    def unit(self) -> str:
        """How limits of it are written: "%" (held as a fraction), "ms", "bytes", or "" for a count."""
        if self.quantile is not None:
            return "ms"
        return {Figure.INCIDENTS: "", Figure.MEMORY: "bytes"}.get(self, "%")

    @property
    def label(self) -> str:
        """What a person calls it."""
        return _LABELS[self]


_LABELS = {
    Figure.ERROR_RATE: "error rate",
    Figure.LATENCY_P50: "p50 latency",
    Figure.LATENCY_P95: "p95 latency",
    Figure.LATENCY_P99: "p99 latency",
    Figure.SLOW_REQUESTS: "share of slow requests",
    Figure.AVAILABILITY: "availability",
    Figure.DISAGREEMENT: "disagreement with the baseline's answers",
    Figure.FALLBACK_RATE: "share of requests served by the fallback",
    Figure.REVENUE: "revenue against baseline",
    Figure.ROI: "ROI against baseline",
    Figure.SEGMENT_SPREAD: "segment spread",
    Figure.SPLIT: "split of the learners",
    Figure.INCIDENTS: "open incidents",
    Figure.MEMORY: "memory",
    Figure.CACHE_HIT_RATE: "cache hit rate",
}

WARN_ONLY = frozenset({Figure.MEMORY, Figure.CACHE_HIT_RATE})
"""Figures that are shown and warned about, but never hold or roll back."""

RELATIVE = frozenset({Figure.REVENUE, Figure.ROI})
"""Figures that are said against the baseline to begin with: -5 % is 5 % less than the baseline's."""

ASKED = tuple(figure for figure in Figure if figure is not Figure.SPLIT)
"""Figures that a plan can ask for; how learners are split is looked at always."""

COMPARED_COUNTS = frozenset({Figure.ERROR_RATE, Figure.SLOW_REQUESTS})
"""Figures that a guardrail compares by counts: bad requests of both versions."""

COMPARED_GAUGES = frozenset({Figure.LATENCY_P50, Figure.LATENCY_P95, Figure.LATENCY_P99, Figure.AVAILABILITY})
"""Figures that a guardrail compares sample by sample, by rank, where a source gives them ready-made."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """`figure op value`: what should be so (a criterion), or what must not be (a trigger).

    `value` is in the figure's own unit with per cent as a fraction: 0.01 for 1 %, 200.0 for 200 ms.
    """

    figure: Figure
    op: str
    value: float

    def holds(self, value: float) -> bool:
        """Say whether `value op self.value`."""
        return _OPERATORS[self.op](value, self.value)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A limit that, exceeded for `hold_s` plan seconds, acts at once in every phase."""

    limit: Limit
    hold_s: float
    then: str = "roll back"  # or "hold"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What the candidate may not be, compared with the baseline; looked at with every sample, in every phase.

    Attributes:
        limit: `error_rate > 1.25` here means "more than 1.25 times the baseline's".
        segment, region: of which learners; "" of all.
        alpha: chance that it ever acts on a candidate within its margin, over all phases of an attempt; None: an equal
            part of what the plan has left.
        then: "roll back" or "hold".
    """

    limit: Limit
    segment: str = ""
    region: str = ""
    alpha: float | None = None
    then: str = "roll back"

    @property
    def figure(self) -> Figure:
        """What it is about."""
        return self.limit.figure

    @property
    def margin(self) -> float:
        """The multiple of the baseline's figure that is still allowed."""
        return self.limit.value


@dataclass(frozen=True, slots=True)
class SignOff:
    """Who has to agree before a phase is left for the next one.

    Attributes:
        seats: names; one decision each, of whoever holds the seat.
        quorum: how many must say go; a single no-go that stands keeps the gate shut.
    """

    seats: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of the ramp.

    Attributes:
        share: part of the learners that gets the candidate, 0 to 1.
        starts: plan time at which it may begin at the earliest, before the plan's dates are shifted; None: at once.
        lasts_s: plan seconds until its end is judged.
        checkpoints: plan seconds after its beginning, ascending; the last one is `lasts_s`.
        criteria: all must pass (or be not measured) at the end.
        at_end: what follows where one fails at the end: "hold" or "roll back".
        permanent: the last phase: after its end the plan is completed and triggers stay armed.
        sign_off: who has to agree before it is left; None: nobody.
        hold_back: part of the learners that stays with the baseline in a phase for everybody, to compare with; it is
            not in `share`.
    """

    name: str
    share: float
    starts: float | None
    lasts_s: float
    checkpoints: tuple[float, ...]
    criteria: tuple[Limit, ...]
    at_end: str = "hold"
    permanent: bool = False
    sign_off: SignOff | None = None
    hold_back: float = 0.0

    @property
    def has_baseline(self) -> bool:
        """Whether learners are left at the baseline, so that there is something to compare with."""
        return self.share < 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A validated plan.

    Attributes:
        flag: key of the feature flag that carries the traffic.
        baseline, candidate: the versions' names, which are also the flag's values.
        salt: seeds the assignment of learners; the same salt keeps the same learners in the canary.
        sample_s: plan seconds a sample spans.
        min_requests, min_requests_quantile: how many a rate and a latency quantile need.
        silent_after_s, silent_rollback_s: without a sample for so long: hold; roll back.
        confidence: one-sided confidence at which a criterion's interval must clear its limit.
        evidence: a trigger's breach needs a binomial tail below this.
        gauge_quorum: (N, M): a figure that doesn't pool is judged as N of the last M samples.
        compare_share: part of the candidate's answers that the baseline computes too.
        revenue_unit: "learner" or "request": the denominator of revenue figures.
        currency: of revenue and cost, for display.
        guardrails: limits relative to the baseline.
        guardrail_alpha: chance that any guardrail or revenue trigger ever acts on a candidate that is within all of
            them, over all phases of an attempt.
        dispersion: how much counts of bad requests vary, in multiples of chance, where that is known (an A/A run);
            None: it is estimated from the samples before a phase.
        split_check: a phase whose learners don't get the versions in its shares is held; not to be asked where some
            learners are sought out for their version (a load test).
        skip_gaps: a phase begins as soon as the one before is passed, whatever `starts` says.
        simulated: what in it is made up, in words; "" in production. Shown wherever the plan's figures are.
        text: the YAML it was read from.
    """

    name: str
    flag: str
    baseline: str
    candidate: str
    phases: tuple[Phase, ...]
    triggers: tuple[Trigger, ...]
    salt: str = ""
    sample_s: float = 30.0
    min_requests: int = 100
    min_requests_quantile: int = 300
    silent_after_s: float = 90.0
    silent_rollback_s: float = 600.0
    confidence: float = 0.95
    evidence: float = 0.001
    gauge_quorum: tuple[int, int] = (2, 5)
    compare_share: float = 0.05
    revenue_unit: str = "learner"
    currency: str = "USD"
    guardrails: tuple[Guardrail, ...] = ()
    guardrail_alpha: float = 0.05
    dispersion: float | None = None
    split_check: bool = True
    skip_gaps: bool = False
    simulated: str = ""
    text: str = ""

    def latency_limit_ms(self) -> float | None:
        """The latency limit that `Sample.slow` counts by: that of the strictest p99 trigger, or None."""
        limits = [t.limit.value for t in self.triggers if t.limit.figure is Figure.LATENCY_P99]
        return min(limits, default=None)

    def relative_triggers(self) -> tuple[Trigger, ...]:
        """Return the triggers on figures that are relative to the baseline."""
        return tuple(t for t in self.triggers if t.limit.figure in RELATIVE)

    def alpha_of(self, test: Guardrail | Trigger) -> float:
        """Return the alpha of one comparison with the baseline in one phase.

        Bonferroni, twice. What guardrails with an alpha of their own leave of the plan's is shared evenly by the other
        guardrails and the triggers that are relative to the baseline. Each one's part is shared evenly by the phases
        that have a baseline, as each phase begins its evidence anew.
        """
        phases = max(1, sum(phase.has_baseline for phase in self.phases))
        if isinstance(test, Guardrail) and test.alpha is not None:
            return test.alpha / phases
        own = sum(g.alpha for g in self.guardrails if g.alpha is not None)
        sharing = sum(g.alpha is None for g in self.guardrails) + len(self.relative_triggers())
        return (self.guardrail_alpha - own) / max(1, sharing) / phases

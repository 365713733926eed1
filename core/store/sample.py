"""One sample: what a version did in one span of time, kept as sums, so that samples add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums over one span of time, for one version, segment and region.

    Several samples of the same span add up: a pusher may send a span in as many parts as it likes. A sample with no
    requests is a *healthy zero* (the source is alive); a missing one is silence.

    Attributes:
        id: chosen by the sender; a second sample with the same id is a repeat and is ignored.
        start: beginning of the span, plan time, seconds since 1970.
        seconds: length of the span, plan seconds.
        version: the version that answered ("original", "fast").
        segment, region: where it happened; "" when not told.
        requests: answered by this version, fallbacks not among them.
        errors: of these, failed.
        fallbacks: requests meant for this version that its fallback served.
        probes, probes_ok: health probes sent and answered.
        compared, disagreed: answers also computed by the baseline, and those that differed.
        latency: encoded histogram (store.histogram) of the requests' latencies; b"" when not told.
        slow: requests above the plan's latency limit, where the source counts them itself.
        gauges: figures that don't add, as the source gave them ("latency_p99" in ms, "memory" in bytes, ...).
    """

    id: str
    start: float
    seconds: float
    version: str
    segment: str = ""
    region: str = ""
    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    probes: int = 0
    probes_ok: int = 0
    compared: int = 0
    disagreed: int = 0
    latency: bytes = b""
    slow: int | None = None
    gauges: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LearnerTotals:
    """What one learner brought while a phase runs: the unit of revenue figures is the learner, not the request.

    Attributes:
        learner: a keyed hash of the learner's id, never the id itself.
        version: the version that served the learner.
        requests: answered requests. revenue, cost: in the plan's currency.
    """

    learner: str
    version: str
    requests: int
    revenue: float
    cost: float


@dataclass(frozen=True, slots=True)
class BusinessSums:
    """Per-learner totals of one version, summed over learners: enough for means, ratios of totals and their variance.

    `sums[name]` and `products[name, name2]` (names in sorted order) run over "cost", "requests", "revenue".
    """

    version: str
    learners: int
    sums: Mapping[str, float]
    products: Mapping[tuple[str, str], float]

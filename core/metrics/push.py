"""Raw request records, as a service pushes them, into samples and per-learner totals. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from core.store import Clock, LearnerTotals, Sample, histogram

AHEAD_S = 300.0
"""How far ahead of ours a sender's clock may be, wall seconds; what it says of the future happened now."""

AGE_S = 86_400.0
"""How old a record may be when it arrives, wall seconds: older ones belong to phases that are long judged."""

UNKNOWN_VERSION = "version not in any of the flag's plans"
FROM_THE_FUTURE = "ts more than 5 minutes in the future: check the sender's clock"
TOO_OLD = "ts older than a day"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, as it was answered.

    Attributes:
        ts: wall time, seconds since 1970. learner: id of the learner it was for.
        version: that the flag gave. ok: answered without an error. latency_ms: None when not told.
        fallback: served by the fallback instead of `version`; says nothing about `version` then.
        compared, disagreed: the baseline computed the answer too; and came to another one.
        revenue, cost: that the request brought, in the plan's currency.
    """

    ts: float
    learner: str
    version: str
    latency_ms: float | None = None
    ok: bool = True
    fallback: bool = False
    compared: bool = False
    disagreed: bool = False
    segment: str = ""
    region: str = ""
    revenue: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """One health probe of a version, at a wall time, and whether it was answered."""

    ts: float
    version: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Spans:
    """How records are laid out in time and counted.

    Attributes:
        clock: the plan's. sample_s: plan seconds a sample spans; samples begin at multiples of it.
        versions: that the plan knows. slow_ms: latency above which a request counts as slow; None: not counted.
        phase_started: plan time from which per-learner totals are kept; None: no phase is running.
    """

    clock: Clock
    sample_s: float
    versions: frozenset[str]
    slow_ms: float | None = None
    phase_started: float | None = None


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What a batch of records came to.

    Attributes:
        samples: one for each span, version, segment and region. totals: one for each learner and version.
        accepted: records counted. rejected: how many were not, by reason.
    """

    samples: tuple[Sample, ...]
    totals: tuple[LearnerTotals, ...]
    accepted: int
    rejected: Mapping[str, int]


@dataclass(slots=True)
class _Sums:
    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    probes: int = 0
    probes_ok: int = 0
    compared: int = 0
    disagreed: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Learner:
    requests: int = 0
    revenue: float = 0.0
    cost: float = 0.0


_Key = tuple[int, str, str, str]  # number of the span, version, segment, region


def aggregate(
    batch: str,
    requests: Iterable[RequestRecord],
    probes: Iterable[ProbeRecord],
    *,
    spans: Spans,
    now: float,
    hashed: Callable[[str], str],
    reports_on: frozenset[str] = frozenset(),
) -> Aggregated:
    """Add records up.

    Args:
        batch: id that the sender chose; the samples' ids are made from it, so that a repeat makes the same.
        requests, probes: in any order.
        spans: how they are laid out.
        now: wall time.
        hashed: turns a learner's id into what is stored (`learner_hasher`).
        reports_on: versions whose every request this sender would report; with these a batch of nothing is a sign of
            life.
    """
    sums: dict[_Key, _Sums] = {}
    probed: dict[_Key, _Sums] = {}  # apart: a row of nothing but probes says nothing of the source of requests
    learners: dict[tuple[str, str], _Learner] = {}
    rejected: Counter[str] = Counter()
    heard: set[int] = set()
    accepted = 0
    for request in requests:
        if reason := refused(request.ts, request.version, spans.versions, now):
            rejected[reason] += 1
            continue
        accepted += 1
        at = spans.clock.plan(min(request.ts, now))
        heard.add(math.floor(at / spans.sample_s))
        _count(_at(sums, spans, at, request.version, request.segment, request.region), request)
        if spans.phase_started is not None and at >= spans.phase_started and not request.fallback:
            learner = learners.setdefault((hashed(request.learner), request.version), _Learner())
            learner.requests += 1
            learner.revenue += request.revenue
            learner.cost += request.cost
    for probe in probes:
        if reason := refused(probe.ts, probe.version, spans.versions, now):
            rejected[reason] += 1
            continue
        accepted += 1
        into = _at(probed, spans, spans.clock.plan(min(probe.ts, now)), probe.version, "", "")
        into.probes += 1
        into.probes_ok += probe.ok
    # A version that the sender reports on and that nobody asked for is a healthy zero, not silence. Of a version that
    # the sender doesn't name nothing is known: another one may report on it, and may have died.
    if not accepted and not rejected:
        heard.add(math.floor(spans.clock.plan(now) / spans.sample_s))
    spoken_of = {(number, version) for number, version, *_ in sums}
    for number, version in product(heard, spans.versions & reports_on):
        if (number, version) not in spoken_of:
            sums[number, version, "", ""] = _Sums()
    samples = tuple(
        _sample(f"{batch}{part}", key, rows[key], spans)
        for part, rows in (("", sums), ("\0probes", probed))
        for key in sorted(rows)
    )
    totals = tuple(
        LearnerTotals(learner, version, t.requests, t.revenue, t.cost) for (learner, version), t in learners.items()
    )
    return Aggregated(samples, totals, accepted, dict(rejected))


def refused(ts: float, version: str, versions: frozenset[str], now: float) -> str:
    """Say why figures of this wall time and version can't be taken; "" when they can."""
    if version not in versions:
        return UNKNOWN_VERSION
    if ts > now + AHEAD_S:
        return FROM_THE_FUTURE
    if ts < now - AGE_S:
        return TOO_OLD
    return ""


def _at(sums: dict[_Key, _Sums], spans: Spans, at: float, version: str, segment: str, region: str) -> _Sums:
    key = (math.floor(at / spans.sample_s), version, segment, region)
    found = sums.get(key)
    if found is None:
        found = sums[key] = _Sums()
    return found


def _count(into: _Sums, request: RequestRecord) -> None:
    if request.fallback:
        into.fallbacks += 1
        return
    into.requests += 1
    into.errors += not request.ok
    into.compared += request.compared
    into.disagreed += request.compared and request.disagreed
    if request.latency_ms is not None:
        into.latencies.append(request.latency_ms)


def _sample(batch: str, key: _Key, sums: _Sums, spans: Spans) -> Sample:
    number, version, segment, region = key
    # Slow requests can only be counted where every latency was told; else the histogram stands for them.
    told = len(sums.latencies) == sums.requests and spans.slow_ms is not None
    return Sample(
        id="\0".join((batch, str(number), version, segment, region)),
        start=number * spans.sample_s,
        seconds=spans.sample_s,
        version=version,
        segment=segment,
        region=region,
        requests=sums.requests,
        errors=sums.errors,
        fallbacks=sums.fallbacks,
        probes=sums.probes,
        probes_ok=sums.probes_ok,
        compared=sums.compared,
        disagreed=sums.disagreed,
        latency=histogram.encode(histogram.counts_of(sums.latencies)) if sums.latencies else b"",
        slow=sum(ms > spans.slow_ms for ms in sums.latencies) if told and spans.slow_ms is not None else None,
    )

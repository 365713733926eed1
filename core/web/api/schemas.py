"""The bodies that the API takes: every field has bounds, and a field that isn't known is an error."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from core.delivery import Figure
from core.store import Sample, histogram

MAX_ROWS = 20_000
"""Records or samples in one body."""

_MAX_COUNT = 10**12  # sums of many such still fit 64 bits
_MAX_BUCKET = 2**32 - 1
_FRACTIONS = frozenset(str(f) for f in Figure if f.unit == "%" and f not in {Figure.REVENUE, Figure.ROI})


def _seconds(value: Any) -> float:
    """Return seconds since 1970, of a number or an ISO 8601 time with its offset from UTC."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            at = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("expected seconds since 1970 or an ISO 8601 time such as 2025-10-31T12:00:00Z") from error
        if at.tzinfo is None:
            raise ValueError("a time needs its offset from UTC: end it in Z or +00:00")
        return at.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e11:
        raise ValueError("expected seconds since 1970, or an ISO 8601 time with its offset")
    return float(value)


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "format": "date-time"}]}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
MaybeName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reason = Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Count = Annotated[int, Field(ge=0, le=_MAX_COUNT, strict=True)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15, strict=True)]
Latency = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e9, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Body(BaseModel):
    """A JSON object with known fields only."""

    model_config = ConfigDict(extra="forbid")


class RequestIn(Body):
    """One request, as it was answered."""

    ts: Seconds = Field(description="wall time of the answer")
    learner: Id = Field(description="id of the learner; only a keyed hash of it is kept")
    version: Name = Field(description="version that the flag gave")
    latency_ms: Latency | None = None
    ok: Flag = True
    fallback: Flag = Field(False, description="served by the fallback instead of `version`; counted apart")
    compared: Flag = Field(False, description="the baseline computed the answer too")
    disagreed: Flag = Field(False, description="and came to another one")
    segment: MaybeName = ""
    region: MaybeName = ""
    revenue: Finite = 0.0
    cost: Finite = 0.0


class ProbeIn(Body):
    """One health probe."""

    ts: Seconds
    version: Name
    ok: Flag


class RequestsIn(Body):
    """A batch of request records; a repeat of its id changes nothing."""

    batch: Id
    flag: Name
    versions: list[Name] = Field(
        [],
        max_length=16,
        description="versions whose every request this sender reports: one without requests is a healthy zero then",
    )
    source: MaybeName = Field("", description="who sends, so that one that goes quiet can be named; default: the token")
    sent: Seconds | None = Field(None, description="the sender's time as it sends: the answer says how far it is off")
    dropped: Count = Field(0, description="records that the sender had to drop since its last batch")
    requests: list[RequestIn] = Field([], max_length=MAX_ROWS)
    probes: list[ProbeIn] = Field([], max_length=MAX_ROWS)


class SampleIn(Body):
    """Sums over one span of time. Several samples of a span add up; a repeat of an id changes nothing."""

    id: Id
    start: Seconds = Field(description="beginning of the span, plan time (the same as wall time outside a demo)")
    seconds: float = Field(gt=0, le=86_400, strict=True, allow_inf_nan=False)
    version: Name
    segment: MaybeName = ""
    region: MaybeName = ""
    requests: Count = 0
    errors: Count = 0
    fallbacks: Count = 0
    probes: Count = 0
    probes_ok: Count = 0
    compared: Count = 0
    disagreed: Count = 0
    slow: Count | None = Field(None, description="requests above the plan's latency limit")
    latency_ms: list[Latency] = Field([], max_length=MAX_ROWS, description="the latency of every request, or")
    latency_counts: dict[int, Annotated[int, Field(ge=0, le=_MAX_BUCKET, strict=True)]] = Field(
        {},
        max_length=histogram.BUCKETS,
        description=f"requests by bucket: bucket i holds latencies up to {histogram.MIN_MS} ms * {histogram.GAMMA}**i",
    )
    gauges: dict[Name, Finite] = Field(
        {},
        max_length=50,
        description="figures that don't add: latency_p99 (ms), memory (bytes), availability (from 0 to 1), ...",
    )

    @model_validator(mode="after")
    def _parts_within_wholes(self) -> Self:
        wholes = {
            "errors": "requests",
            "slow": "requests",
            "compared": "requests",
            "disagreed": "compared",
            "probes_ok": "probes",
        }
        for part, whole in wholes.items():
            if (getattr(self, part) or 0) > getattr(self, whole):
                raise ValueError(f"{part} can't be more than {whole}")
        if self.latency_ms and self.latency_counts:
            raise ValueError("give latency_ms or latency_counts, not both")
        if any(not 0 <= bucket < histogram.BUCKETS for bucket in self.latency_counts):
            raise ValueError(f"latency_counts: buckets are 0 to {histogram.BUCKETS - 1}")
        if len(self.latency_ms) + sum(self.latency_counts.values()) > self.requests:
            raise ValueError("more latencies than requests")
        for name, value in self.gauges.items():
            if name in _FRACTIONS and not 0 <= value <= 1:
                raise ValueError(f"gauges: {name} is a fraction from 0 to 1 (0.9995 for 99.95 %), found {value:g}")
        return self

    def sample(self) -> Sample:
        """Return it as the store knows it."""
        latency = b""
        if self.latency_ms:
            latency = histogram.encode(histogram.counts_of(self.latency_ms))
        elif self.latency_counts:
            latency = histogram.encode([self.latency_counts.get(i, 0) for i in range(histogram.BUCKETS)])
        same = self.model_dump(exclude={"latency_ms", "latency_counts"})
        return Sample(**same, latency=latency)


class SamplesIn(Body):
    """Samples of one flag."""

    flag: Name
    source: MaybeName = Field("", description="who sends; default: the token")
    sent: Seconds | None = Field(None, description="the sender's time as it sends")
    samples: list[SampleIn] = Field(max_length=MAX_ROWS)


class DeploymentIn(Body):
    """A plan to deploy."""

    plan: str = Field(max_length=60_000, description="the plan, as YAML")
    start: Flag = Field(False, description="start it too")
    reason: Reason = ""


class CommandIn(Body):
    """What a command on a deployment says besides its name."""

    reason: Reason = Field("", description="required to roll back and to abort; it goes into the event log")
    expected_revision: Annotated[int, Field(ge=0, le=2**31, strict=True)] | None = Field(
        None, description="refuse if the deployment has changed since it was at this revision"
    )
    extend_s: float = Field(0.0, ge=0, le=86_400 * 366, allow_inf_nan=False, description="resume: plan seconds to add")

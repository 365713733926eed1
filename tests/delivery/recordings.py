"""Samples and plans for the tests of the judge and what is around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.delivery.plan import Figure, Limit, Phase, Plan, Trigger
from core.delivery.series import Series
from core.store import Sample, SampleFrame, histogram

CANARY = Phase(
    name="canary",
    share=0.01,
    starts=None,
    lasts_s=7200.0,
    checkpoints=(900.0, 1800.0, 3600.0, 5400.0, 7200.0),
    criteria=(
        Limit(Figure.ERROR_RATE, "<", 0.01),
        Limit(Figure.LATENCY_P99, "<", 200.0),
        Limit(Figure.AVAILABILITY, ">", 0.999),
        Limit(Figure.REVENUE, ">", -0.03),
        Limit(Figure.INCIDENTS, "==", 0.0),
    ),
)
PLAN = Plan(
    name="test",
    flag="analyzer",
    baseline="original",
    candidate="fast",
    phases=(CANARY,),
    triggers=(
        Trigger(Limit(Figure.ERROR_RATE, ">", 0.015), 120.0),
        Trigger(Limit(Figure.LATENCY_P99, ">", 250.0), 300.0),
        Trigger(Limit(Figure.AVAILABILITY, "<", 0.99), 300.0),
        Trigger(Limit(Figure.DISAGREEMENT, ">", 0.01), 300.0),
        Trigger(Limit(Figure.FALLBACK_RATE, ">", 0.20), 120.0, "hold"),
        Trigger(Limit(Figure.REVENUE, "<", -0.05), 600.0),
    ),
)


def latencies(fast: int, slow: int = 0, *, fast_ms: float = 40.0, slow_ms: float = 600.0) -> bytes:
    return histogram.encode(histogram.counts_of([fast_ms] * fast + [slow_ms] * slow))


def sample(at: float, *, version: str = "fast", seconds: float = 30.0, **told: object) -> Sample:
    return replace(Sample(f"{version}-{at}", at, seconds, version), **told)  # type: ignore[arg-type]


def steady(
    spans: int,
    *,
    version: str = "fast",
    begin: float = 0.0,
    requests: int = 300,
    errors: int = 0,
    slow: int = 0,
    probes: int = 30,
    lost: int = 0,
    seconds: float = 30.0,
    gauges: Mapping[str, float] | None = None,
    **told: int,
) -> list[Sample]:
    """The same sums in every span."""
    return [
        sample(
            begin + i * seconds,
            version=version,
            seconds=seconds,
            requests=requests,
            errors=errors,
            probes=probes,
            probes_ok=probes - lost,
            latency=latencies(requests - slow, slow),
            gauges=dict(gauges or {}),
            **told,
        )
        for i in range(spans)
    ]


def gauged(name: str, values: list[float], *, version: str = "fast", begin: float = 0.0) -> list[Sample]:
    """Samples that tell of a gauge and of how many requests there were."""
    return [sample(begin + 30.0 * i, version=version, requests=100, gauges={name: v}) for i, v in enumerate(values)]


def series(samples: list[Sample], version: str = "fast", untold: frozenset[str] = frozenset()) -> Series:
    return Series.of(SampleFrame.of(samples), version, untold)


NOTHING = series([])

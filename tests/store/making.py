"""Samples and events for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from core.store import Sample, SampleFrame, Store, histogram

T0 = 1_761_912_000.0


def frame_of_latencies(parts: Sequence[ArrayLike]) -> SampleFrame:
    return SampleFrame.of(
        Sample(str(i), T0, 30.0, "fast", latency=histogram.encode(histogram.counts_of(ms)))
        for i, ms in enumerate(parts)
    )


def looks(count: int, *, segments: int = 8, start: float = T0, seed: int = 1) -> list[Sample]:
    """Return `count` looks of 30 s, for each of two versions and some segments."""
    random = np.random.default_rng(seed)
    return [
        Sample(
            f"{look}-{version}-{segment}",
            start + 30.0 * look,
            30.0,
            version,
            segment=f"segment {segment}",
            region="eu",
            requests=100,
            errors=int(random.binomial(100, 0.01)),
            fallbacks=look % 3,
            probes=30,
            probes_ok=30,
            compared=5,
            disagreed=segment % 2,
            latency=histogram.encode(histogram.counts_of(random.lognormal(4.0, 0.5, 100))),
            slow=int(random.binomial(100, 0.01)) if version == "fast" else None,
            gauges={"memory": float(look), "availability": 1.0 - look / 1e4} if segment == 0 else {},
        )
        for look in range(count)
        for version in ("original", "fast")
        for segment in range(segments)
    ]


def write_events(store: Store, count: int) -> None:
    for number in range(1, count + 1):
        with store.transaction() as tx:
            tx.append("test", "tester", f"number {number}", deployment="d1", data={"x": 0.1 * number, "é": "ü"})


def database_of(store: Store) -> Path:
    return Path(str(store.engine.url.database))

"""Cumulative buckets by `le` -> our latency histogram. Pure.

Within one of the source's buckets requests are spread evenly, as `histogram_quantile` does; so a quantile is as exact
as the source's buckets are narrow, and the number of requests above one of its boundaries is exact. What lies above the
last finite boundary is put right above it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from core.metrics.prometheus.states import NotANumber, WrongShape
from core.store import histogram

_MS = {"s": 1e3, "ms": 1.0}


def counts_of(by_le: Mapping[str, float], unit: str) -> histogram.Counts:
    """Return requests by bucket, shape (histogram.BUCKETS,), of cumulative counts by `le` in a unit, "s" or "ms".

    Raises:
        WrongShape: no `le="+Inf"`, or a bound that is no number. NotANumber: a count that is none.
    """
    bounds = sorted((_bound(le) * _MS[unit], count) for le, count in by_le.items())
    if not bounds or bounds[-1][0] != math.inf:
        raise WrongShape('buckets without le="+Inf": does the query keep the label le, and select the _bucket series?')
    if any(not math.isfinite(count) or count < 0 for _, count in bounds):
        raise NotANumber("a bucket's count is no number")
    out = np.zeros(histogram.BUCKETS, dtype=np.int64)
    low, below = 0.0, 0
    for high, count in bounds:
        # Cumulative counts are rounded, not differences: all buckets together are the requests then, to one.
        upto = max(below, round(count))
        _spread(out, low, high, upto - below)
        low, below = (high if math.isfinite(high) else low), upto
    return out


def _bound(le: str) -> float:
    try:
        return float(le)
    except ValueError:
        raise WrongShape(f'le="{le[:40]}" is no number') from None


def _spread(out: histogram.Counts, low: float, high: float, count: int) -> None:
    """Add requests whose latency is in (low, high], evenly, to the buckets whose middles are."""
    if count <= 0:
        return
    first = int(np.searchsorted(histogram.MIDDLES, low, side="right"))
    if not math.isfinite(high):
        out[min(first, histogram.BUCKETS - 1)] += count
        return
    last = int(np.searchsorted(histogram.MIDDLES, high, side="right"))
    if last <= first:  # narrower than one of ours
        out[int(histogram.bucket_of((low + high) / 2))] += count
        return
    inside = histogram.MIDDLES[first:last]
    edges = np.concatenate([[low], np.sqrt(inside[:-1] * inside[1:]), [high]])
    shares = np.cumsum(np.diff(edges)) / (high - low)
    out[first:last] += np.diff(np.concatenate([[0], np.rint(shares * count)])).astype(np.int64)

"""Latency histograms that add: log-spaced buckets, so that a merged p99 is right within 2 %.

A bucket i > 0 holds latencies in (MIN_MS * GAMMA**(i-1), MIN_MS * GAMMA**i]; bucket 0 holds all at or below MIN_MS and
the last one all above. The value given for a bucket is its geometric middle, at most sqrt(GAMMA) - 1 = 1.98 % away
from any latency in it [the bound of DDSketch: Masson, Rim & Lee, VLDB 2019].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

GAMMA = 1.04
MIN_MS = 0.1
BUCKETS = 400  # the last bucket begins at 0.1 ms * 1.04**398, about 10 minutes

_LOG_GAMMA = float(np.log(GAMMA))
_PAIR = np.dtype([("bucket", "<u2"), ("count", "<u4")])
_GREATEST = 2**32 - 1

Counts = NDArray[np.int64]

MIDDLES: NDArray[np.float64] = MIN_MS * np.power(GAMMA, np.arange(BUCKETS, dtype=np.float64) - 0.5)
"""Shape (BUCKETS,), milliseconds: the latency that stands for each bucket."""


def bucket_of(latency_ms: ArrayLike) -> NDArray[np.int64]:
    """Return the bucket of each latency (milliseconds, any shape)."""
    ms = np.maximum(np.asarray(latency_ms, dtype=np.float64), MIN_MS)
    index = np.ceil(np.log(ms / MIN_MS) / _LOG_GAMMA - 1e-9)
    return np.clip(index, 0, BUCKETS - 1).astype(np.int64)


def counts_of(latency_ms: ArrayLike) -> Counts:
    """Count latencies (milliseconds) into a histogram of shape (BUCKETS,)."""
    counts: Counts = np.bincount(bucket_of(latency_ms).ravel(), minlength=BUCKETS).astype(np.int64)
    return counts


def encode(counts: ArrayLike) -> bytes:
    """Pack a histogram of shape (BUCKETS,) into bytes, six a non-empty bucket.

    Packed histograms add by being joined: a count too great for four bytes is packed in several parts.
    """
    left = np.asarray(counts)
    parts = []
    while left.any():
        filled = np.flatnonzero(left)
        pairs = np.empty(filled.size, dtype=_PAIR)
        part = np.minimum(left, _GREATEST)
        pairs["bucket"], pairs["count"] = filled, part[filled]
        parts.append(pairs.tobytes())
        left = left - part
    return b"".join(parts)


def decode(blob: bytes) -> Counts:
    """Unpack what `encode` packed; shape (BUCKETS,)."""
    counts: Counts = decode_many([blob])[0]
    return counts


def decode_many(blobs: Sequence[bytes] | NDArray[np.object_]) -> Counts:
    """Unpack many histograms at once; shape (len(blobs), BUCKETS)."""
    return merge_groups(blobs, np.arange(len(blobs)), len(blobs))


def merge(blobs: Sequence[bytes] | NDArray[np.object_]) -> Counts:
    """Add up encoded histograms; shape (BUCKETS,). Buckets add exactly, so that nothing is lost by merging."""
    pairs = np.frombuffer(b"".join(blobs), dtype=_PAIR)
    # Weights are added as doubles: exact up to 2**53 requests.
    counts: Counts = np.bincount(pairs["bucket"], weights=pairs["count"], minlength=BUCKETS).astype(np.int64)
    return counts


def merge_groups(blobs: Sequence[bytes] | NDArray[np.object_], group: ArrayLike, groups: int) -> Counts:
    """Add up encoded histograms by group, of shape (len(blobs),) and in [0, groups); shape (groups, BUCKETS)."""
    pairs = np.frombuffer(b"".join(blobs), dtype=_PAIR)
    row = np.repeat(np.asarray(group, dtype=np.int64), [len(blob) // _PAIR.itemsize for blob in blobs])
    flat = np.bincount(row * BUCKETS + pairs["bucket"], weights=pairs["count"], minlength=groups * BUCKETS)
    return flat.astype(np.int64).reshape(groups, BUCKETS)


def quantile(counts: ArrayLike, q: float) -> float | None:
    """Return the q-quantile in milliseconds (nearest rank, within 2 %); None of an empty histogram."""
    dense = np.asarray(counts)
    total = int(dense.sum())
    if total == 0:
        return None
    rank = max(1, int(np.ceil(q * total)))
    return float(MIDDLES[int(np.searchsorted(np.cumsum(dense), rank))])


def count_above(counts: ArrayLike, threshold_ms: float) -> NDArray[np.int64]:
    """Return how many latencies are above a threshold, exact to its bucket; the last axis is summed away."""
    above = int(np.searchsorted(MIDDLES, threshold_ms, side="right"))
    return np.asarray(np.asarray(counts)[..., above:].sum(axis=-1), dtype=np.int64)

"""One version's samples as columns, summed over segments and regions, one row a span of time.

A series adds: the monitor keeps one in memory and adds what has come since (`extended`), a late sample adds to the span
it belongs to. All the judge needs is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.delivery.plan import Figure
from core.store import SampleFrame, histogram

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOLERANCE_S = 1e-3
"""Plan seconds by which two times may differ and still be the same: plan times are doubles around 1.8e9."""

_COUNTS = ("requests", "errors", "fallbacks", "probes", "probes_ok", "compared", "disagreed")
_COLUMNS = (*_COUNTS, "slow", "slow_of", "alive", "mixed", "timed")
_AT = {name: i for i, name in enumerate(_COLUMNS)}
_WORST_IS_LOW = frozenset({Figure.AVAILABILITY.value, Figure.CACHE_HIT_RATE.value})


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What one version did, span by span, sorted by the spans' ends.

    Attributes:
        version: whose.
        start, seconds: shape (n,), plan time and plan seconds.
        sums: shape (n, columns), see `column`.
        latency: shape (n, histogram.BUCKETS), merged histograms.
        gauges: by name (that of the `Figure`, in the unit of its limits), shape (n,), NaN where not told. Gauges don't
            add: the worst segment stands for the span.
        untold: columns that the source never gives ("errors" ...), which therefore mean nothing where they are 0.
    """

    version: str
    start: Floats
    seconds: Floats
    sums: Ints
    latency: Ints
    gauges: Mapping[str, Floats] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return self.start.size

    @staticmethod
    def of(frame: SampleFrame, version: str, untold: frozenset[str] = frozenset()) -> Series:
        """Sum a version's samples, in any order, by span."""
        mine = frame.select(np.asarray(frame.version == version, dtype=bool))
        # (end, start) sorts by the spans' ends and keeps spans of different lengths apart.
        keys = np.stack([mine.start + mine.seconds, mine.start], axis=1)
        spans, group = np.unique(keys, axis=0, return_inverse=True)
        group = group.reshape(-1)
        sums = np.zeros((len(spans), len(_COLUMNS)), dtype=np.int64)
        np.add.at(sums, group, _columns_of(mine))
        latency = histogram.merge_groups(mine.latency, group, len(spans))
        sums[:, _AT["timed"]] = latency.sum(axis=1)
        return Series(
            version=version,
            start=spans[:, 1],
            seconds=spans[:, 0] - spans[:, 1],
            sums=sums,
            latency=latency,
            gauges=_gauges_of(mine, group, len(spans)),
            untold=untold,
        )

    def extended(self, frame: SampleFrame) -> Series:
        """Add newer samples, or late ones; returns self where there is none of this version."""
        more = Series.of(frame, self.version, self.untold)
        return self + more if len(more) else self

    def __add__(self, other: Series) -> Series:
        keys = np.concatenate([np.stack([s.start + s.seconds, s.start], axis=1) for s in (self, other)])
        spans, group = np.unique(keys, axis=0, return_inverse=True)
        group = group.reshape(-1)
        sums = np.zeros((len(spans), len(_COLUMNS)), dtype=np.int64)
        latency = np.zeros((len(spans), histogram.BUCKETS), dtype=np.int64)
        # Each side has a span once, so plain indexed addition is safe, and much faster than np.add.at.
        for series, rows in ((self, group[: len(self)]), (other, group[len(self) :])):
            sums[rows] += series.sums
            latency[rows] += series.latency
        gauges = {}
        for name in self.gauges.keys() | other.gauges.keys():
            column = np.full(len(spans), np.nan)
            for series, rows in ((self, group[: len(self)]), (other, group[len(self) :])):
                if name in series.gauges:
                    column[rows] = _worse(name)(column[rows], series.gauges[name])
            gauges[name] = column
        return Series(
            self.version, spans[:, 1], spans[:, 0] - spans[:, 1], sums, latency, gauges, self.untold & other.untold
        )

    def between(self, since: float, until: float) -> Series:
        """Return the spans that lie wholly in [since, until], plan times. A span cut by either is left out."""
        inside = (self.start >= since - TOLERANCE_S) & (self.end <= until + TOLERANCE_S)
        if inside.all():
            return self
        rows = np.flatnonzero(inside)
        # Almost always one run of rows: a slice doesn't copy the histograms.
        run: slice | Ints = rows
        if rows.size and rows[-1] - rows[0] + 1 == rows.size:
            run = slice(int(rows[0]), int(rows[-1]) + 1)
        return Series(
            self.version,
            self.start[run],
            self.seconds[run],
            self.sums[run],
            self.latency[run],
            {name: values[run] for name, values in self.gauges.items()},
            self.untold,
        )

    @property
    def end(self) -> Floats:
        """Shape (n,), plan time at which each span ends."""
        return self.start + self.seconds

    def column(self, name: str) -> Ints:
        """Return one column of sums, shape (n,).

        The names are the counts of `store.Sample`; `slow` and `slow_of` (slow requests as the source counts them, of
        how many); `alive` (samples that can only be from the source of requests) and `mixed` (samples with requests
        and probes or gauges in one); `timed` (requests in the histograms).
        """
        column: Ints = self.sums[:, _AT[name]]
        return column

    def total(self, name: str) -> int:
        """Return the sum of one column."""
        return int(self.column(name).sum())

    @property
    def interval_s(self) -> float:
        """Plan seconds a sample spans, by the median of the last five; 0 where there is none."""
        return float(np.median(self.seconds[-5:])) if len(self) else 0.0

    def slow(self, limit_ms: float, counted_ms: float | None) -> tuple[Ints, Ints]:
        """Return how many requests were slower than a limit, and of how many, each of shape (n,).

        Args:
            limit_ms: in milliseconds.
            counted_ms: the limit that sources count by (`Plan.latency_limit_ms`). Where it is the same, and the source
                counted at least as many requests as are in its histograms, its exact count is taken.
        """
        timed = self.column("timed")
        slow = histogram.count_above(self.latency, limit_ms)
        if counted_ms != limit_ms:
            return slow, timed
        counted = (self.column("slow_of") > 0) & (self.column("slow_of") >= timed)
        trials = np.where(counted, self.column("slow_of"), timed)
        return np.minimum(np.where(counted, self.column("slow"), slow), trials), trials

    def counts(self, figure: Figure, limit_ms: float, counted_ms: float | None) -> tuple[Ints, Ints] | None:
        """Return events and trials of a figure that pools, each of shape (n,); None where it is not made of counts.

        The figure is events / trials; of a latency quantile the events are the requests slower than `limit_ms`, of slow
        requests those slower than `counted_ms`.
        """
        if figure.quantile is not None:
            return self.slow(limit_ms, counted_ms)
        if figure is Figure.SLOW_REQUESTS:
            return None if counted_ms is None else self.slow(counted_ms, counted_ms)
        names = _PARTS.get(figure)
        if names is None or self.untold & set(names):
            return None
        events, trials = self.column(names[0]), self.column(names[1])
        if figure is Figure.FALLBACK_RATE:
            trials = trials + events
        return np.minimum(events, trials), trials

    def quantile(self, q: float) -> float | None:
        """Return the latency quantile over all spans, milliseconds, from the histograms; None where there are none."""
        return histogram.quantile(self.latency.sum(axis=0), q)

    def last_heard(self, figure: Figure | None = None) -> float | None:
        """Return the plan time up to which a figure's source was heard; of None, the source of requests.

        A sample without requests is a healthy zero, a sign of life. A sample of nothing but probes or gauges is one of
        the source of requests only where that source is known to send them along, or never sent a request.
        """
        told = np.ones(len(self), dtype=bool)
        if figure is Figure.AVAILABILITY and self.total("probes"):
            told = self.column("probes") > 0
        elif figure is not None and figure.value in self.gauges:
            told = ~np.isnan(self.gauges[figure.value])
        elif self.total("alive") and not self.total("mixed"):
            told = self.column("alive") > 0
        ends = self.end[told]
        return float(ends.max()) if ends.size else None


_PARTS = {
    Figure.ERROR_RATE: ("errors", "requests"),
    Figure.AVAILABILITY: ("probes_ok", "probes"),
    Figure.DISAGREEMENT: ("disagreed", "compared"),
    Figure.FALLBACK_RATE: ("fallbacks", "requests"),
}


def _columns_of(frame: SampleFrame) -> Ints:
    counts = {name: getattr(frame, name) for name in _COUNTS}
    told = ~np.isnan(frame.slow)
    served = (frame.requests + frame.fallbacks) > 0
    aside = (frame.probes > 0) | np.array([bool(g) for g in frame.gauges], dtype=bool)
    counts["slow"] = np.where(told, frame.slow, 0).astype(np.int64)
    counts["slow_of"] = np.where(told, frame.requests, 0)
    counts["alive"] = (served | ~aside).astype(np.int64)
    counts["mixed"] = (served & aside).astype(np.int64)
    counts["timed"] = np.zeros(len(frame), dtype=np.int64)  # known when the histograms are merged
    return np.stack([counts[name] for name in _COLUMNS], axis=1)


def _gauges_of(frame: SampleFrame, group: Ints, groups: int) -> dict[str, Floats]:
    gauges: dict[str, Floats] = {}
    for row, told in enumerate(frame.gauges):
        for name, value in (told or {}).items():
            column = gauges.setdefault(name, np.full(groups, np.nan))
            column[group[row]] = _worse(name)(column[group[row]], value)
    return gauges


def _worse(name: str) -> np.ufunc:
    return np.fmin if name in _WORST_IS_LOW else np.fmax

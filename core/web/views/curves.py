"""Samples -> curves: figures over time, from sums, in at most a few hundred points that lose nothing.

Points are made fewer by adding neighbouring spans up, never by leaving any out: a bin's histogram holds every request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.delivery import Figure
from core.store import SampleFrame, histogram

CAPACITY = 300
"""Most points of a curve; even, so that neighbours pair up."""

_SUMS = ("requests", "errors", "fallbacks", "probes", "probes_ok", "compared", "disagreed")
_RATES = {
    Figure.ERROR_RATE: (("errors",), ("requests",)),
    Figure.AVAILABILITY: (("probes_ok",), ("probes",)),
    Figure.DISAGREEMENT: (("disagreed",), ("compared",)),
    Figure.FALLBACK_RATE: (("fallbacks",), ("requests", "fallbacks")),
}
DRAWN = (*_RATES, Figure.LATENCY_P50, Figure.LATENCY_P95, Figure.LATENCY_P99)
"""The figures that samples give a curve of."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A figure of one version over time.

    Attributes:
        at: plan time at which each window ends, ascending; shape (points,).
        value: the pooled figure of that window in its unit (a fraction, ms); NaN where there is too little to say.
        trials: what it is made of: requests, probes or compared answers in the window.
    """

    at: Floats
    value: Floats
    trials: Ints

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return bool(np.isfinite(self.value).any())


@dataclass(eq=False)
class Bins:
    """Sums of two versions in equal spans since `origin`; mutable: `add` what is new.

    Attributes:
        origin: plan time at which the first span begins; samples before it are left out.
        width_s: plan seconds a span; doubles whenever more than `CAPACITY` spans would be needed.
        used: spans from the origin to the newest sample.
    """

    versions: tuple[str, str]
    origin: float
    width_s: float
    used: int = 0
    sums: dict[str, Ints] = field(init=False)
    latency: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = {name: np.zeros((2, CAPACITY), dtype=np.int64) for name in _SUMS}
        self.latency = np.zeros((2, CAPACITY, histogram.BUCKETS), dtype=np.int64)

    def add(self, frame: SampleFrame) -> None:
        """Add samples of either version; others', and those from before the origin, are ignored."""
        which = np.full(len(frame), -1)
        for index, version in enumerate(self.versions):
            which[frame.version == version] = index
        kept = (which >= 0) & (frame.start >= self.origin)
        if not kept.any():
            return
        frame, which = frame.select(kept), which[kept]
        while (
            max(float(frame.start.max()) - self.origin, 0.0) >= self.width_s * CAPACITY
            or frame.seconds.max() > self.width_s
        ):
            self._double()
        place = ((frame.start - self.origin) // self.width_s).astype(np.int64)
        self.used = max(self.used, int(place.max()) + 1)
        for name in _SUMS:
            np.add.at(self.sums[name], (which, place), getattr(frame, name))
        np.add.at(self.latency, (which, place), histogram.decode_many(list(frame.latency)))

    def _double(self) -> None:
        def halve(array: NDArray[Any]) -> NDArray[Any]:
            paired = array.reshape(2, CAPACITY // 2, 2, *array.shape[2:]).sum(axis=2)
            return np.concatenate([paired, np.zeros_like(paired)], axis=1)

        self.width_s *= 2
        self.used = (self.used + 1) // 2
        self.sums = {name: halve(array) for name, array in self.sums.items()}
        self.latency = halve(self.latency)

    def curve(self, figure: Figure, version: str, window_s: float, minimum: int, until: float = np.inf) -> Curve:
        """Return a figure over time, each point pooled over the window that ends there, as triggers are judged.

        A window is `window_s` plan seconds long and grows back, to the origin at most, until it holds `minimum` trials;
        where even that is too little the value is NaN. Windows that end after plan time `until` are left out.
        """
        row = self.versions.index(version)
        used = int(min(self.used, max(0.0, np.ceil((min(until, 1e18) - self.origin) / self.width_s))))
        ends: Floats = self.origin + self.width_s * np.arange(1, used + 1, dtype=np.float64)
        if figure in _RATES:
            over, under = _RATES[figure]
            counts = sum(self.sums[name][row, :used] for name in over)
            totals = np.asarray(sum(self.sums[name][row, :used] for name in under))
            first = self._window(totals, window_s, minimum)
            trials = _pooled(totals, first)
            events = _pooled(np.asarray(counts), first)
            value: Floats = np.where(trials > 0, events / np.maximum(trials, 1), np.nan)
        else:
            quantile = figure.quantile
            if quantile is None:
                raise ValueError(f"samples give no curve of {figure}")
            buckets = self.latency[row, :used]
            totals = buckets.sum(axis=1)
            first = self._window(totals, window_s, minimum)
            trials = _pooled(totals, first)
            value = _quantiles(_pooled(buckets, first), quantile)
        # A span in which the source said nothing has no point of its own: a gap has to look like one.
        silent = totals == 0
        return Curve(ends, np.where((trials < minimum) | silent, np.nan, value), trials)

    def rate(self, version: str) -> Curve:
        """Return the requests per plan second of each span."""
        row = self.versions.index(version)
        ends: Floats = self.origin + self.width_s * np.arange(1, self.used + 1, dtype=np.float64)
        requests = self.sums["requests"][row, : self.used]
        return Curve(ends, np.asarray(requests / self.width_s, dtype=np.float64), requests)

    def newest(self, version: str) -> float | None:
        """Return the plan time at which the newest span of a version ends; None where there is none."""
        row = self.versions.index(version)
        heard = np.flatnonzero(sum(self.sums[n][row] for n in ("requests", "probes", "fallbacks")))
        return float(self.origin + self.width_s * (heard[-1] + 1)) if heard.size else None

    def _window(self, totals: Ints, window_s: float, minimum: int) -> Ints:
        """Return the first span of the window that ends with each span; shape (used,)."""
        running = np.concatenate([[0], np.cumsum(totals)])
        last = np.arange(len(totals))
        by_time = last + 1 - max(1, round(window_s / self.width_s))
        by_count = np.searchsorted(running, running[1:] - minimum, side="right") - 1
        return np.clip(np.minimum(by_time, by_count), 0, None)


def _pooled(values: Ints, first: Ints) -> Ints:
    running = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)]) if len(values) else values
    return running[1:] - running[first] if len(values) else values


def _quantiles(counts: Ints, q: float) -> Floats:
    """Return the q-quantile (ms, nearest rank) of each row of a (rows, BUCKETS) array; NaN of an empty row."""
    totals = counts.sum(axis=1)
    rank = np.maximum(1, np.ceil(q * totals))
    bucket = np.argmax(np.cumsum(counts, axis=1) >= rank[:, None], axis=1)
    return np.where(totals > 0, histogram.MIDDLES[bucket], np.nan)

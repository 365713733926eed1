"""Counters' raw samples -> how much they rose in each span: nothing extrapolated, nothing lost between spans. Pure.

PromQL's `increase` looks at each span by itself: what a counter rose by between the last scrape of one span and the
first of the next is in neither, and is made up for by extrapolation. For two scrapes a span that doubles half of all
errors and drops the other half: right on average, but judged as twice as much evidence as there is. Here each rise is
counted once, in the span of the scrape that saw it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.metrics.prometheus.answer import Point, Series
from core.metrics.prometheus.states import NotANumber

LOOKBACK_S = 300.0
"""How old the sample before a span may be that its first rise is counted from: Prometheus' own staleness."""

Spans = Sequence[tuple[float, float]]
"""Wall times (begin, end], ascending, each beginning where the last one ended."""


def rises(series: Series, spans: Spans) -> list[float | None]:
    """Return how much a counter rose in each span; None in a span without a scrape that can be compared with another.

    A value below the one before it is a restart: the counter began again at 0, and what it shows was gained since.

    Raises:
        NotANumber: a value that is none.
    """
    out: list[float | None] = [None] * len(spans)
    number = 0
    before: Point | None = None
    for point in series.points:
        at, value = point
        if not math.isfinite(value) or value < 0:
            raise NotANumber(f"the counter shows {value:g}")
        while number < len(spans) and at > spans[number][1]:
            number += 1
        if number == len(spans):
            break
        # The first sample of a series says nothing: it may be new, or new only to this Prometheus.
        if at > spans[number][0] and before is not None and at - before[0] <= LOOKBACK_S:
            rise = value - before[1] if value >= before[1] else value
            out[number] = (out[number] or 0.0) + rise
        before = point
    return out

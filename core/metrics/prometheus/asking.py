"""One figure of one version over some spans: which query, and what its answer says of each span."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.metrics.prometheus.answer import Answer, Series
from core.metrics.prometheus.buckets import counts_of
from core.metrics.prometheus.counters import LOOKBACK_S, Spans, rises
from core.metrics.prometheus.sourcefile import BORN_LATE, FigureQuery, PrometheusSource
from core.metrics.prometheus.states import BadQuery, NoData, NotANumber, NoValues, WrongShape
from core.metrics.prometheus.template import duration, fill
from core.store import histogram

Place = tuple[str, str]
"""(segment, region), "" where the source doesn't tell them apart."""

Target = tuple[str, str]
"""(job, instance): what Prometheus scrapes."""

Scrapes = Mapping[Target, set[float]]
Value = float | histogram.Counts
Reading = Mapping[Place, Value]
"""What one figure was in one span."""


class Asks(Protocol):
    """What can be asked: `client.Client`."""

    def instant(self, query: str, at: float) -> Answer:
        """Evaluate at one wall time."""

    def series(self, query: str, start: float, end: float, step: float) -> Answer:
        """Evaluate at several."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for one figure.

    Attributes:
        query: as it was sent (the selector, of counters read sample by sample).
        readings: one a span, in their order; or why there is none.
        scrapes: of counters, when each target was scraped.
    """

    query: str
    readings: tuple[Reading | NoData, ...]
    scrapes: Scrapes = field(default_factory=dict)


def ask(
    client: Asks,
    source: PrometheusSource,
    figure: FigureQuery,
    version: str,
    spans: Spans,
    scrapes: Scrapes | None = None,
) -> Asked:
    """Ask for a figure of a version (as the plan calls it) in spans of equal length.

    Args:
        client: that is asked. source, figure: for what. version: as the plan calls it. spans: of equal length.
        scrapes: when the targets of the figures before were scraped.

    Raises:
        NoData: of a kind that says nothing of any span: unreachable, denied, bad query, wrong shape as a whole.
    """
    span_s = spans[-1][1] - spans[-1][0]
    query = fill(figure.query, source.called(version), span_s)
    read = _bucketed if figure.figure == "latency" else _summed if figure.by_selector else _single
    seen: dict[Target, set[float]] = {target: set(times) for target, times in (scrapes or {}).items()}
    parts = _selected(client, query, spans, seen) if figure.by_selector else _computed(client, query, spans)
    return Asked(query, tuple(_read(read, source, figure, series) for series in parts), seen)


def _selected(client: Asks, selector: str, spans: Spans, seen: dict[Target, set[float]]) -> list[list[Series] | NoData]:
    """Ask for counters' samples; return of each span the series that were seen in it, with their rise as the point.

    Adds to `seen` when each target was scraped.
    """
    end = spans[-1][1]
    answer = client.instant(f"{selector}[{duration(end - spans[0][0] + LOOKBACK_S)}]", end)
    if answer.kind != "matrix":
        raise WrongShape(
            f"{answer.said}; without {{{{span}}}} the query must select counters, as http_requests_total{{}}"
        )
    for series in answer.series:
        seen.setdefault(_target(series), set()).update(at for at, _ in series.points)
    parts: list[list[Series] | NoData] = [[] for _ in spans]
    for series in answer.series:
        try:
            rose = rises(_from_birth(series, seen), spans)
        except NotANumber as error:
            return [error for _ in spans]
        for part, span, rise in zip(parts, spans, rose, strict=True):
            if rise is not None and isinstance(part, list):
                part.append(Series(series.labels, ((span[1], rise),)))
    return parts


def _target(series: Series) -> Target:
    return series.labels.get("job", ""), series.labels.get("instance", "")


def _from_birth(series: Series, seen: Mapping[Target, set[float]]) -> Series:
    """Begin a series at 0 where its target had been scraped without it just before: it was born since.

    The first error makes the first series of errors, and must count. Of a target that is itself new, or was out of
    sight, nothing is known; and of a sum over targets (without `instance`) it can't be told which.
    """
    target = _target(series)
    if not target[1] or not series.points:
        return series
    before = [at for at in seen[target] if at < series.points[0][0]]
    return Series(series.labels, ((max(before), 0.0), *series.points)) if before else series


def _computed(client: Asks, query: str, spans: Spans) -> list[list[Series] | NoData]:
    """Evaluate a query at the end of each span."""
    last = spans[-1][1]
    newest = client.instant(query, last)  # an instant query tells its kind, which a range query hides
    if newest.kind != "vector":
        hint = "; take away the [...], or put increase() round it" if newest.kind == "matrix" else ""
        hint = "; put vector() round it" if newest.kind == "scalar" else hint
        raise WrongShape(f"{newest.said}; expected an instant vector{hint}")
    if len(spans) == 1:
        return [list(newest.series)]
    step, first = spans[-1][1] - spans[-1][0], spans[0][1]
    before = client.series(query, first, spans[-2][1], step)
    parts: list[list[Series] | NoData] = [[] for _ in spans]
    for series in before.series:
        for at, value in series.points:
            number = round((at - first) / step)
            part = parts[number] if 0 <= number < len(spans) - 1 else None
            if isinstance(part, list):
                part.append(Series(series.labels, ((at, value),)))
    parts[-1] = list(newest.series)
    return parts


_Reader = Callable[[PrometheusSource, FigureQuery, Sequence[Series]], Reading]


def _read(
    read: _Reader, source: PrometheusSource, figure: FigureQuery, series: list[Series] | NoData
) -> Reading | NoData:
    if isinstance(series, NoData):
        return series
    try:
        if not series:
            raise NoValues(_nothing(figure))
        return read(source, figure, series)
    except NoData as error:
        return error


def _nothing(figure: FigureQuery) -> str:
    if figure.by_selector:
        said = "no counter was scraped in the span: does the selector match, is the target up?"
    else:
        said = "an empty result: does the query match, is the target up?"
        said += " Does {{span}} hold two scrapes?" if figure.counts else ""
    may_be_born_late = figure.figure in BORN_LATE and not figure.absent_is_zero
    return f"{said} Where its series is born with the first one, say absent: zero." if may_be_born_late else said


def _single(source: PrometheusSource, figure: FigureQuery, series: Sequence[Series]) -> Reading:
    """Return the one value of each place."""
    by_place = {_place(source, one): one for one in series}
    if len(by_place) < len(series):
        wanted = f" by ({', '.join(source.labels.values())})" if source.labels else ""
        of = " of each segment and region" if source.labels else ""
        raise WrongShape(f"{len(series):,} series; expected one{of}: sum{wanted} (...), or max{wanted} (...)")
    return {place: _number(figure, one.points[-1][1]) for place, one in by_place.items()}


def _summed(source: PrometheusSource, figure: FigureQuery, series: Sequence[Series]) -> Reading:
    """Return the sum of all counters of each place."""
    found: dict[Place, float] = {}
    for one in series:
        place = _place(source, one)
        found[place] = found.get(place, 0.0) + _number(figure, one.points[-1][1])
    return found


def _bucketed(source: PrometheusSource, figure: FigureQuery, series: Sequence[Series]) -> Reading:
    """Return the histogram of each place."""
    by_le: dict[Place, dict[str, float]] = {}
    for one in series:
        if "le" not in one.labels:
            raise WrongShape("series without the label le: select ..._bucket, and keep le: sum by (le) (...)")
        buckets = by_le.setdefault(_place(source, one), {})
        le = one.labels["le"]
        if le in buckets and not figure.by_selector:
            raise WrongShape(f'several series with le="{le}": sum by (le) (...)')
        buckets[le] = buckets.get(le, 0.0) + one.points[-1][1]
    return {place: counts_of(buckets, source.unit) for place, buckets in by_le.items()}


def _place(source: PrometheusSource, series: Series) -> Place:
    def told(what: str) -> str:
        label = source.labels.get(what)
        return series.labels.get(label, "")[:200] if label else ""

    return told("segment"), told("region")


def _number(figure: FigureQuery, value: float) -> float:
    if math.isnan(value):
        raise NotANumber("NaN: a ratio of nothing by nothing, as without requests?")
    if math.isinf(value):
        raise NotANumber("infinity: a ratio of something by nothing?")
    if figure.counts and value < 0:
        raise WrongShape(f"{value:g}: a count can't be below zero; is it a counter?")
    if figure.figure in {"availability", "fallback_rate", "disagreement", "cache_hit_rate"} and not 0 <= value <= 1:
        raise WrongShape(f"{value:g}: expected a share from 0 to 1 (0.9995 for 99.95 %)")
    return value


def try_out(client: Asks, query: str, at: float) -> Answer:
    """Evaluate what somebody wrote, as it is; kinds are for them to see. Raises NoData."""
    if not query.strip():
        raise BadQuery("an empty query")
    return client.instant(query, at)

"""What the figures of one version were in a span -> samples. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from core.metrics.prometheus.asking import Place, Reading, Value
from core.metrics.prometheus.sourcefile import GAUGES, FigureQuery, PrometheusSource
from core.metrics.prometheus.states import NoData, NoValues
from core.store import Sample, histogram

_ZERO: Reading = {}


def samples_of(
    source: PrometheusSource,
    group: tuple[FigureQuery, ...],
    told: Mapping[str, Reading | NoData],
    version: str,
    number: int,
    sample_s: float,
) -> list[Sample]:
    """Return the samples of one group of figures in span `number`; none where a figure is missing.

    Args:
        source: where they come from. group: figures told together.
        told: of each figure, what it was or why it isn't known.
        version: as the plan calls it. number: of the span, which begins at `number * sample_s` in plan time.

    Raises:
        NoData: the first reason for which there is none.
    """
    readings: dict[str, Reading] = {}
    for figure in group:
        reading = told[figure.figure]
        if isinstance(reading, NoValues) and figure.absent_is_zero:
            reading = _ZERO
        if isinstance(reading, NoData):
            raise reading
        readings[figure.figure] = reading
    first = group[0].figure
    name = "gauge " + first if first in GAUGES else first
    return [
        _sample(source, f"{name}", group, readings, place, version, number, sample_s)
        for place in sorted(readings[first])
    ]


def _sample(
    source: PrometheusSource,
    name: str,
    group: tuple[FigureQuery, ...],
    readings: Mapping[str, Reading],
    place: Place,
    version: str,
    number: int,
    sample_s: float,
) -> Sample:
    values: dict[str, Value] = {}
    for figure in group:
        value = readings[figure.figure].get(place)
        if value is None and not figure.absent_is_zero:
            raise NoValues(
                f"{figure.figure} has none of {_said(place)}. "
                "Where its series is born with the first one, say absent: zero."
            )
        if value is not None:
            values[figure.figure] = value
    counts = {key: round(cast(float, value)) for key, value in values.items() if key not in {"latency", *GAUGES}}
    # Scraped a moment apart, or extrapolated, a part may come out above its whole.
    for part, whole in (
        ("errors", "requests"),
        ("compared", "requests"),
        ("disagreed", "compared"),
        ("probes_ok", "probes"),
    ):
        if part in counts:
            counts[part] = min(counts[part], counts.get(whole, 0))
    gauges = {key: _gauge(source, key, cast(float, value)) for key, value in values.items() if key in GAUGES}
    latency = values.get("latency")
    return Sample(
        id="\0".join(("prometheus", source.name, name, repr(sample_s), str(number), version, *place)),
        start=number * sample_s,
        seconds=sample_s,
        version=version,
        segment=place[0],
        region=place[1],
        latency=b"" if latency is None else histogram.encode(cast(histogram.Counts, latency)),
        gauges=gauges,
        **counts,
    )


def _gauge(source: PrometheusSource, name: str, value: float) -> float:
    return value * (1e3 if source.unit == "s" and name.startswith("latency_") else 1.0)


def _said(place: Place) -> str:
    return (
        " and ".join(f"{what} {name!r}" for what, name in zip(("segment", "region"), place, strict=True) if name)
        or "it"
    )

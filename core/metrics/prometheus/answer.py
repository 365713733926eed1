"""Prometheus' JSON answers, typed. Pure.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.metrics.prometheus.states import BadQuery, Denied, NoData, Unreachable, WrongShape

_KINDS = {
    "vector": "an instant vector",
    "matrix": "a range vector",
    "scalar": "a scalar",
    "string": "a string",
}
Point = tuple[float, float]
"""(wall time, value); the value may be NaN or infinite."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels and its points, oldest first; one point in an instant vector."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave: its kind ("vector", "matrix", "scalar", "string") and its series."""

    kind: str
    series: tuple[Series, ...]
    text: str = ""

    @property
    def said(self) -> str:
        """The kind, as a person would say it."""
        return _KINDS.get(self.kind, self.kind)


def parse(status: int, body: bytes, retry_after: str = "") -> Answer:
    """Return the answer in an HTTP answer.

    Raises:
        NoData: of the kind that says why there is none.
    """
    if status in {401, 403}:
        raise Denied(f"HTTP {status}: the source's headers don't open it; look at its token")
    if status == 429:
        raise Unreachable(f"HTTP 429: too many queries{f'; again in {retry_after} s' if retry_after else ''}")
    document = _document(body)
    if document is None:
        if status >= 500:
            raise Unreachable(f"HTTP {status}")
        raise BadQuery(f"HTTP {status}, and not Prometheus' JSON: is the url that of a Prometheus?")
    if document.get("status") != "success":
        raise _refusal(status, str(document.get("errorType", "")), str(document.get("error", "")))
    data = document.get("data")
    if not isinstance(data, dict) or "resultType" not in data:
        raise BadQuery("the answer holds no result: is the url that of a Prometheus?")
    return _answer(str(data["resultType"]), data.get("result"))


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "status" in found else None


def _refusal(status: int, kind: str, error: str) -> NoData:
    said = " ".join(error.split())[:400]
    if kind in {"timeout", "canceled", "unavailable", "internal"} or (status >= 500 and kind != "execution"):
        return Unreachable(f"Prometheus could not answer ({kind or status}): {said}")
    if kind == "execution" and "timed out" in said:
        return Unreachable(f"the query took too long: {said}")
    return BadQuery(said or f"HTTP {status}")


def _answer(kind: str, result: Any) -> Answer:
    try:
        if kind == "string":
            return Answer(kind, (), str(result[1]))
        if kind == "scalar":
            return Answer(kind, (Series({}, (_point(result),)),))
        if any("histogram" in one or "histograms" in one for one in result):
            raise WrongShape(
                "a native histogram; a figure takes classic buckets (le) or numbers, as histogram_quantile gives"
            )
        if kind == "vector":
            return Answer(kind, tuple(Series(_labels(one), (_point(one["value"]),)) for one in result))
        if kind == "matrix":
            return Answer(kind, tuple(Series(_labels(one), tuple(map(_point, one["values"]))) for one in result))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadQuery(f"the answer can't be read ({error!r}): is the url that of a Prometheus?") from None
    raise WrongShape(f"a result of type {kind[:40]!r}")


def _labels(one: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in one["metric"].items()}


def _point(pair: Any) -> Point:
    at, value = pair
    at = float(at)
    if not math.isfinite(at):
        raise ValueError(f"a time of {at}")
    return at, float(value)

"""Trying a query: asked once, now, and shown as it came. Stores nothing. No `st.*` here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.identity import Permission, Person
from core.metrics import Answer, Client, NoData, PrometheusSource, QueryState, fill, try_out
from core.web import actions
from core.web.ratelimit import RateLimit
from core.web.views.times import precise

SHOWN = 20
"""Series that are shown."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: `said` in words; `rows` the first series, (labels, value) each."""

    ok: bool
    said: str
    query: str = ""
    rows: tuple[tuple[str, str], ...] = ()


def try_query(
    source: PrometheusSource, person: Person, template: str, version: str, span_s: float, limits: RateLimit | None
) -> Tried:
    """Ask a source; who may not start analyses may not ask, as a query costs somebody's Prometheus time."""
    if (refusal := actions.refused(person, Permission.ANALYSE, limits)) is not None:
        return Tried(False, refusal.text)
    query = fill(" ".join(template.split()), source.called(version), span_s)
    began = time.monotonic()
    try:
        with Client(source) as client:
            answer = try_out(client, query, time.time())
    except NoData as error:
        return Tried(False, f"{str(error.state).capitalize()}: {error}", query)
    took = precise(time.monotonic() - began)
    if not answer.series and not answer.text:
        said = f"{str(QueryState.NO_VALUES).capitalize()}: an empty result, in {took}. Does it match, is the target up?"
        return Tried(False, said, query)
    count = len(answer.series)
    of = f" of {count:,} series" if answer.kind in {"vector", "matrix"} else ""
    shown = f"; the first {SHOWN} are shown" if count > SHOWN else ""
    return Tried(True, f"{answer.said.capitalize()}{of}, in {took}{shown}.", query, _rows(answer))


def _rows(answer: Answer) -> tuple[tuple[str, str], ...]:
    if answer.text:
        return (("", answer.text[:200]),)
    rows = []
    for series in answer.series[:SHOWN]:
        labels = ", ".join(f'{name}="{value}"' for name, value in sorted(series.labels.items()))
        values = ", ".join(f"{value:.6g}" for _, value in series.points[-5:])
        rows.append((labels or "(no labels)", f"… {values}" if len(series.points) > 5 else values))
    return tuple(rows)

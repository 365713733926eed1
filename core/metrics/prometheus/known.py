"""What is known of the sources that are asked: read back from the store, for pages and /metrics."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from core.metrics.prometheus.poller import PROMETHEUS
from core.metrics.prometheus.states import QueryState
from core.store import schema


@dataclass(frozen=True, slots=True)
class QueryKnown:
    """A query's last word. `asked`, `heard`: wall times, the latter of its last value; `settled`: plan time."""

    figure: str
    version: str
    state: QueryState
    said: str
    value: float | None
    query: str
    asked: float
    heard: float | None
    settled: float | None


@dataclass(frozen=True, slots=True)
class SourceKnown:
    """A source, as its last poll left it. `problem`: why it could not be asked at all; wall times."""

    name: str
    flag: str
    asked: float
    heard: float | None
    problem: str
    url: str
    took_s: float
    samples: int
    sample_s: float
    queries: tuple[QueryKnown, ...]


def known_sources(connection: Connection) -> tuple[SourceKnown, ...]:
    """Return every source that was ever asked, by name."""
    source, query = schema.source, schema.source_query
    asked = connection.execute(select(query).order_by(query.c.version, query.c.figure)).fetchall()
    rows = connection.execute(select(source).where(source.c.kind == PROMETHEUS).order_by(source.c.name))
    return tuple(
        SourceKnown(
            name=row.name,
            flag=row.flag,
            asked=row.asked,
            heard=row.heard,
            problem=row.problem,
            url=row.facts["url"],
            took_s=row.facts["took_s"],
            samples=row.facts["samples"],
            sample_s=row.facts["sample_s"],
            queries=tuple(
                QueryKnown(
                    q.figure, q.version, QueryState(q.state), q.said, q.value, q.query, q.asked, q.heard, q.settled
                )
                for q in asked
                if (q.source, q.flag) == (row.name, row.flag)
            ),
        )
        for row in rows
    )

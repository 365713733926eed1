"""Asks a Prometheus for every span that has ended and isn't done with, and stores what came of it, once.

Samples, how far each query is settled, and what it last said go into one transaction, which holds the source's lease:
of several processes one asks, a pause or a crash in between asks again, and a sample's id is its span's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from core.metrics.prometheus.asking import Asked, Asks, Reading, Scrapes, ask
from core.metrics.prometheus.composing import samples_of
from core.metrics.prometheus.sourcefile import FigureQuery, PrometheusSource
from core.metrics.prometheus.states import Denied, NoData, QueryState, Unreachable
from core.metrics.prometheus.template import fill
from core.store import Clock, Sample, Store, Tx, add_samples, hold_fence, schema

PROMETHEUS = "prometheus"
MAX_SPANS = 120
"""Spans asked for in one query when catching up."""

_QUERY = schema.source_query
_SOURCE = schema.source


@dataclass(frozen=True, slots=True)
class Watched:
    """A flag whose versions are watched: plan seconds a sample spans, and the versions that may serve somebody."""

    flag: str
    sample_s: float
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryTold:
    """What a query last said.

    Attributes:
        state, said: what came of it. value: of the newest span, in the figure's unit; None without one.
        query: as it was sent. settled: plan time up to which spans are done with; None: nothing yet.
        was_heard: whether any span of this poll had a value.
    """

    figure: str
    version: str
    state: QueryState
    said: str
    value: float | None
    query: str
    settled: float | None
    was_heard: bool

    @property
    def ok(self) -> bool:
        """Whether there is a figure."""
        return self.state is QueryState.OK


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll came to: samples, each query's word, and why the source could not be asked ("" if it could)."""

    samples: tuple[Sample, ...]
    told: tuple[QueryTold, ...]
    problem: str
    took_s: float


class Poller:
    """Asks one source about one flag."""

    def __init__(self, source: PrometheusSource) -> None:
        self.source = source

    def pending(self, watched: Watched, clock: Clock, settled: float | None, now: float) -> range:
        """Return the numbers of the spans that have ended and are not done with, oldest first.

        Args:
            watched: gives their length. clock: the plan's.
            settled: plan time up to which they are done with; None: nothing was ever asked: only the last one is.
            now: wall time.
        """
        end = math.floor(clock.plan(now - self.source.delay_s) / watched.sample_s)
        far = math.ceil(clock.plan(now - self.source.catch_up_s) / watched.sample_s)
        begin = end - 1 if settled is None else round(settled / watched.sample_s)
        return range(max(begin, min(far, end - 1)), end)

    def poll(
        self, client: Asks, watched: Watched, clock: Clock, settled: dict[tuple[str, str], float], now: float
    ) -> Polled:
        """Ask for all that is pending; stores nothing. `settled`: by (version, figure)."""
        began = time.monotonic()
        samples: list[Sample] = []
        told: list[QueryTold] = []
        problem = ""
        for version in watched.versions:
            for group in self.source.groups():
                done = [settled.get((version, figure.figure)) for figure in group]
                known = [at for at in done if at is not None]
                numbers = self.pending(watched, clock, min(known) if len(known) == len(done) else None, now)
                if problem or not len(numbers):
                    continue
                asked = _Group(self.source, group, version, watched, clock)
                for first in range(numbers.start, numbers.stop, MAX_SPANS):
                    chunk = range(first, min(first + MAX_SPANS, numbers.stop))
                    more, words, problem, goes_on = asked.ask(client, chunk)
                    samples += more
                    if not goes_on or chunk.stop == numbers.stop:
                        told += words
                        break
        return Polled(tuple(samples), tuple(told), problem, time.monotonic() - began)


def try_all(client: Asks, source: PrometheusSource, watched: Watched, clock: Clock, now: float) -> list[QueryTold]:
    """Ask every query of a source for the last span that has ended; stores nothing."""
    polled = Poller(source).poll(client, watched, clock, {}, now)
    told = list(polled.told)
    for version in watched.versions:  # what was not asked any more, because the source does not answer
        for figure in source.figures:
            if not any((one.version, one.figure) == (version, figure.figure) for one in told):
                query = fill(figure.query, source.called(version), watched.sample_s)
                said = "not asked: the source does not answer"
                told.append(QueryTold(figure.figure, version, QueryState.NOT_ASKED, said, None, query, None, False))
    return told


class _Group:
    """The figures that are told together, of one version."""

    def __init__(
        self,
        source: PrometheusSource,
        group: tuple[FigureQuery, ...],
        version: str,
        watched: Watched,
        clock: Clock,
    ) -> None:
        self.source, self.group, self.version, self.watched, self.clock = source, group, version, watched, clock

    def ask(self, client: Asks, numbers: range) -> tuple[list[Sample], list[QueryTold], str, bool]:
        """Return samples, what each query said, why the source can't be asked at all, and whether to go on."""
        spans = [
            (self.clock.wall(n * self.watched.sample_s), self.clock.wall((n + 1) * self.watched.sample_s))
            for n in numbers
        ]
        answers: dict[str, Asked] = {}
        failed: dict[str, NoData] = {}
        scrapes: Scrapes = {}
        problem = ""
        for figure in self.group:
            try:
                asked = ask(client, self.source, figure, self.version, spans, scrapes)
                answers[figure.figure], scrapes = asked, asked.scrapes or scrapes
            except NoData as error:
                failed[figure.figure] = error
                if isinstance(error, Unreachable | Denied):
                    problem = str(error)
                    break
        if failed:
            return [], [self._told(figure, answers, failed, spans, None) for figure in self.group], problem, False
        samples: list[Sample] = []
        settled = numbers.start
        goes_on = True
        for index, number in enumerate(numbers):
            told = {name: answer.readings[index] for name, answer in answers.items()}
            try:
                samples += samples_of(self.source, self.group, told, self.version, number, self.watched.sample_s)
            except NoData as error:
                if not error.state.is_final:
                    goes_on = False  # what a person has to mend: asked again until the span is too old
                    break
            settled = number + 1
        at = settled * self.watched.sample_s
        return samples, [self._told(figure, answers, failed, spans, at) for figure in self.group], "", goes_on

    def _told(
        self,
        figure: FigureQuery,
        answers: dict[str, Asked],
        failed: dict[str, NoData],
        spans: Sequence[tuple[float, float]],
        settled: float | None,
    ) -> QueryTold:
        name = figure.figure
        span_s = spans[-1][1] - spans[-1][0]
        query = fill(figure.query, self.source.called(self.version), span_s)
        if name in failed:
            error = failed[name]
            return QueryTold(name, self.version, error.state, str(error), None, query, settled, False)
        if name not in answers:
            said = "the source did not answer the query before"
            return QueryTold(name, self.version, QueryState.NOT_ASKED, said, None, query, settled, False)
        readings = answers[name].readings
        heard = any(not isinstance(reading, NoData) for reading in readings)
        newest = readings[-1]
        if isinstance(newest, NoData):
            if figure.absent_is_zero and newest.state is QueryState.NO_VALUES:
                return QueryTold(name, self.version, QueryState.OK, "no series: zero", 0.0, query, settled, True)
            return QueryTold(name, self.version, newest.state, str(newest), None, query, settled, heard)
        return QueryTold(
            name, self.version, QueryState.OK, _places(newest), _total(figure, newest), query, settled, True
        )


def _places(reading: Reading) -> str:
    return "" if len(reading) == 1 else f"{len(reading):,} places"


def _total(figure: FigureQuery, reading: Reading) -> float:
    values = [float(value.sum()) if hasattr(value, "sum") else float(value) for value in reading.values()]
    return sum(values) if figure.counts else max(values)


# --- what is remembered


def settled_of(connection: Connection, source: str, flag: str) -> dict[tuple[str, str], float]:
    """Return how far a source's queries are settled, plan time by (version, figure)."""
    rows = connection.execute(
        select(_QUERY.c.version, _QUERY.c.figure, _QUERY.c.settled).where(
            (_QUERY.c.source == source) & (_QUERY.c.flag == flag) & _QUERY.c.settled.is_not(None)
        )
    )
    return {(row.version, row.figure): row.settled for row in rows}


def keep(store: Store, source: PrometheusSource, watched: Watched, polled: Polled, lease: str, token: int) -> None:
    """Store what a poll came to, in one transaction that is only committed while the lease is ours.

    Raises:
        Fenced: it isn't any more; nothing is stored. StoreUnavailable: the database can't be written.
    """
    now = time.time()
    with store.transaction() as tx:
        hold_fence(tx, lease, token)
        done = add_samples(tx.connection, watched.flag, polled.samples)
        for told in polled.told:
            _keep_query(tx, source.name, watched.flag, told, now)
        facts = {
            "url": source.url,
            "took_s": round(polled.took_s, 3),
            "versions": list(watched.versions),
            "sample_s": watched.sample_s,
        }
        _keep_source(tx, source.name, watched.flag, polled, facts, done.accepted, now)


def _keep_query(tx: Tx, source: str, flag: str, told: QueryTold, now: float) -> None:
    key = (
        (_QUERY.c.source == source)
        & (_QUERY.c.flag == flag)
        & (_QUERY.c.version == told.version)
        & (_QUERY.c.figure == told.figure)
    )
    values = {
        "asked": now,
        "state": str(told.state),
        "said": told.said[:1000],
        "value": told.value,
        "query": told.query,
    }
    if told.settled is not None:
        values["settled"] = told.settled
    if told.was_heard:
        values["heard"] = now
    if not tx.connection.execute(update(_QUERY).where(key).values(values)).rowcount:
        named = {"source": source, "flag": flag, "version": told.version, "figure": told.figure}
        tx.connection.execute(insert(_QUERY), {"settled": None, "heard": None, **named, **values})


def _keep_source(
    tx: Tx, name: str, flag: str, polled: Polled, facts: dict[str, object], accepted: int, now: float
) -> None:
    key = (_SOURCE.c.kind == PROMETHEUS) & (_SOURCE.c.flag == flag) & (_SOURCE.c.name == name)
    known = tx.connection.execute(select(_SOURCE.c.facts).where(key)).scalar_one_or_none()
    samples = int((known or {}).get("samples", 0)) + accepted
    values = {"asked": now, "problem": polled.problem[:1000], "facts": {**facts, "samples": samples}}
    if polled.told and not polled.problem:
        values["heard"] = now
    if known is None:
        tx.connection.execute(
            insert(_SOURCE), {"kind": PROMETHEUS, "flag": flag, "name": name, "heard": None, **values}
        )
    else:
        tx.connection.execute(update(_SOURCE).where(key).values(values))


def forget_others(store: Store, sources: Sequence[PrometheusSource]) -> None:
    """Forget what is known of sources and figures that the file doesn't name any more."""
    with store.transaction() as tx:
        for row in tx.connection.execute(select(_SOURCE.c.flag, _SOURCE.c.name).where(_SOURCE.c.kind == PROMETHEUS)):
            source = next((one for one in sources if (one.name, one.flag) == (row.name, row.flag)), None)
            asked = (_QUERY.c.source == row.name) & (_QUERY.c.flag == row.flag)
            if source is not None:
                kept = [figure.figure for figure in source.figures]
                tx.connection.execute(delete(_QUERY).where(asked & _QUERY.c.figure.not_in(kept)))
                continue
            tx.connection.execute(delete(_QUERY).where(asked))
            key = (_SOURCE.c.kind == PROMETHEUS) & (_SOURCE.c.name == row.name) & (_SOURCE.c.flag == row.flag)
            tx.connection.execute(delete(_SOURCE).where(key))

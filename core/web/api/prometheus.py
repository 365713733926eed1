"""Our own figures for Prometheus: what this process counts, and what the store says when it is asked."""

from __future__ import annotations

import collections
import time
from collections import Counter as CountedStates
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.delivery import LEASE, Deliveries, incidents
from core.learners import LearnerRows
from core.metrics import QueryState, known_sources, senders
from core.store import Lease, Store, StoreUnavailable, current_lease
from core.traffic import FlagService

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nothing here asks for


class Counts:
    """What one process has counted since it started; each is a counter with one label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, label: str) -> Counter:
            return Counter(name, text, [label], namespace="canary", registry=registry)

        self.evaluations = counter("flag_evaluations", "Flag evaluations, by variant or error.", "result")
        self.samples = counter("samples_received", "Samples pushed.", "result")
        self.samples_rejected = counter("samples_rejected", "Samples refused.", "reason")
        self.records = counter("records_received", "Request and probe records pushed.", "result")
        self.records_rejected = counter("records_rejected", "Request and probe records refused.", "reason")
        self.records_dropped = counter("records_dropped", "Records that senders say they had to drop.", "flag")
        self.pushes_refused = counter("pushes_refused", "Pushes that were told to come back later.", "reason")
        self.pushes_refused.labels("busy")  # so that the first one is a rise from 0, which a rate sees
        self.push_seconds = Histogram(
            "push_seconds",
            "From a push's last byte to its answer.",
            namespace="canary",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=registry,
        )


class StoreCollector(Collector):
    """What the store says: database, monitor, deployments; asked anew at each scrape."""

    def __init__(self, store: Store, deliveries: Deliveries, flags: FlagService) -> None:
        self._store, self._deliveries, self._flags = store, deliveries, flags

    def describe(self) -> list[Metric]:
        """Return nothing: names are known from the code, and registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one family a figure."""
        lease: Lease | None = None
        reachable = True
        try:
            with self._store.read() as connection:
                lease = current_lease(connection, LEASE)
        except StoreUnavailable:
            reachable = False
        yield _gauge("database_up", "Whether the database can be read.", float(reachable))
        if lease is not None:
            yield from _monitor(lease)
        if reachable:
            yield from self._under_way()
        yield _gauge("flags_stale", "Whether flags come from memory.", float(bool(self._flags.stale)))

    def _under_way(self) -> Iterator[Metric]:
        labels = ["deployment", "flag"]
        share = GaugeMetricFamily("canary_share", "Part of the learners that is to get the candidate.", labels=labels)
        state = GaugeMetricFamily(
            "canary_deployment_under_way", "Deployments that have not ended, by state.", labels=[*labels, "state"]
        )
        confirmed = GaugeMetricFamily(
            "canary_switch_confirmed", "Whether the traffic switch was read back as it was decided.", labels=labels
        )
        for status in self._deliveries.all():
            named = [status.id, status.plan.flag]
            if status.state.carries_traffic:
                share.add_metric(named, status.share)
            if not status.state.ended:
                state.add_metric([*named, str(status.state)], 1.0)
            if status.phase >= 0 and (not status.state.ended or status.needs_switch):
                confirmed.add_metric(named, float(not status.needs_switch))
        with self._store.read() as connection:
            causes = collections.Counter(incident.cause for incident in incidents(connection, open_only=True))
        open_now = GaugeMetricFamily("canary_incidents_open", "Incidents that nobody has closed.", labels=["cause"])
        for cause, count in sorted(causes.items()):
            open_now.add_metric([cause], count)
        yield from (share, state, confirmed, open_now)


class CacheCollector(Collector):
    """What the cache of learners' cohorts has done in this process."""

    def __init__(self, rows: LearnerRows) -> None:
        self._rows = rows

    def describe(self) -> list[Metric]:
        """Return nothing, as `StoreCollector` does."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one family a figure."""
        stats = self._rows.stats()
        lookups = CounterMetricFamily(
            "canary_learner_cache_lookups", "Lookups of a learner's cohort, by where the answer was.", labels=["found"]
        )
        for found, count in {**stats.hits, "nowhere": stats.misses}.items():
            lookups.add_metric([found], count)
        yield lookups
        yield _gauge("learner_cache_entries", "Answers held in this process.", stats.entries)
        yield _gauge("learner_cache_bytes", "Size of their keys and values.", stats.size)
        if stats.up is not None:
            calls = CounterMetricFamily(
                "canary_learner_cache_redis_failures", "Calls that Redis failed or was spared.", labels=["kind"]
            )
            calls.add_metric(["failed"], stats.errors)
            calls.add_metric(["spared"], stats.bypassed)
            yield calls
            yield _gauge("learner_cache_redis_up", "Whether Redis answers, as far as is known.", float(stats.up))


class SourceCollector(Collector):
    """Where figures come from: when each source was last heard, and what its queries come to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[Metric]:
        """Return nothing, as `StoreCollector` does."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one family a figure; none while the database can't be read, which `StoreCollector` says."""
        try:
            with self._store.read() as connection:
                asked, pushing = known_sources(connection), senders(connection)
        except StoreUnavailable:
            return
        labels = ["source", "flag"]
        heard = GaugeMetricFamily(
            "canary_source_last_heard_timestamp_seconds",
            "When a Prometheus last answered with a figure.",
            labels=labels,
        )
        missing = GaugeMetricFamily(
            "canary_source_queries", "Queries of a Prometheus, by what they last came to.", labels=[*labels, "state"]
        )
        for source in asked:
            heard.add_metric([source.name, source.flag], source.heard or 0.0)
            states = CountedStates(str(query.state) for query in source.queries)
            for state in QueryState:
                missing.add_metric([source.name, source.flag, str(state)], float(states[str(state)]))
        # Of each flag, not of each sender: processes come and go, and every name would stay a series.
        pushed = GaugeMetricFamily(
            "canary_push_last_heard_timestamp_seconds",
            "When figures were last pushed, or a sign of life.",
            labels=["flag"],
        )
        for flag in sorted({sender.flag for sender in pushing}):
            pushed.add_metric([flag], max(sender.heard for sender in pushing if sender.flag == flag))
        yield from (heard, missing, pushed)


def _monitor(lease: Lease) -> Iterator[Metric]:
    yield _gauge("monitor_up", "Whether a monitor holds the lease.", float(lease.is_held(time.time())))
    yield _gauge("monitor_last_tick_timestamp_seconds", "When the last tick ended.", lease.beat)
    yield _gauge("monitor_tick_late_seconds", "How late the last tick began.", lease.late_s)
    yield _gauge("monitor_tick_duration_seconds", "How long the last tick took.", lease.tick_s)
    yield _gauge("monitor_takeovers", "How often the lease has changed hands.", lease.token - 1.0)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"canary_{name}", text, value=value)


def new_registry(store: Store, deliveries: Deliveries, flags: FlagService, rows: LearnerRows) -> CollectorRegistry:
    """Return a registry of one application: the store's figures and those of the process it runs in."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(store, deliveries, flags))
    registry.register(SourceCollector(store))
    registry.register(CacheCollector(rows))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return all figures in the format that an Accept header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type

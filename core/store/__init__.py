"""What is remembered: deployments, events, samples, leases. The other rooms use the names listed here."""

from core.store import histogram, schema
from core.store.clock import Clock
from core.store.errors import Fenced, LogFileError, StoreUnavailable
from core.store.eventlog import Event, Head, events, head_of
from core.store.lease import Lease, acquire_lease, beat, current_lease, hold_fence, release_lease
from core.store.sample import BusinessSums, LearnerTotals, Sample
from core.store.samples import (
    Accepted,
    SampleFrame,
    add_samples,
    latency_of,
    load_samples,
    quantile_of,
    remember_batch,
)
from core.store.secretfile import secret_text
from core.store.store import Store, Tx

__all__ = [
    "Accepted",
    "BusinessSums",
    "Clock",
    "Event",
    "Fenced",
    "Head",
    "LearnerTotals",
    "Lease",
    "LogFileError",
    "Sample",
    "SampleFrame",
    "Store",
    "StoreUnavailable",
    "Tx",
    "acquire_lease",
    "add_samples",
    "beat",
    "current_lease",
    "events",
    "head_of",
    "histogram",
    "hold_fence",
    "latency_of",
    "load_samples",
    "quantile_of",
    "release_lease",
    "remember_batch",
    "schema",
    "secret_text",
]

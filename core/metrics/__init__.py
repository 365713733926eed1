"""Where samples come from: pushed request records, recorded files."""

from core.metrics.learnerkey import learner_hasher
from core.metrics.push import Aggregated, ProbeRecord, RequestRecord, Spans, aggregate, refused

__all__ = ["Aggregated", "ProbeRecord", "RequestRecord", "Spans", "aggregate", "learner_hasher", "refused"]

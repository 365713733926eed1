"""Where samples come from: pushed request records, recorded files."""

from core.metrics.learnerkey import learner_hasher
from core.metrics.push import Aggregated, ProbeRecord, RequestRecord, Spans, aggregate, refused
from core.metrics.recorded import Group, Recorded, RecordedError, Rejected, read_recorded

__all__ = [
    "Aggregated",
    "Group",
    "ProbeRecord",
    "Recorded",
    "RecordedError",
    "Rejected",
    "RequestRecord",
    "Spans",
    "aggregate",
    "learner_hasher",
    "read_recorded",
    "refused",
]

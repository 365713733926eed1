"""Where samples come from: pushed request records, recorded files."""

from core.metrics.learnerkey import learner_hasher
from core.metrics.push import Aggregated, ProbeRecord, RequestRecord, Spans, aggregate, refused
from core.metrics.pushed import Push, Sender, note_push, senders
from core.metrics.recorded import Group, Recorded, RecordedError, Rejected, read_recorded

__all__ = [
    "Aggregated",
    "Group",
    "ProbeRecord",
    "Push",
    "Recorded",
    "RecordedError",
    "Rejected",
    "RequestRecord",
    "Sender",
    "Spans",
    "aggregate",
    "learner_hasher",
    "note_push",
    "read_recorded",
    "refused",
    "senders",
]

"""Learners' events from any of the formats they come in, in the canonical schema: streamed, or all in memory."""

from pathlib import Path

from core.learners.events import Events
from core.learners.importing.canonical import EVENT_ID
from core.learners.importing.collect import collect, collect_batches
from core.learners.importing.detect import FORMATS
from core.learners.importing.mapping import Mapping
from core.learners.importing.mappingfile import MappingError, load_mapping, parse_mapping
from core.learners.importing.rejected import Refusal, Rejected
from core.learners.importing.stream import EventStream, open_events

__all__ = [
    "EVENT_ID",
    "FORMATS",
    "EventStream",
    "Mapping",
    "MappingError",
    "Refusal",
    "Rejected",
    "collect",
    "collect_batches",
    "load_mapping",
    "open_events",
    "parse_mapping",
    "read_events",
]


def read_events(path: Path) -> Events:
    """Read all events of a file or folder, its format found by its content; see `open_events` and `collect`.

    Raises EventsError, naming the file, what is wrong and what was expected.
    """
    return collect(open_events(path))

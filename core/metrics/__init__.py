"""Where samples come from: pushed request records, Prometheus, recorded files."""

from core.metrics.learnerkey import learner_hasher
from core.metrics.prometheus.answer import Answer, Series
from core.metrics.prometheus.asking import try_out
from core.metrics.prometheus.client import Client
from core.metrics.prometheus.known import QueryKnown, SourceKnown, known_sources
from core.metrics.prometheus.poller import QueryTold, Watched, try_all
from core.metrics.prometheus.runner import Sources
from core.metrics.prometheus.sourcefile import (
    FIGURES,
    GAUGES,
    FigureQuery,
    PrometheusSource,
    SourcesError,
    load_sources,
    parse_sources,
)
from core.metrics.prometheus.states import NoData, QueryState
from core.metrics.prometheus.template import fill
from core.metrics.push import Aggregated, ProbeRecord, RequestRecord, Spans, aggregate, refused
from core.metrics.pushed import Push, Sender, note_push, senders
from core.metrics.recorded import COLUMNS, Group, Recorded, RecordedError, Rejected, read_recorded

__all__ = [
    "COLUMNS",
    "FIGURES",
    "GAUGES",
    "Aggregated",
    "Answer",
    "Client",
    "FigureQuery",
    "Group",
    "NoData",
    "ProbeRecord",
    "PrometheusSource",
    "Push",
    "QueryKnown",
    "QueryState",
    "QueryTold",
    "Recorded",
    "RecordedError",
    "Rejected",
    "RequestRecord",
    "Sender",
    "Series",
    "SourceKnown",
    "Sources",
    "SourcesError",
    "Spans",
    "Watched",
    "aggregate",
    "fill",
    "known_sources",
    "learner_hasher",
    "load_sources",
    "note_push",
    "parse_sources",
    "read_recorded",
    "refused",
    "senders",
    "try_all",
    "try_out",
]

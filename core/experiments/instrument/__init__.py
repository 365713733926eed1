"""A/A checks: is the instrument good enough, before anything is measured with it?"""

from core.experiments.instrument.check import (
    DRIFT,
    LEVEL,
    SPLITS,
    SURE,
    TARGET,
    Drift,
    Instrument,
    MetricCheck,
    State,
    as_used,
    check_instrument,
    exact_interval,
)
from core.experiments.instrument.requests import RequestCheck, check_requests
from core.experiments.instrument.resplit import Resplit, resplit
from core.experiments.instrument.words import FIT, as_json, check_sentence, request_sentences, verdict

__all__ = [
    "DRIFT",
    "FIT",
    "LEVEL",
    "SPLITS",
    "SURE",
    "TARGET",
    "Drift",
    "Instrument",
    "MetricCheck",
    "RequestCheck",
    "Resplit",
    "State",
    "as_json",
    "as_used",
    "check_instrument",
    "check_requests",
    "check_sentence",
    "exact_interval",
    "request_sentences",
    "resplit",
    "verdict",
]

"""Events to traits to cohorts: who are the learners?"""

from core.learners import job, runs
from core.learners.analysis import Analysis, analyze, weeks_for_half
from core.learners.cache import CacheStats
from core.learners.cluster import dask
from core.learners.cohorts import Cohort
from core.learners.constants import Constants
from core.learners.events import DAY_US, WEEK_US, Event, Events, EventsError, from_codes, from_columns, from_events
from core.learners.importing import (
    FORMATS,
    EventStream,
    MappingError,
    collect,
    collect_batches,
    load_mapping,
    open_events,
    read_events,
)
from core.learners.keeping import Keeping
from core.learners.kernel import Scan, constants_of, finish, scan, scan_one
from core.learners.log import Log, recall_of_log, scan_log
from core.learners.membership import LearnerRows, Membership
from core.learners.model import CohortModel, cohorts_of, find_cohorts
from core.learners.partition import Parts, scan_parts
from core.learners.recall_fit import recall_of
from core.learners.rediscache import CacheSettings, open_cache
from core.learners.reference import Observation, observe, traits_of
from core.learners.scoring import read_model, score
from core.learners.traits import TRAITS, WEEKS, Traits, traits_at
from core.learners.warm import is_warm, warm

__all__ = [
    "DAY_US",
    "FORMATS",
    "TRAITS",
    "WEEKS",
    "WEEK_US",
    "Analysis",
    "CacheSettings",
    "CacheStats",
    "Cohort",
    "CohortModel",
    "Constants",
    "Event",
    "EventStream",
    "Events",
    "EventsError",
    "Keeping",
    "LearnerRows",
    "Log",
    "MappingError",
    "Membership",
    "Observation",
    "Parts",
    "Scan",
    "Traits",
    "analyze",
    "cohorts_of",
    "collect",
    "collect_batches",
    "constants_of",
    "dask",
    "find_cohorts",
    "finish",
    "from_codes",
    "from_columns",
    "from_events",
    "is_warm",
    "job",
    "load_mapping",
    "observe",
    "open_cache",
    "open_events",
    "read_events",
    "read_model",
    "recall_of",
    "recall_of_log",
    "runs",
    "scan",
    "scan_log",
    "scan_one",
    "scan_parts",
    "score",
    "traits_at",
    "traits_of",
    "warm",
    "weeks_for_half",
]

"""Store -> records -> views, once a second for all viewers: what every page reads, cached, and nothing that writes."""

from core.web.reading.charts import chart, drawable, sparklines
from core.web.reading.eventlog import actors, export, log, log_length, verified
from core.web.reading.installation import (
    TTL_S,
    deliveries,
    demo_faults,
    deployment_names,
    limits,
    names,
    settings,
    shown,
    store,
)
from core.web.reading.live import Snapshot, learners_seen, outlook, snapshot, take
from core.web.reading.signoff import SignOffFound, sign_off
from core.web.reading.system import (
    all_drills,
    database,
    effective_settings,
    examined,
    learner_cache,
    monitor_lease,
    traffic_switch,
)

__all__ = [
    "TTL_S",
    "SignOffFound",
    "Snapshot",
    "actors",
    "all_drills",
    "chart",
    "database",
    "deliveries",
    "demo_faults",
    "deployment_names",
    "drawable",
    "effective_settings",
    "examined",
    "export",
    "forget",
    "learner_cache",
    "learners_seen",
    "limits",
    "log",
    "log_length",
    "monitor_lease",
    "names",
    "outlook",
    "settings",
    "shown",
    "sign_off",
    "snapshot",
    "sparklines",
    "store",
    "take",
    "traffic_switch",
    "verified",
]


def forget() -> None:
    """Forget what was read, because somebody has just changed it."""
    for cached in (names, snapshot, sparklines, chart, log):
        cached.clear()

"""What the System and Settings pages read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import func, select

from core.delivery import Drill, Reading, drills, read_switch
from core.doctor import Finding, examine
from core.learners import CacheStats
from core.settings import Origin, Settings, origins
from core.store import Clock, Lease, current_lease, schema
from core.web.reading.installation import TTL_S, deliveries, settings, store
from core.web.reading.live import MONITOR
from core.web.state import get_app_state
from core.web.views.system import size
from core.web.views.times import exact_time


@st.cache_data(ttl=TTL_S, max_entries=5, show_spinner=False)
def monitor_lease() -> tuple[Lease | None, Clock, float]:
    """Return the monitor's lease, the plan's clock and the wall time."""
    of = store()
    with of.read() as connection:
        return current_lease(connection, MONITOR), of.clock(), time.time()


def learner_cache() -> CacheStats:
    """Return what this process's cache of learners' cohorts has done."""
    return get_app_state().learners.stats()


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def traffic_switch() -> tuple[str, dict[str, Reading | None]]:
    """Return what the traffic switch is, and what it does with each flag that has begun (see `read_switch`)."""
    service = deliveries()
    flags = sorted({s.plan.flag for s in service.all() if s.phase >= 0})
    return service.switch.name, {flag: read_switch(service, flag) for flag in flags}


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def all_drills() -> list[Drill]:
    """Return every rollback, newest first."""
    with store().read() as connection:
        return drills(connection)


@st.cache_data(ttl=10.0, max_entries=5, show_spinner=False)
def database() -> tuple[tuple[str, str], ...]:
    """Return what is known of the database: its address without a password, its size and how many rows it holds."""
    of = store()
    facts = [("Address", of.engine.url.render_as_string(hide_password=True)), ("Kind", of.engine.dialect.name)]
    if of.engine.dialect.name == "sqlite" and of.engine.url.database:
        files: Sequence[Path] = [
            p for p in (Path(of.engine.url.database), Path(of.engine.url.database + "-wal")) if p.exists()
        ]
        facts.append(("Size", size(sum(p.stat().st_size for p in files))))
    with of.read() as connection:
        for table in (
            schema.deployment,
            schema.event,
            schema.sample,
            schema.checkpoint,
            schema.incident,
            schema.learner_total,
        ):
            rows = connection.scalar(select(func.count()).select_from(table)) or 0
            facts.append((f"Rows of {table.name.replace('_', ' ')}", f"{rows:,}"))
    return tuple(facts)


@st.cache_data(ttl=10.0, max_entries=2, show_spinner=False)
def examined() -> tuple[list[Finding], str]:
    """Return what the doctor finds, and when that was; one examination for all viewers."""
    return examine(settings()), exact_time(time.time())


def effective_settings() -> tuple[Settings, dict[str, Origin], Settings | None, str]:
    """Return the settings of this process, where each comes from, what one started now would have, and why it can't."""
    try:
        came_from = origins()
    except (SettingsError, ValueError) as error:
        return settings(), dict.fromkeys(Settings.model_fields, Origin.DEFAULT), None, f"canary.toml: {error}"
    try:
        return settings(), came_from, Settings(), ""
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        return settings(), came_from, None, said

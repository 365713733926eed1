"""What the Sources page shows, read from the store and the sources file, and shared by all viewers for a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from core.delivery import watched
from core.metrics import PrometheusSource, SourcesError, known_sources, load_sources, senders
from core.web.reading import TTL_S, deliveries, settings, store
from core.web.views import intake
from core.web.views.intake import SenderRow, SourceView
from core.web.views.marks import Headline

QUIET_S = 90.0
"""Wall seconds of silence after which a sender is quiet, where no plan of its flag says otherwise."""


@dataclass(frozen=True, slots=True)
class Intake:
    """All that is known of where figures come from. `mistakes`: of the sources file, a line each."""

    headline: Headline
    sources: tuple[SourceView, ...]
    senders: tuple[SenderRow, ...]
    mistakes: tuple[str, ...]


def configured() -> tuple[tuple[PrometheusSource, ...], tuple[str, ...]]:
    """Return what the sources file says, and what is wrong with it; nothing of either where there is no file."""
    path = settings().sources
    if path is None:
        return (), ()
    try:
        return load_sources(path), ()
    except SourcesError as error:
        return (), tuple(str(problem) for problem in error.problems)


@st.cache_data(ttl=TTL_S, max_entries=5, show_spinner=False)
def read() -> Intake:
    """Read all that is known."""
    wall, clock = time.time(), store().clock()
    sources, mistakes = configured()
    flags = frozenset(entry.flag for entry in watched(deliveries()))
    with store().read() as connection:
        known = {(one.name, one.flag): one for one in known_sources(connection)}
        pushing = senders(connection)
    named = {(one.name, one.flag): one for one in sources}
    views = tuple(
        intake.source_view(named.get(key), known.get(key), wall, clock.speed, flags) for key in sorted(named | known)
    )
    after = {flag: _quiet_after(flag) / clock.speed for flag in {sender.flag for sender in pushing}}
    rows = tuple(intake.sender_row(sender, wall, max(10.0, after[sender.flag])) for sender in pushing)
    return Intake(intake.headline(views, rows, mistakes), views, rows, mistakes)


def _quiet_after(flag: str) -> float:
    status = deliveries().current(flag)
    return status.plan.silent_after_s if status is not None else QUIET_S


def versions(flag: str) -> tuple[str, ...]:
    """Return the versions of a flag that somebody may ask about."""
    status = deliveries().current(flag)
    return () if status is None else (status.plan.candidate, status.plan.baseline)


def span_s(flag: str) -> float:
    """Return the wall seconds that a sample of a flag spans."""
    status = deliveries().current(flag)
    return (status.plan.sample_s if status is not None else 30.0) / store().clock().speed

"""What all pages read through: the store, the deployments, the settings; cached for all viewers."""

from __future__ import annotations

import streamlit as st

from core.delivery import DRILL_FLAG, Deliveries, State
from core.settings import Settings
from core.store import Store
from core.web import actions
from core.web.ratelimit import RateLimit
from core.web.state import get_app_state

TTL_S = 1.0


def store() -> Store:
    """Return the store of this installation."""
    return get_app_state().store


def deliveries() -> Deliveries:
    """Return the deployments of this installation."""
    return get_app_state().deliveries


def settings() -> Settings:
    """Return the settings of this process."""
    return get_app_state().settings


def limits() -> RateLimit:
    """Return how often one person may change something."""
    return get_app_state().limits


@st.cache_data(ttl=TTL_S, max_entries=50, show_spinner=False)
def names() -> list[tuple[str, str, State]]:
    """Return every deployment but those of drills, newest first: (id, plan's name, state)."""
    return [(s.id, s.plan.name, s.state) for s in deliveries().all() if s.plan.flag != DRILL_FLAG]


def deployment_names() -> list[tuple[str, str]]:
    """Return every deployment, newest first: (id, what it is called in a list)."""
    return [(id_, f"{name} · {id_.rsplit('-', 1)[-1]} · {state}") for id_, name, state in names()]


def shown(wanted: str | None, last: str | None = None) -> str | None:
    """Return the id of the deployment to show; None where there is none.

    The one asked for if it exists. Else the one that was shown last, so that a page doesn't turn to another deployment
    under somebody's hand, until it carries no traffic and a newer one waits, or a newer one carries traffic. Else the
    one that carries traffic, else the one that waits to, else the newest.
    """
    known = names()
    place = {id_: i for i, (id_, _, _) in enumerate(known)}
    if wanted in place:
        return wanted
    newer = known[: place[last]] if last in place else known
    started = next(((id_, state) for id_, _, state in newer if state not in {State.DRAFT, State.SCHEDULED}), None)
    waiting = next((id_ for id_, _, state in newer if state in {State.DRAFT, State.SCHEDULED}), None)
    serving = started[0] if started is not None and started[1].carries_traffic else None
    if last in place:
        return serving or (last if known[place[last]][2].carries_traffic else waiting) or last
    return serving or waiting or (known[0][0] if known else None)


@st.cache_data(ttl=2.0, max_entries=5, show_spinner=False)
def demo_faults() -> actions.Faults | None:
    """Return what can be broken in the demo and what is; None where it doesn't answer."""
    return actions.faults(settings())

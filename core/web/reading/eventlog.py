"""What the History page reads: the event log."""

from __future__ import annotations

import io

import streamlit as st
from sqlalchemy import func, select

from core.store import Event, Verification, events, export_log, schema, verify_log
from core.web.reading.installation import TTL_S, store


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def log(deployment: str | None, kinds: tuple[str, ...], actor: str | None, text: str | None) -> list[Event]:
    """Return the events that pass a filter, newest first."""
    with store().read() as connection:
        return events(
            connection,
            deployment=deployment or None,
            kinds=kinds or None,
            actor=actor or None,
            text=text or None,
            newest_first=True,
        )


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def actors() -> list[str]:
    """Return everybody who is in the event log."""
    with store().read() as connection:
        return list(connection.scalars(select(schema.event.c.actor).distinct().order_by(schema.event.c.actor)))


@st.cache_data(ttl=60.0, max_entries=5, show_spinner=False)
def verified(count: int) -> Verification:  # noqa: ARG001 -- a longer log is another answer
    """Walk the whole event log and compare it with its anchor; kept until the log has grown, a minute at most."""
    return verify_log(store())


def export() -> str:
    """Return the whole event log as `canary log` exports it."""
    file = io.StringIO()
    with store().read() as connection:
        export_log(connection, file)
    return file.getvalue()


def log_length() -> int:
    """Return how many events there are."""
    with store().read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.event)) or 0

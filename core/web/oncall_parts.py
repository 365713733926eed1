"""Pieces of the On-call page that have widgets or read: incidents with their button, roster, messages."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from core.identity import Permission, why_not
from core.oncall import (
    AckRefused,
    Call,
    OpenIncident,
    Roster,
    RosterError,
    acknowledge,
    calls,
    load_roster,
    open_incidents,
)
from core.store import StoreUnavailable
from core.web import actions, html, parts, reading, signin
from core.web.actions import Told
from core.web.views.marks import Tone
from core.web.views.oncall import IncidentRow

_CALLS = 30


@dataclass(frozen=True, slots=True)
class Found:
    """What the page shows. `trouble`: why there is no roster. `wall`: when it was read."""

    open: tuple[OpenIncident, ...]
    calls: tuple[Call, ...]
    roster: Roster | None
    trouble: str
    wall: float


@st.cache_data(ttl=2.0, max_entries=5, show_spinner=False)
def read() -> Found:
    """Return open incidents, the latest messages and the roster."""
    path, roster, trouble = reading.settings().roster, None, ""
    if path is None:
        trouble = "There is no roster, so nobody is called: CANARY_ROSTER names one (docs/on-call.md)."
    else:
        try:
            roster = load_roster(path)
        except RosterError as error:
            trouble = (
                f"The roster has {len(error.problems)} mistakes; `canary on-call` names them. The one before is used."
            )
    with reading.store().read() as connection:
        return Found(
            tuple(open_incidents(connection)), tuple(calls(connection, limit=_CALLS)), roster, trouble, time.time()
        )


def incidents(rows: tuple[IncidentRow, ...]) -> None:
    """Draw the open incidents, each with a button for who looks after it."""
    if not rows:
        st.html(html.nothing("No incident is open."))
        return
    refusal = why_not(signin.person(), Permission.ACKNOWLEDGE, time.time())
    for row in rows:
        with st.container(border=True, key=f"incident-{row.id}"):
            st.html(html.incident(row))
            if not row.taken:
                st.button(
                    "Acknowledge",
                    key=f"ack-{row.id}",
                    icon=":material/person_raised_hand:",
                    type="primary",
                    disabled=bool(refusal),
                    help=refusal or "Nobody else is called about it. It does not roll anything back.",
                    on_click=_acknowledge,
                    args=(row.id,),
                )


def _acknowledge(incident: str) -> None:
    who = signin.person()
    told = actions.refused(who, Permission.ACKNOWLEDGE)
    if told is None:
        try:
            made = acknowledge(
                reading.store(),
                incident,
                person=who.id or who.name,
                how="dashboard",
                actor=who.actor,
                now=time.time(),
            )
            told = Told(Tone.GOOD, f"Acknowledged by {made.person}.")
        except (AckRefused, StoreUnavailable) as error:
            told = Told(Tone.BAD, f"Nothing was done: {error}.")
    parts.keep(told)
    read.clear()

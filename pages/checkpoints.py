"""Checkpoints: a report card for each moment at which the roll-out was judged, and for those to come."""

import streamlit as st

from core.web import html, parts, reading, reporting
from core.web.views import checkpoints as view

deployment = parts.shown()
st.html(html.title("Checkpoints", "What was judged, when, and how late; nothing here changes afterwards."))

if deployment is None:
    st.html(html.nothing("There is no deployment yet. Its checkpoints appear here as they are judged."))
    st.stop()

found = reading.snapshot(deployment)
attempts = view.attempts(found.status, found.checkpoints)
with st.container(horizontal=True, vertical_alignment="center"):
    parts.choose_deployment(deployment)
    reporting.offer(deployment)
    attempt = attempts[0]
    if len(attempts) > 1:
        attempt = st.selectbox(
            "Attempt", attempts, format_func="Attempt {}".format, key="attempt", bind="query-params", width=160
        )


@st.fragment(run_every="5s")
def cards() -> None:
    """Draw the cards, phase by phase."""
    now = reading.snapshot(deployment)
    for phase in view.phase_cards(now.status, now.checkpoints, attempt, now.now, now.clock.speed):
        st.html(html.section(phase.title))
        st.html(html.cards(phase.cards))


cards()

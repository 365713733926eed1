"""Sign-off: what the leads are asked to agree to, who has, and a way to decide in the seat that is yours."""

import streamlit as st

from core.web import html, parts, reading, signoff_parts
from core.web.views import signoff as view

deployment = parts.shown()
st.html(
    html.title("Sign-off", "People in named seats agree to what they saw. If a verdict changes, they are asked anew.")
)
parts.tell()

if deployment is None:
    st.html(html.nothing("There is no deployment yet. What is to be signed off appears here."))
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    parts.choose_deployment(deployment)

found = reading.sign_off(deployment)
gate = view.gate_view(found.status, found.verdict, found.tally, found.decisions, found.now)
signoff_parts.remember(found)


@st.fragment(run_every="3s")
def watch() -> None:
    """Draw the page anew when the gate or a decision has changed, so that nobody signs what is not so any more."""
    signoff_parts.follow(reading.sign_off(deployment))


watch()
st.html(html.gate(gate))
if gate.gate:
    signoff_parts.decide(found, gate)
if gate.earlier:
    with st.expander(f"Decisions that count no more ({len(gate.earlier)})"):
        st.html(html.seats(gate.earlier))

"""On call: who is called now, which incidents are open and who has them, and whether messages arrive."""

import streamlit as st

from core.web import html, oncall_parts, parts
from core.web.views import oncall as view

st.html(html.title("On call", "Who is called about an incident, until somebody acknowledges it."))
parts.tell()


@st.fragment(run_every="3s")
def now() -> None:
    """Draw what changes by itself."""
    found = oncall_parts.read()
    st.html(html.section("Open incidents"))
    oncall_parts.incidents(view.incident_rows(found.open, found.wall))
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.html(html.section("On call now"))
        duty = view.duty(found.roster, found.wall)
        st.html(html.pairs(duty) if duty else html.nothing(found.trouble))
    with right:
        st.html(html.section("Messages"))
        rows = view.call_rows(found.calls)
        st.html(html.calls(rows) if rows else html.nothing("Nobody was called yet."))


now()

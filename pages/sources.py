"""Sources: where figures come from, whether they come, and what to mend where they don't."""

import streamlit as st

from core.web import html
from core.web.intake import html as shapes
from core.web.intake import parts, reading

st.html(html.title("Sources", "Where figures come from. Without them a roll-out holds: no figure is no zero."))


@st.fragment(run_every="3s")
def known() -> None:
    """Draw what changes by itself."""
    found = reading.read()
    st.html(html.headline(found.headline))
    if found.mistakes:
        st.html(shapes.mistakes(found.mistakes))
    st.html(html.section("Asked: Prometheus"))
    for source in found.sources:
        st.html(shapes.source(source))
    if not found.sources:
        st.html(html.nothing("No Prometheus is asked: CANARY_SOURCES names no file, or the file none."))
    st.html(html.section("Pushed: services"))
    if found.senders:
        st.html(shapes.senders(found.senders))
    else:
        st.html(html.nothing("Nobody has pushed anything in the last seven days."))


known()

sources, _ = reading.configured()
if sources:
    st.html(html.section("Try a query"))
    parts.try_it(sources)

parts.how_to_push()
parts.how_to_ask()

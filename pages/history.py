"""History: every event, who caused it and why, in a chain that shows if it was tampered with."""

import streamlit as st

from core.web import html, parts, reading
from core.web.views import history

st.html(
    html.title(
        "History",
        "Every change, its actor and its reason. Events are only ever added, and each one seals those before it.",
    )
)

count = reading.log_length()
st.html(html.seal(reading.verified(count)))

with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
    text = st.text_input(
        "Text", key="text", bind="query-params", icon=":material/search:", placeholder="in reasons", width=240
    )
    kinds = st.multiselect(
        "Kind", list(history.KINDS), key="kind", bind="query-params", placeholder="all kinds", width=280
    )
    actor = st.selectbox(
        "Actor", reading.actors(), index=None, key="actor", bind="query-params", placeholder="everybody", width=200
    )
    deployment = st.selectbox(
        "Deployment",
        [id_ for id_, _, _ in reading.names()],
        index=None,
        key="deployment",
        bind="query-params",
        placeholder="all",
        width=280,
    )

found = reading.log(deployment, tuple(kinds), actor, text)
pages = history.pages_of(len(found))

with st.container(horizontal=True, vertical_alignment="center"):
    st.markdown(f"**{history.counted(len(found), count)}**", width="stretch")
    parts.download_log(found, filtered=len(found) != count)

slot = st.container()
page = 1
if pages > 1:
    with st.container(horizontal_alignment="center"):
        page = st.pagination(pages, key="page", bind="query-params")
with slot:
    if found:
        st.html(html.events(history.rows(history.page_of(found, page)), several=deployment is None))
    else:
        st.html(html.nothing("No event passes the filter." if count else "Nothing has happened yet."))

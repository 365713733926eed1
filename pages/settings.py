"""Settings: what is set and where it comes from, to be read only; and whether all that is well, on demand."""

import streamlit as st

from core.web import html, reading
from core.web.views import settings

st.html(
    html.title(
        "Settings",
        "What this process runs with. Change it in the environment (CANARY_NAME) or in canary.toml, and start again.",
    )
)

with st.container(horizontal=True, vertical_alignment="center"):
    asked = st.button("Examine this installation", key="examine", icon=":material/stethoscope:")
    st.caption("The same as `canary doctor`; it changes nothing.")
if asked:
    with st.spinner("Looking at database, monitor, switch, sources, clock, sign-in ..."):
        st.session_state["examined"] = reading.examined()
if "examined" in st.session_state:
    found, when = st.session_state["examined"]
    st.html(html.opinion(*settings.opinion(found), when))
    st.html(html.findings(settings.finding_rows(found)))

only_set = st.toggle("Only what is set", key="set", bind="query-params", help="Leave out what is at its default.")
current, origins, anew, problem = reading.effective_settings()
if problem:
    st.warning(f"A process started now would not start: {problem}", icon=":material/warning:")
groups = settings.setting_rows(current, origins, anew, only_set=only_set)
for name, rows in groups.items():
    st.html(html.section(name))
    st.html(html.settings(rows))
if not groups:
    st.html(html.nothing("Everything is at its default."))

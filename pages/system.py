"""System: is the machinery well: monitor, clock, database, versions, rollback drills, settings."""

import streamlit as st

from core.web import figures, html, parts, reading
from core.web.palette import palette
from core.web.views import system

st.html(html.title("System", "What watches, what remembers, and how fast a rollback has been."))


@st.fragment(run_every="3s")
def machinery() -> None:
    """Draw what changes by itself."""
    lease, clock, wall = reading.monitor_lease()
    mark, monitor = system.monitor_facts(lease, wall, reading.settings().tick_s)
    switch_mark, switch = system.switch_facts(*reading.traffic_switch())
    cache_mark, cache = system.cache_facts(reading.learner_cache())
    with st.grid(2, min_column_width=300, gap="medium"):
        with st.container(gap="medium"):
            parts.facts("Monitor", monitor, mark)
            parts.facts("Traffic switch", switch, switch_mark)
            parts.facts("Clock", system.clock_facts(clock, wall))
        with st.container(gap="medium"):
            parts.facts("Database", reading.database())
            parts.facts("Learners' cohorts, remembered", cache, cache_mark)


machinery()

st.html(html.section("Rollback drills"))
drills = reading.all_drills()
if drills:
    drawing, told = figures.rollback_times(drills, palette(st.context.theme.type))
    if drawing["data"][0]["y"]:
        st.plotly_chart(drawing, config=figures.CONFIG, alt=told, key="drills")
    st.html(html.drills(system.drill_rows(drills)))
else:
    st.html(html.nothing("Nothing has been rolled back yet. Each rollback is measured and listed here."))

with st.grid(2, min_column_width=320, gap="medium"):
    parts.facts("Versions", system.version_facts())

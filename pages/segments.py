"""Segments: for whom is the new version better? Effects by level, whether levels differ, and what that suggests."""

import streamlit as st

from core.experiments import recommendations
from core.web import figures as charts
from core.web import html, parts
from core.web.experiments import html as shapes
from core.web.experiments import parts as pieces
from core.web.experiments import reading
from core.web.views import experiment, segments

theme = st.context.theme.type

parts.tell()
with st.container(horizontal=True, horizontal_alignment="right"):
    one = pieces.choose()
if one is None:
    pieces.empty_state()
    st.stop()

narrowed = pieces.filters(one)
found, _ = pieces.analysed(one, narrowed)
if said := html.banner(reading.notes(one)):
    st.html(said)
with st.container(horizontal=True, vertical_alignment="bottom"):
    metric = pieces.linked("Metric", [m.name for m in found.design.metrics], "metric", width=240)
    treatment = pieces.linked("Version", found.treatments, "version", width=240)
st.html(html.headline(experiment.headline(found, treatment)))
pieces.filter_bar(narrowed, found)
pieces.narrowed_note(narrowed)

if found.withheld:
    st.stop()
if not found.segments:
    st.html(html.nothing("No segment is left to show. Choose some where the experiment is set up, or widen the view."))
    st.stop()

suggested = recommendations(found, metric, treatment)
if suggested:
    st.html(html.section("What this suggests"))
    st.html(shapes.points(suggested))

st.html(html.section(f"{metric} by segment"))
drawing, told = reading.forest(found, metric, treatment, theme)
st.plotly_chart(
    drawing,
    config=charts.CONFIG,
    alt=told,
    key="forest",
    on_select=lambda: pieces.choose_point("forest"),
    selection_mode="points",
)
st.caption(segments.forest_note(found, metric, treatment))

st.html(html.section("Are levels alike?"))
st.html(shapes.spreads(segments.spreads(found, metric, treatment)))

st.html(html.section("All metrics"))
drawing, told = reading.heat(found, treatment, theme)
st.plotly_chart(
    drawing,
    config=charts.CONFIG,
    alt=told,
    key="heat",
    on_select=lambda: pieces.choose_point("heat"),
    selection_mode="points",
)
st.caption(segments.HEAT_NOTE)
pieces.download_segments(one, found)

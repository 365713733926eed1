"""Experiment: is the new version better? Effects with intervals, by day, and what makes them doubtful."""

import streamlit as st

from core.web import figures as charts
from core.web import html, parts
from core.web.experiments import html as shapes
from core.web.experiments import parts as pieces
from core.web.experiments import reading
from core.web.views import experiment

theme = st.context.theme.type

parts.tell()
with st.container(horizontal=True, horizontal_alignment="right"):
    one = pieces.choose()
if one is None:
    pieces.empty_state()
    st.stop()

found, data = pieces.analysed(one)
at = reading.stamp(one.question)
if said := html.banner(reading.notes(one)):
    st.html(said)
with st.container(horizontal=True, horizontal_alignment="right"):
    treatment = pieces.linked("Version", found.treatments, "version", width=240)
st.html(html.headline(experiment.headline(found, treatment)))
with st.container(horizontal=True, vertical_alignment="center"):
    pieces.segments_link(one, found)
    pieces.business_link(one, found)

if not found.withheld:
    st.html(html.section("Effects"))
    drawing = reading.effects(one.id, at, treatment, theme, found)
    if drawing is not None:
        st.plotly_chart(drawing[0], config=charts.CONFIG, alt=drawing[1], key="effects")
    st.html(shapes.effects(experiment.rows(found, treatment), found.design.control, treatment))
    if found.design.day is not None:
        st.html(html.section("Day by day"))
        metric = pieces.linked("Metric", [m.name for m in found.design.metrics], "metric", width=240)
        drawing = reading.course(one.id, at, metric, treatment, theme, found)
        if drawing is None:
            st.html(html.nothing("There is one day only."))
        else:
            st.plotly_chart(drawing[0], config=charts.CONFIG, alt=drawing[1], key="course")
            st.caption(experiment.course_note(found, metric, treatment))

if doubts := experiment.doubts(found):
    st.html(html.section("Doubts"))
    pieces.warnings(doubts)
st.html(html.section("This experiment"))
parts.facts("What was compared", experiment.facts(one, found, data.rows, data.rejected.rows))
pieces.downloads(one, found, data)

with st.expander("Compare other data", icon=":material/add:"):
    pieces.new_experiment()

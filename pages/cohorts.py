"""Cohorts: who the learners are, all of them on one map, and how the cohorts were found."""

import streamlit as st

from core.web import figures as charts
from core.web import html, parts
from core.web.learners import figures, reading
from core.web.learners import html as shapes
from core.web.learners import parts as pieces
from core.web.palette import palette
from core.web.views import cohorts, population, traits

theme = st.context.theme.type
colours = palette(theme)

parts.tell()
known = reading.all_runs()
pieces.job()

if not known:
    pieces.empty_state()
    st.stop()

with st.container(horizontal=True, horizontal_alignment="right"):
    run = pieces.choose_run(known)

everybody = reading.people(run)
st.html(html.headline(cohorts.summary(run)))
for note in cohorts.notes(run):
    st.warning(note, icon=":material/warning:")
st.html(shapes.cards(cohorts.cards(run, everybody), colours))

st.html(html.section("All learners"))
with st.container(horizontal=True, vertical_alignment="bottom", key="axes"):
    names = [trait.name for trait in traits.TRAITS]
    x = pieces.linked("Across", names, "x", traits.AXES[0], pieces.trait_label, width=240)
    y = pieces.linked("Up", names, "y", traits.AXES[1], pieces.trait_label, width=240)
    plane = reading.plane(run, x, y)
    pieces.box_numbers(plane)

drawing, told = reading.learner_map(run, x, y, theme)
map_, aside = st.columns([2.3, 1], gap="medium")
with map_:
    with st.container(key="mapframe"):
        st.html(reading.picture(run, x, y, theme))
        event = st.plotly_chart(
            drawing,
            config=figures.MAP_CONFIG,
            alt=told,
            key=f"map-{run.id}-{x}-{y}",
            on_select="rerun",
            selection_mode="box",
        )
    st.caption(population.caption(everybody, plane.x, plane.y, plane.drawn))
box = pieces.box_of(event, plane)
with aside:
    if box is None:
        st.html(html.nothing("Draw a box on the map to see who is in it: how many exactly, and how they differ."))
    else:
        pieces.selection(run, plane, box, colours)
if box is not None:
    pieces.sample(run, plane, box)

left, right = st.columns([1.4, 1], gap="large")
with left:
    st.html(html.section("A trait by cohort"))
    name = pieces.linked("Trait", names, "trait", "velocity", pieces.trait_label, width=240)
    drawing, told = reading.spread(run, name, theme)
    st.plotly_chart(drawing, config=charts.CONFIG, alt=told, key="spread")
    st.caption(cohorts.spread_note(name))
with right:
    st.html(html.section("Why so many cohorts"))
    found = cohorts.evidence(run)
    if found is None:
        st.html(html.nothing("There were too few different learners to try more than one number."))
    else:
        drawing, told = figures.evidence(found, colours)
        st.plotly_chart(drawing, config=charts.CONFIG, alt=told, key="evidence")
        st.caption(found.said)

st.html(html.section("This run"))
parts.facts("How it was found", cohorts.facts(run))
pieces.downloads(run)

with st.expander("Find cohorts in other events", icon=":material/add:"):
    pieces.new_run()

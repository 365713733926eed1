"""Learner: what one learner did, how they compare with their cohort, and why they are in it."""

import streamlit as st

from core.web import figures as charts
from core.web import html, parts
from core.web.learners import figures, reading
from core.web.learners import html as shapes
from core.web.learners import parts as pieces
from core.web.palette import palette
from core.web.views import learner as view

colours = palette(st.context.theme.type)
parts.tell()
known = reading.all_runs()
st.html(html.title("Learner", "One learner of a run: what they did, how they compare, why they are in their cohort."))

if not known:
    st.html(
        html.nothing(
            "No cohorts have been found yet. The Cohorts page does that; then each learner can be looked up here."
        )
    )
    pieces.to_cohorts("Find cohorts")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
    learner = st.text_input(
        "Learner's id", key="learner", bind="query-params", icon=":material/search:", max_chars=255, width=320
    ).strip()
    run = pieces.choose_run(known)

row = reading.row_of(run.id, learner) if learner else None
if row is None:
    pieces.learner_missing(run, learner)
    st.stop()

everybody = reading.people(run)
st.html(shapes.learner_head(view.head(run, row), colours))

pieces.to_cohorts("All learners of this run", run.id)

given = reading.versions(learner)
if given:
    st.html(html.section("Which version they get now"))
    st.html(html.pairs(given))

st.html(html.section("What they did"))
done = reading.activity(run.id, learner, run.model.constants.as_of)
if done is None:
    st.html(
        html.nothing("This run did not keep learners' events. Find cohorts anew with “Keep each learner's events”.")
    )
else:
    drawing, told = figures.activity(done, colours)
    st.plotly_chart(drawing, config=charts.CONFIG, alt=told, key="activity")
    st.caption(done.said)
    if done.scores:
        drawing, told = figures.scores(done, colours)
        st.plotly_chart(drawing, config=charts.CONFIG, alt=told, key="scores")

reason = view.why(run.model, row)
if reason is not None:
    st.html(html.section("Why this cohort"))
    st.html(shapes.why(reason, colours))

st.html(html.section("Traits against the cohort"))
st.html(shapes.strip_key())
st.html(shapes.strips(view.strips(everybody, row), shapes.cohort_colour(row["cohort"], colours)))

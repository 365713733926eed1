"""Business case: what the new version is worth, how that is computed, and what was reported."""

import streamlit as st

from core.experiments.business_case import METHOD, assumptions, beside, sentences
from core.web import figures as charts
from core.web import html, parts
from core.web.business import html as shapes
from core.web.business import parts as pieces
from core.web.business import reading
from core.web.views import business

theme = st.context.theme.type

parts.tell()
with st.container(horizontal=True, horizontal_alignment="right"):
    base = pieces.choose_case()
head = st.container()
left, right = st.columns([1.25, 1], gap="large")
with right:
    st.html(html.section("Inputs"))
    case = pieces.inputs(base)
    pieces.lift_from_experiment()
if case is None:
    with head:
        st.html(html.title(base.name, "Put the inputs right that are told beside them."))
    st.stop()

text = case.to_yaml()
outcome = reading.outcome(text, case)
with head:
    st.html(html.headline(business.summary(case, outcome)))
with left:
    st.html(html.section("Computed, beside what was reported" if case.reported else "Computed"))
    st.html(shapes.beside(beside(case, outcome), case.reported_by))
    pieces.keep(case, base, outcome)

st.html(html.section("How sure, and what moves it"))
measure = pieces.measure()
spread, tornado = reading.charts(text, measure, theme, case)
one, two = st.columns(2, gap="large")
with one:
    if spread is None:
        st.html(html.nothing("Every input is exact, or the figure is not defined. Give an input an interval."))
    else:
        st.plotly_chart(spread[0], config=charts.CONFIG, alt=spread[1], key="spread")
        st.caption(f"{METHOD}. Fainter bars lie outside the interval.")
with two:
    if tornado is None:
        st.html(html.nothing("Nothing moves this figure."))
    else:
        st.plotly_chart(tornado[0], config=charts.CONFIG, alt=tornado[1], key="tornado")
        st.caption(
            "One input at a time, all others as given. Full bars go from end to end of an input's interval; hatched "
            "ones are inputs given exactly, varied by 10 % either way to see what if."
        )

one, two = st.columns(2, gap="large")
with one:
    st.html(html.section("How it is computed"))
    st.html(shapes.points(sentences(case, outcome), ordered=True))
with two:
    st.html(html.section("What is supposed"))
    st.html(shapes.points(assumptions(case)))

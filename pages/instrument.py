"""Instrument: are the estimators good enough, before anything is measured with them? Or why not."""

import streamlit as st

from core.web import figures as charts
from core.web import html, parts
from core.web.experiments import parts as experiments
from core.web.experiments import reading as kept
from core.web.instrument import html as shapes
from core.web.instrument import parts as pieces
from core.web.instrument import reading
from core.web.views import instrument

theme = st.context.theme.type

parts.tell()
with st.container(horizontal=True, horizontal_alignment="right"):
    one = experiments.choose(one_version=True)
if one is None:
    st.html(
        html.title(
            "Instrument",
            "Checked on learners of an experiment or of one version: choose some first, or have some made up.",
        )
    )
    experiments.new_experiment(one_version=True)
    st.stop()

if said := html.banner(kept.notes(one)):
    st.html(said)
head = st.container()
how = pieces.asked(one)
found = pieces.checked(one, how)
with head:
    st.html(html.headline(instrument.headline(found)))
for note in found.notes:
    st.warning(f"{note}.", icon=":material/warning:")

st.html(html.section("What random halves say"))
st.html(shapes.metrics(instrument.rows(found)))
st.caption(
    "Every split puts learners into two halves by chance, so nothing can differ: what comes out significant is a false "
    "positive. Then an effect is planted into one half: how often is it found?"
)
if found.observed is not None:
    st.html(html.section("What the real arms say"))
    st.html(shapes.observed(instrument.observed(found)))

name = pieces.metric(found)
p_values, drifts, smallest = reading.charts(found, name, theme)
left, right = st.columns(2, gap="large")
with left:
    st.html(html.section("p-values"))
    st.plotly_chart(p_values[0], config=charts.CONFIG, alt=p_values[1], key="p-values")
    st.caption("Even where nothing differs. The band holds 95 of 100 bars by chance.")
    st.html(html.section("Smallest effects"))
    st.plotly_chart(smallest[0], config=charts.CONFIG, alt=smallest[1], key="smallest")
    st.caption("Seen with a power of 80 %, from how much the splits scatter.")
with right:
    st.html(html.section("Drift by segment"))
    st.plotly_chart(drifts[0], config=charts.CONFIG, alt=drifts[1], key="drifts")
    st.caption("Mean over all splits with its 90 % interval, which has to lie within the band; the largest first.")

st.html(html.section("Request counts"))
counts = pieces.requests()
pieces.download(one, found, counts)

with st.expander("Check on other data", icon=":material/add:"):
    experiments.new_experiment(one_version=True)

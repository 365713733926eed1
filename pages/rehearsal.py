"""Rehearsal: what an alarm would have caught, and how many healthy hours it would have stopped, on your own records."""

import streamlit as st

from core.web import figures, html, parts, rehearsing
from core.web.palette import palette
from core.web.views import trial as view

st.html(
    html.title(
        "Rehearsal",
        "Calibrated on the first half of a healthy record; tried on the second half, and on recorded faults.",
    )
)
parts.tell()
record = rehearsing.choose_record()
if record is None:
    st.html(
        html.nothing(
            "A CSV with a column ts, and any of requests, errors, availability_pct, latency_p95_ms, latency_p99_ms. "
            "docs/rehearsal.md says more; `canary calibrate` does the same in a terminal."
        )
    )
    st.stop()

choice = rehearsing.choose_rows(record)
found, why = rehearsing.trial(record, choice)
if found is None:
    st.error(f"Nothing can be calibrated: {why}.", icon=":material/rule:")
    st.stop()

told = view.trial_view(found, "12 samples")
st.html(html.trial(told))
left, right = st.columns([1, 1], gap="large")
with left:
    st.html(html.section("Caught against stopped, at every limit"))
    drawing, said = view.curve(found, palette(st.context.theme.type))
    st.plotly_chart(drawing, config=figures.CONFIG, alt=said, key="curve")
    st.caption("Up is better, right is worse. The line is what other limits of the same alarm would have done.")
with right:
    st.html(html.section("Everyday, in the first half"))
    st.html(html.everyday(told))
if told.faults:
    st.html(html.section("Fault by fault"))
    st.html(html.trial_faults(told))

"""Live: what is going on, whether it is well, and what can be done about it."""

import streamlit as st

from core.store import StoreUnavailable
from core.web import figures, html, parts, reading
from core.web.views import choices, live, pulse, rows, times

theme = st.context.theme.type
deployment = parts.shown()

parts.tell()

if deployment is None:
    parts.empty_state()
    st.stop()

first = reading.snapshot(deployment)
parts.remember(first.status)

with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
    parts.choose_deployment(deployment)
    paused = st.toggle(
        "Pause",
        key="paused",
        help="Stops this page from drawing itself anew, so that you can read or zoom. The monitor goes on.",
    )
every = None if paused else "2s"
# Of two fragments that fall due together one may be dropped; and drawing the chart is what costs most.
chart_every = None if paused else "4.7s"


@st.fragment(run_every=every)
def now() -> None:
    """Draw what changes by itself: the sentence, the pulse, the phases, the figures."""
    try:
        found = reading.snapshot(deployment)
        pictures = reading.sparklines(deployment, theme)
    except StoreUnavailable as error:
        st.error(
            f"The store can't be read: {error}. Rolling back from here may not work; `canary rollback` says more.",
            icon=":material/database_off:",
        )
        return
    status, speed = found.status, found.clock.speed
    parts.follow(status)
    beat = pulse.pulse(status, found.lease, found.newest, found.clock, found.wall, found.incidents)
    if paused:
        st.html(html.banner([f"Paused: this is how it was at {times.exact_time(found.now)}"]))
    if beat.alarms:
        st.html(html.alarms(beat))
    st.html(html.headline(live.headline(status, found.verdict, found.now, speed)))
    st.html(html.pulse(beat))
    st.html(html.stepper(live.steps(status, found.checkpoints, found.now, speed)))
    if coming := reading.outlook(deployment):
        st.html(html.note(coming))
    if found.drill is not None:
        st.html(html.stopwatch(choices.stopwatch(found.drill), real_time=speed == 1.0))
    if status.phase >= 0:
        st.html(html.section("Figures"))
        table = rows.figure_rows(status.plan, status.phase, found.verdict)
        st.html(html.figures(table, status.plan.candidate, status.plan.baseline, pictures))
        if compared := rows.guardrail_rows(status.plan, found.verdict):
            st.html(html.section("Against the baseline, at every look"))
            st.html(html.guardrails(compared, status.plan.candidate, status.plan.baseline))


now()

st.html(html.section("Actions"))
parts.action_grid(first.status, first.now)

if reading.settings().demo_url is not None:
    parts.faults()

if first.status.phase >= 0:
    st.html(html.section("Over time"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = [*reading.drawable(first.status.plan, first.status.phase), None]
        figure = st.selectbox("Figure", options, format_func=rows.figure_name, key="figure", width=320)
        whole = st.segmented_control(
            "Span", [False, True], format_func=rows.span_name, default=False, required=True, key="whole"
        )

    @st.fragment(run_every=chart_every)
    def over_time() -> None:
        """Draw the chart."""
        drawing, told = reading.chart(deployment, figure, bool(whole), theme)
        st.plotly_chart(drawing, config=figures.CONFIG, alt=told, key="over-time")
        st.caption(rows.chart_note(figure))

    over_time()

if first.status.state.ended:
    st.html(html.section("Next roll-out"))
    parts.plan_choice()

parts.roll_back_bar(first.status, first.now)
parts.dialog()

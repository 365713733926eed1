"""Pieces of the Cohorts and Learner pages that have widgets: choices in the address, starting and stopping runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.identity import Permission
from core.learners import FORMATS
from core.learners.job import Request
from core.learners.runs import CohortRun
from core.web import actions, html, signin
from core.web.actions import Told
from core.web.learners import html as shapes
from core.web.learners import jobs, reading
from core.web.palette import Palette
from core.web.reading import limits, settings, store
from core.web.sources import may_not_read
from core.web.views import cohorts, density
from core.web.views.density import Box, Density
from core.web.views.marks import Tone
from core.web.views.population import chosen
from core.web.views.times import precise
from core.web.views.traits import BY_NAME

_AUTO = "auto"
_WAYS = ("A path on the server", "Upload", "Database", "Made-up learners")
_UPLOAD_MB = 500
_MEASURED = frozenset(BY_NAME) - {"events"}


def linked(
    label: str, options: Sequence[str], key: str, default: str, say: Callable[[str], str] = str, **look: Any
) -> str:
    """Offer a choice that is in the address, so that it can be shared; return it."""
    wanted = st.query_params.get(key)
    now = wanted if wanted is not None and wanted in options else default
    st.session_state[f"choice-{key}"] = now
    st.selectbox(label, options, format_func=say, key=f"choice-{key}", on_change=_link, args=(key,), **look)
    return now


def _link(key: str) -> None:
    st.query_params[key] = st.session_state[f"choice-{key}"]


def choose_run(known: Sequence[CohortRun]) -> CohortRun:
    """Offer the runs there are; there must be one."""
    run = cohorts.wanted(known, st.query_params.get("run"))
    if len(known) > 1:
        labels = {one.id: cohorts.run_label(one) for one in known}
        linked("Run", list(labels), "run", run.id, labels.__getitem__, label_visibility="collapsed", width=420)
    if not reading.files(run.id).assignments.exists():
        st.error(f"The file with the learners of run {run.id} is gone from the home.", icon=":material/draft:")
        st.button("Forget this run", key="forget-gone", on_click=_forget, args=(run.id,))
        st.stop()
    return run


def trait_label(name: str) -> str:
    """Say what a trait is called in a list."""
    return BY_NAME[name].label


# --- The map ---------------------------------------------------------------------------------------------------------


def box_of(event: Any, plane: Density) -> Box | None:
    """Return the box that was drawn on the map, else the one that was set by numbers; None where there is neither."""
    drawn = event.selection.get("box", []) if event else []
    if drawn:
        x, y = drawn[-1]["x"], drawn[-1]["y"]
        return Box(min(x), max(x), min(y), max(y))
    return _box_by_numbers(plane)


def _box_by_numbers(plane: Density) -> Box | None:
    ends = []
    for axis, trait, span in (("x", plane.x, plane.x_span), ("y", plane.y, plane.y_span)):
        low, high = st.session_state.get(_number_key(axis, trait.name), (span.low, span.high))
        ends.append((float(low), float(high), (low, high) == (span.low, span.high)))
    (x0, x1, whole_x), (y0, y1, whole_y) = ends
    return None if whole_x and whole_y else Box(x0, x1, y0, y1)


def _number_key(axis: str, trait: str) -> str:
    return f"box-{axis}-{trait}"


def box_numbers(plane: Density) -> None:
    """Offer the box by numbers, for those without a mouse."""
    with st.popover("Choose by numbers", icon=":material/tune:"):
        for axis, trait, span in (("x", plane.x, plane.x_span), ("y", plane.y, plane.y_span)):
            st.slider(
                trait.title + (" (power of ten)" if trait.log else ""),
                min_value=span.low,
                max_value=span.high,
                value=(span.low, span.high),
                key=_number_key(axis, trait.name),
            )
        st.caption("A box drawn on the map comes first.")


def selection(run: CohortRun, plane: Density, box: Box, colours: Palette) -> None:
    """Say who is in a box: how many exactly, their mean traits, money and cohorts; offer them and a sample."""
    everybody = reading.people(run)
    inside = reading.inside(run, plane.x.name, plane.y.name, box)
    view = chosen(everybody, inside, plane.x, plane.y)
    st.html(shapes.chosen(view, colours))
    if view.learners:
        st.download_button(
            "Download these learners",
            data=lambda: reading.as_csv(reading.rows_of(run, inside.nonzero()[0])),
            file_name=f"learners-{run.id}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="download-chosen",
        )


def sample(run: CohortRun, plane: Density, box: Box) -> None:
    """List a random sample of those in a box, and say that it is one."""
    inside = reading.inside(run, plane.x.name, plane.y.name, box)
    number = int(inside.sum())
    if not number:
        return
    rows = density.sample_of(inside)
    some = len(rows) < number
    st.html(
        html.section(f"A random sample of {len(rows):,} of these {number:,}" if some else f"All {number:,} of them")
    )
    columns = tuple(dict.fromkeys((*reading.SAMPLE_COLUMNS, plane.x.name, plane.y.name)))
    table = reading.rows_of(run, rows, columns).to_pandas()
    table.insert(0, "page", [f"learner?run={run.id}&learner={_quoted(id_)}" for id_ in table["learner_id"]])
    st.dataframe(
        table,
        hide_index=True,
        height=320,
        key="sample",
        column_config={
            "page": st.column_config.LinkColumn("", display_text="open", width="small"),
            "learner_id": "Learner",
            "archetype": "Archetype",
            "events": "Events",
            **{n: st.column_config.NumberColumn(trait_label(n), format="%.3g") for n in columns if n in _MEASURED},
        },
    )


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


# --- Runs ------------------------------------------------------------------------------------------------------------


def job() -> None:
    """Draw the run that is under way on this server, whoever started it, and draw the page anew when it ends."""
    state = reading.jobs().state
    st.session_state["job-drawn"] = None if state is None else (state.number, state.running)
    if state is not None and not state.running:
        _job_ended(state)
    _job_now()


def _job_ended(state: jobs.JobState) -> None:
    """Say once to each browser what came of a run; what went wrong stays until it is dismissed."""
    if state.error and st.session_state.get("job-dismissed") != state.number:
        st.error(f"No cohorts of {state.name}: {state.error}", icon=":material/error:")
        st.button("Dismiss", key="job-dismiss", on_click=_dismiss, args=(state.number,))
    elif state.run and st.session_state.get("job-told") != state.number:
        st.session_state["job-told"] = state.number
        took = precise((state.ended or state.began) - state.began)
        if time.time() - (state.ended or 0.0) < 10:
            st.toast(f"Cohorts of {state.name} found in {took}.", icon=":material/groups:")


def _dismiss(number: int) -> None:
    st.session_state["job-dismissed"] = number


@st.fragment(run_every="1s")
def _job_now() -> None:
    state = reading.jobs().state
    now = None if state is None else (state.number, state.running)
    if now != st.session_state.get("job-drawn"):
        reading.refresh()
        st.rerun()
    if state is not None and state.running:
        with st.container(border=True, key="job"):
            st.html(shapes.job(state, time.time()))
            st.button(
                "Stop it", key="job-cancel", icon=":material/stop_circle:", on_click=_cancel, args=(state.number,)
            )


def _cancel(number: int) -> None:
    _keep(actions.refused(signin.person(), Permission.ANALYSE) or reading.jobs().cancel(number))


def _keep(told: Told) -> None:
    st.session_state["told"] = told
    reading.refresh()


def new_run() -> None:
    """Choose what to find cohorts in, and start."""
    way = st.segmented_control(
        "Where from", _WAYS, default=_WAYS[0], required=True, key="run-way", label_visibility="collapsed", wrap=True
    )
    source, name, query, made_up, upload = "", "", None, 0, None
    if way == _WAYS[0]:
        source = st.text_input(
            "File or folder", key="run-path", placeholder="/data/events.parquet", max_chars=1000,
            help="CSV, Parquet, JSON lines, xAPI, Caliper, edX or OULAD; the format is found by its content.",
        )  # fmt: skip
    elif way == _WAYS[1]:
        upload = st.file_uploader("Events", key="run-file", max_upload_size=_UPLOAD_MB)
        source = name = upload.name if upload is not None else ""
    elif way == _WAYS[2]:
        source = st.text_input(
            "Database", key="run-url", placeholder="postgresql+psycopg://user@host/database", max_chars=1000,
            help="An SQLAlchemy URL. A password in it is used and not kept.",
        )  # fmt: skip
        query = st.text_area("Query", key="run-query", placeholder="SELECT learner_id, ts, domain, skill FROM events")
    else:
        made_up = int(st.number_input("Learners", 200, 1_000_000, 20_000, 1_000, key="run-made-up"))
        st.caption("Made up with planted behaviours; everything found in them is labelled simulated.")
    with st.expander("More", icon=":material/tune:"), st.grid(3, min_column_width=200):
        weeks = st.number_input(
            "Weeks of events", 1, 520, 12, key="run-weeks", help="Older events are counted and ignored."
        )
        k = st.number_input("Cohorts (0: as the data say)", 0, 20, 0, key="run-k")
        format_ = st.selectbox("Format", (_AUTO, *FORMATS), key="run-format") if not made_up else _AUTO
        keep = st.toggle(
            "Keep each learner's events", True, key="run-keep", help="For the Learner page; a few bytes an event."
        )
        mapping = "" if made_up else st.text_area("Mapping (YAML)", key="run-mapping", placeholder="as the format says")
    # No callback, which would have what was typed when the page was last drawn, not what was typed since.
    if st.button(
        "Find cohorts", key="run-start", type="primary", icon=":material/groups:", disabled=not (source or made_up)
    ):
        _start(source, name, query, made_up, upload, int(weeks), int(k) or None, format_, keep, mapping)
        st.rerun()


def _start(
    source: str, name: str, query: str | None, made_up: int, upload: Any, weeks: int, k: int | None, format_: str,
    keep: bool, mapping: str,
) -> None:  # fmt: skip
    who = signin.person()
    if (refusal := actions.refused(who, Permission.ANALYSE, limits())) is not None:
        _keep(refusal)
        return
    if why := may_not_read(settings(), who, source.strip()):
        _keep(Told(Tone.BAD, f"Nothing was started: {why}."))
        return
    home, kept = store().home, None
    if upload is not None:
        try:
            kept = jobs.keep_upload(home, upload.name, upload.getbuffer())
        except OSError as error:
            _keep(Told(Tone.BAD, f"The file can't be kept in {home}: {error.strerror}."))
            return
        source = str(kept)
    request = Request(
        home=str(home), url=settings().url, source=source.strip(), name=name, query=query, format=format_,
        mapping=mapping, weeks=weeks, k=k, keep_events=keep, made_up=made_up,
    )  # fmt: skip
    _keep(reading.jobs().start(store(), request, kept))


def empty_state() -> None:
    """Draw what is to be seen before the first run: how to begin."""
    st.html(shapes.welcome())
    under_way = reading.jobs().state
    if under_way is None or not under_way.running:
        st.button(
            "Find the cohorts of 20,000 made-up learners",
            key="run-demo",
            type="primary",
            icon=":material/science:",
            on_click=_start,
            args=("", "", None, 20_000, None, 12, None, _AUTO, True, ""),
        )
        st.html(html.section("Or find those of your own"))
        new_run()


def downloads(run: CohortRun) -> None:
    """Offer a run's assignments and rejected rows, and to forget it."""
    at = reading.files(run.id)
    with st.container(horizontal=True):
        st.download_button(
            "Assignments, Parquet", data=lambda: at.assignments.read_bytes(), file_name=f"cohorts-{run.id}.parquet",
            mime="application/vnd.apache.parquet", icon=":material/download:", on_click="ignore",
            key="download-parquet",
        )  # fmt: skip
        st.download_button(
            "Assignments, CSV", data=lambda: reading.assignments_csv(run), file_name=f"cohorts-{run.id}.csv",
            mime="text/csv", icon=":material/download:", on_click="ignore", key="download-csv",
        )  # fmt: skip
        if at.rejected.exists():
            st.download_button(
                "Rejected rows, CSV", data=lambda: at.rejected.read_bytes(), file_name=f"rejected-{run.id}.csv",
                mime="text/csv", icon=":material/download:", on_click="ignore", key="download-rejected",
            )  # fmt: skip
        with st.popover("Forget this run", icon=":material/delete:"):
            st.write("Removes what was found and its files. The events it was found in stay where they are.")
            st.button("Forget it", key="forget-run", type="primary", on_click=_forget, args=(run.id,))


def _forget(run: str) -> None:
    reading.forget(run)
    if st.query_params.get("run") == run:
        del st.query_params["run"]


# --- One learner -----------------------------------------------------------------------------------------------------


def to_cohorts(label: str, run: str | None = None) -> None:
    """Offer the way to the Cohorts page, at a run."""
    query = None if run is None else {"run": run}
    st.page_link("../../pages/cohorts.py", label=label, icon=":material/groups:", query_params=query)


def learner_missing(run: CohortRun, text: str) -> None:
    """Say that there is no such learner, and offer some that there are."""
    alike = reading.alike(run, text) if text else []
    if text:
        st.warning(f"There is no learner “{text}” in run {run.id}.", icon=":material/person_off:")
    offered = alike or reading.alike(run, "")
    st.caption("Ids that begin so:" if alike else f"Some of the {run.found.learners:,} learners of this run:")
    with st.container(horizontal=True, key="alike"):
        for id_ in offered:
            st.button(id_, key=f"open-{id_}", on_click=_open_learner, args=(id_,))


def _open_learner(id_: str) -> None:
    st.session_state["learner"] = id_

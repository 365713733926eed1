"""Pieces of the Business case page that have widgets. The address holds every change, so that it can be shared."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import streamlit as st

from core.experiments import DataError, DeclarationError, DesignError
from core.experiments.business_case import (
    FIELDS,
    Case,
    CaseError,
    LiftError,
    Measure,
    Outcome,
    as_json,
    metrics_of,
    read_lift,
)
from core.web import signin
from core.web.actions import Told
from core.web.business import html as shapes
from core.web.business import reading
from core.web.experiments import reading as experiments
from core.web.views import business, experiment
from core.web.views.marks import Tone
from core.web.views.times import clock_time


def choose_case() -> Case:
    """Offer the cases there are; return the one the page began from."""
    known = reading.cases()
    wanted = st.query_params.get("case")
    name = wanted if wanted in known else next(iter(known))
    if wanted is not None and wanted not in known:
        st.warning(f"There is no case “{wanted}” here; this is “{name}”.", icon=":material/search_off:")
    if len(known) > 1:
        st.session_state["case-choice"] = name
        st.selectbox("Case", list(known), key="case-choice", on_change=_choose, label_visibility="collapsed", width=420)
    return known[name]


def _choose() -> None:
    st.query_params.from_dict({"case": st.session_state["case-choice"]})


def inputs(base: Case) -> Case | None:
    """Offer every input; return the case as it is now, None while it can't be used."""
    query = st.query_params.to_dict()
    try:
        case, problems = reading.with_link(base, query), {}
    except CaseError as error:
        case, problems = None, {problem.field: problem for problem in error.problems}
    with st.grid(2, min_column_width=190):
        for field in FIELDS:
            _input(field.name, field.label, query.get(field.name, base.texts[field.name]), base.texts[field.name],
                   f"{field.label}: {field.about}. {business.hint(field.unit)}")  # fmt: skip
        _input("currency", "Currency", query.get("currency", base.currency), base.currency, "Three letters.")
    if problems:
        st.html(shapes.wrong((p.file, p.value, p.expected) for p in problems.values()))
    if any(name in query for name in (*base.texts, "currency", "lift_source")):
        st.button("Undo all changes", key="undo", icon=":material/undo:", on_click=_reset)
    return case


def _input(name: str, label: str, text: str, base: str, help_: str) -> None:
    key = f"in-{name}"
    st.session_state[key] = text
    st.text_input(label, key=key, help=help_, max_chars=120, on_change=_changed, args=(name, base))


def _changed(name: str, base: str) -> None:
    text = st.session_state[f"in-{name}"].strip()
    st.query_params.pop(name, None)
    if text != base:
        st.query_params[name] = text
    if name == "lift":
        _forget_source()


def _forget_source() -> None:
    for name in reading.LINKED:
        st.query_params.pop(name, None)


def _reset() -> None:
    case = st.query_params.get("case")
    st.query_params.from_dict({} if case is None else {"case": case})


def lift_from_experiment() -> None:
    """Offer to take the lift from an experiment that is kept here, or from a file of its results."""
    with st.popover("Take the lift from an experiment", icon=":material/science:"):
        kept = {one.id: one for one in experiments.compared()}
        key = st.selectbox(
            "Kept here", list(kept), index=None, format_func=lambda id_: experiment.label(kept[id_]),
            placeholder="choose one" if kept else "none is", disabled=not kept, key="experiment-kept",
        )  # fmt: skip
        upload = st.file_uploader(
            "Or a result of `canary experiment --json`", type="json", key="experiment", max_upload_size=16
        )
        try:
            if upload is not None:
                _offer(upload.getvalue(), upload.name)
            elif key is not None:
                found, data = experiments.analysed(kept[key])
                _offer(experiments.as_json(kept[key], found, data).encode(), kept[key].name)
        except (LiftError, DataError, DesignError, DeclarationError, OSError) as error:
            st.error(f"{error}.", icon=":material/error:")


def _offer(raw: bytes, name: str) -> None:
    metric = st.selectbox("Metric", metrics_of(raw, name), key="experiment-metric")
    if st.button("Take it", key="experiment-take", type="primary"):
        _take(raw, metric, name)
        st.rerun()


def _take(raw: bytes, metric: str, name: str) -> None:
    try:
        lift = read_lift(raw, metric, name)
    except LiftError as error:
        st.session_state["told"] = Told(Tone.BAD, f"The lift can't be taken: {error}.")
        return
    _forget_source()
    st.query_params.update(business.lift_query(lift))
    st.session_state["told"] = Told(Tone.GOOD, f"The lift is that of {lift.source}.")


def measure() -> Measure:
    """Offer which figure the charts show."""
    wanted = st.query_params.get("measure", "")
    now = Measure(wanted) if wanted in set(Measure) else Measure.ANNUAL
    st.session_state["measure-choice"] = now
    st.segmented_control(
        "Figure", list(Measure), format_func=lambda m: m.label, key="measure-choice", required=True,
        on_change=_measure, label_visibility="collapsed", wrap=True,
    )  # fmt: skip
    return now


def _measure() -> None:
    st.query_params["measure"] = str(st.session_state["measure-choice"])


def keep(case: Case, base: Case, outcome: Outcome) -> None:
    """Offer to save the case, to share and to download it, and to remove it."""
    saved = reading.saved()
    with st.container(horizontal=True):
        with st.popover("Save", icon=":material/save:"):
            name = st.text_input("Name", case.name, key=f"save-name-{base.name}", max_chars=200)
            if name.strip() in saved:
                st.caption("Saves over what is there; History keeps that, too.")
            # No callback, which would have the name and the figures that the page was last drawn with.
            if st.button("Save it", key="save", type="primary"):
                _save(case, name)
                st.rerun()
        with st.popover("Share", icon=":material/link:"):
            st.write("Whoever opens this address sees this case, with every change in it:")
            st.code(_address(base, case), language=None, wrap_lines=True)
        st.download_button(
            "Inputs, YAML", case.to_yaml(), file_name="business-case.yaml", mime="application/yaml",
            icon=":material/download:", on_click="ignore", key="download-yaml",
        )  # fmt: skip
        st.download_button(
            "All figures, JSON", lambda: json.dumps(as_json(case, outcome), indent=2), file_name="business-case.json",
            mime="application/json", icon=":material/download:", on_click="ignore", key="download-json",
        )  # fmt: skip
        if base.name in saved:
            with st.popover("Remove", icon=":material/delete:"):
                st.write(f"Removes “{base.name}” from the list. History keeps what was saved.")
                st.button("Remove it", key="remove", type="primary", on_click=_remove, args=(base.name,))
    if base.name in saved:
        st.caption(f"“{base.name}” was last saved {clock_time(saved[base.name].at)} by {saved[base.name].by}.")


def _address(base: Case, case: Case) -> str:
    query = {"case": base.name, **business.changed(case, base)}
    query |= {
        name: st.query_params[name] for name in ("currency", "measure", *reading.LINKED) if name in st.query_params
    }
    return f"{(st.context.url or '/business-case').split('?')[0]}?{urlencode(query)}"


def _save(case: Case, name: str) -> None:
    told = reading.save(signin.person(), case, name)
    st.session_state["told"] = told
    if told.ok:
        st.query_params.from_dict({"case": " ".join(name.split())})


def _remove(name: str) -> None:
    st.session_state["told"] = reading.remove(signin.person(), name)
    st.query_params.from_dict({})

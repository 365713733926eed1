"""Pieces of the Instrument page that have widgets. The address holds what is chosen, to be shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.experiments import DataError, DeclarationError, DesignError, SavedExperiment, percent
from core.experiments.instrument import Instrument, RequestCheck, request_sentences
from core.web.instrument import html as shapes
from core.web.instrument import reading
from core.web.instrument.reading import Asked
from core.web.reading import deployment_names
from core.web.views import instrument

_ALL = "all learners"


def asked(one: SavedExperiment) -> Asked:
    """Offer how to check; all of it is in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        splits = _linked("Splits", instrument.SPLITS, "splits", 1000, lambda n: f"{n:,}")
        target = _linked("Effect to be seen", instrument.EFFECTS, "effect", 0.02, percent)
        if not one.question.variant:
            return Asked(splits, target, "", same=False)
        whose = _linked("Learners", (_ALL, one.question.control), "of", _ALL, lambda w: w if w == _ALL else f"{w} only")
        st.session_state["same-choice"] = st.query_params.get("same") == "1"
        same = st.toggle(
            "Both versions were the same", key="same-choice", on_change=_same,
            help="An A/A experiment: what differs between its arms is the instrument's own error.",
        )  # fmt: skip
    return Asked(splits, target, "" if whose == _ALL else whose, bool(same))


def _linked(label: str, options: Sequence[Any], key: str, default: Any, say: Callable[[Any], str]) -> Any:
    wanted = st.query_params.get(key)
    now = next((option for option in options if str(option) == wanted), default)
    st.session_state[f"choice-{key}"] = now
    st.selectbox(label, options, format_func=say, key=f"choice-{key}", on_change=_link, args=(key,), width=180)
    return now


def _link(key: str) -> None:
    st.query_params[key] = str(st.session_state[f"choice-{key}"])


def _same() -> None:
    st.query_params.pop("same", None)
    if st.session_state["same-choice"]:
        st.query_params["same"] = "1"


def checked(one: SavedExperiment, how: Asked) -> Instrument:
    """Return the check; where there can be none, say why and end the page."""
    try:
        return reading.check(one, how)
    except (DataError, DesignError, DeclarationError, OSError) as error:
        st.error(f"“{one.name}” can't be checked: {error}.", icon=":material/draft:")
        st.stop()


def metric(found: Instrument) -> str:
    """Offer which metric the charts show."""
    names = [check.metric.name for check in found.checks]
    return str(_linked("Metric", names, "metric", names[0], str))


def requests() -> RequestCheck | None:
    """Offer a deployment, and say whether its recorded request counts vary more than chance."""
    known = dict(deployment_names())
    if not known:
        st.caption("No deployment has been recorded yet; once one has, its request counts are checked here.")
        return None
    chosen = str(_linked("Deployment", list(known), "deployment", next(iter(known)), known.__getitem__))
    found = reading.requests(chosen)
    if found is not None:
        st.html(shapes.sentences(request_sentences(found)))
    return found


def download(one: SavedExperiment, found: Instrument, counts: RequestCheck | None) -> None:
    """Offer all figures."""
    st.download_button(
        "All figures, JSON", lambda: reading.document(one, found, counts), file_name=f"instrument-{one.id}.json",
        mime="application/json", icon=":material/download:", on_click="ignore", key="download-json",
    )  # fmt: skip

"""Pieces of the Sources page that have widgets: trying a query, and what to do where nothing comes yet."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.metrics import PrometheusSource
from core.web import signin
from core.web.intake import html, reading
from core.web.intake.trying import Tried, try_query
from core.web.reading import limits
from core.web.views import intake

EXAMPLE = Path(__file__).resolve().parents[3] / "data" / "sources" / "example.yaml"
_OWN = "a query of your own"
_PUSH = """\
from canary_client import AsgiMiddleware, Reporter
from canary_client.openfeature import VersionHook

api.add_hooks([VersionHook("analyzer")])
reporter = Reporter("http://127.0.0.1:8501", os.environ["PUSH"], "analyzer", versions=["original", "fast"])
app = AsgiMiddleware(app, reporter)
"""


def try_it(sources: tuple[PrometheusSource, ...]) -> None:
    """Offer to ask a source something now; the result stays until the next try."""
    by_name = {source.name: source for source in sources}
    with st.container(horizontal=True, vertical_alignment="bottom", key="try-what"):
        source = by_name[st.selectbox("Source", list(by_name), key="try-source", width=220)]
        queries = {figure.figure: figure for figure in source.figures}
        chosen = st.selectbox("Query", [*queries, _OWN], key="try-figure", width=260)
        known = reading.versions(source.flag) or tuple(source.versions)
        st.selectbox("Version", known, key="try-version", width=220, accept_new_options=True)
    text = queries[chosen].query if chosen in queries else ""
    key = f"try-text-{source.name}-{chosen}"
    query = st.text_area("PromQL", value=text, key=key, height=90)
    if chosen in queries:
        st.caption(f"Line {queries[chosen].line} of the file; {intake.how(queries[chosen])}.")
    st.button(
        "Try it",
        icon=":material/play_arrow:",
        key="try",
        disabled=not query.strip(),
        on_click=_try,
        args=(source, key),
    )
    result: Tried | None = st.session_state.get("tried")
    if result is not None:
        st.html(html.tried(result))


def _try(source: PrometheusSource, key: str) -> None:
    # As they stand now: a click takes along what was typed last, of which no page has been drawn yet.
    query, version = st.session_state[key], st.session_state["try-version"] or ""
    span_s = reading.span_s(source.flag)
    st.session_state["tried"] = try_query(source, signin.person(), query, version, span_s, limits())


def how_to_push() -> None:
    """Say how figures get here from a service."""
    with st.expander("Push from a service: three lines", icon=":material/upload:"):
        st.code(_PUSH, language="python")
        st.caption("`pip install ./canary_client`; the document docs/push.md has the rest, and every other language.")


def how_to_ask() -> None:
    """Say how to name a Prometheus."""
    with st.expander("Ask a Prometheus: a sources file", icon=":material/query_stats:"):
        st.code(EXAMPLE.read_text(encoding="utf-8"), language="yaml")
        st.caption(
            "Set CANARY_SOURCES to your copy; `canary sources check FILE` tries it. docs/prometheus.md has the rest."
        )

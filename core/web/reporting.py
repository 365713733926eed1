"""Reports of a deployment, made at the click from its events, for the pages to offer."""

from __future__ import annotations

import streamlit as st

from core.delivery import PlanError
from core.oncall import RosterError, duty_of
from core.reports import KINDS, UnknownDeployment, as_html, as_markdown, build, read_facts
from core.store import StoreUnavailable
from core.web import reading
from core.web.views.says import capital

_FORMATS = {"HTML": ("html", "text/html"), "Markdown": ("md", "text/markdown")}


def offer(deployment: str) -> None:
    """Offer every report of a deployment as a download: one file that needs nothing else."""
    with st.popover("Reports", icon=":material/description:"):
        kind = st.selectbox("Report", list(KINDS), format_func=lambda name: KINDS[name].title, key="report")
        st.caption(f"{capital(KINDS[kind].about)}.")
        form = st.segmented_control("As", list(_FORMATS), default="HTML", required=True, key="report-form")
        ending, mime = _FORMATS[form]
        st.download_button(
            "Download",
            data=lambda: document(deployment, kind, html=ending == "html"),
            file_name=f"{kind}-{deployment}.{ending}",
            mime=mime,
            icon=":material/download:",
            type="primary",
            on_click="ignore",
            key="report-download",
            help="`canary report` writes the same bytes, also from an exported log.",
        )


def document(deployment: str, kind: str, *, html: bool) -> str:
    """Return a report's text; a sentence where there is nothing to report on."""
    try:
        with reading.store().read() as connection:
            found = read_facts(connection, deployment, duty_of(reading.settings().roster))
        made = build(kind, found)
    except (UnknownDeployment, PlanError, RosterError, StoreUnavailable) as error:
        return f"No report: {error}\n"
    return as_html(made) if html else as_markdown(made)

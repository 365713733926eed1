"""What is round every page: navigation, colours, and the notice that says which figures are simulated."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.delivery.words import percent
from core.identity import Permission, why_not
from core.store import StoreUnavailable
from core.web import html, parts, reading, signin, signin_parts
from core.web.navigation import NAVIGATION, Entry
from core.web.palette import palette

HERE = Path(__file__).resolve().parent
PAGES = HERE.parents[1] / "pages"

UNWRITTEN = (
    "Figures that are sent and decisions of the monitor are not recorded, so none is made; flags go on as they are. "
    "Taking learners off the candidate works while some room is kept for it. See Settings, or canary doctor."
)

logger = logging.getLogger(__name__)

_OWN_DATA = frozenset(entry.title for entries in NAVIGATION.values() for entry in entries if entry.own_data)


def notices() -> list[str]:
    """Return what has to be known about the figures of the deployment that is shown."""
    deployment = parts.shown()
    if deployment is None:
        return []
    found = reading.snapshot(deployment)
    plan, speed = found.status.plan, found.clock.speed
    said = [f"Simulated: {plan.simulated}"] if plan.simulated else []
    if speed != 1.0:
        said.append(f"the plan's clock runs {speed:g} × as fast as yours")
    if reading.settings().demo_url is not None:
        said.append("canary learners are asked for more often than their share")
    deciding = reading.deliveries().deciding(plan.flag)
    if deciding is not None and deciding.id != deployment and deciding.share > 0:
        said.append(
            f"another deployment decides now: {deciding.id} gives {deciding.plan.candidate} to "
            f"{percent(deciding.share)} of the learners"
        )
    return said


def _page(entry: Entry) -> StreamlitPage:
    first = entry is NAVIGATION[""][0]
    return st.Page(
        PAGES / f"{entry.name}.py",
        title=entry.title,
        icon=f":material/{entry.icon}:",
        url_path=None if first else entry.path,
        default=first,
        help=entry.help,
    )


def main() -> None:
    """Draw the frame and run the page."""
    st.set_page_config(
        page_title="cohort-canary",
        page_icon=str(HERE / "favicon.svg"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    here = signin.visitor()
    refusal = why_not(here.person, Permission.LOOK, time.time())
    pages = {group: [_page(entry) for entry in entries] for group, entries in NAVIGATION.items()}
    page = st.navigation(
        pages,
        position="hidden" if refusal else "top",
    )
    st.html(html.style(palette(st.context.theme.type)))
    if refusal:
        signin_parts.welcome(here, refusal)
        return
    if not here.person.local:
        signin_parts.badge(here.person)
    try:
        if (trouble := reading.store().trouble) is not None:
            st.html(html.alarm(f"The database can't be written ({trouble}). {UNWRITTEN}", "hard_drive"))
        if page.title not in _OWN_DATA and (said := html.banner(notices())):
            st.html(said)
        page.run()
    except StoreUnavailable as error:
        logger.error("a page could not read the store: %s", error)
        st.error(
            f"The store can't be read: {error}. Flags are served at the last state known; reload to try again.",
            icon=":material/database_off:",
        )


main()

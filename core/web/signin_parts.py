"""Pieces that have to do with signing in: the page of those who are not, and who one is for those who are."""

from __future__ import annotations

import streamlit as st

from core.identity import Person
from core.web import reading
from core.web.signin import Visitor


def welcome(here: Visitor, refusal: str) -> None:
    """Draw what somebody sees who may not look: how to sign in, or what keeps them out and who can mend it."""
    settings = reading.settings()
    outer = st.container(horizontal_alignment="center")
    with outer.container(key="sign-in", gap="medium", width=480, border=True):
        st.markdown("## cohort-canary")
        if here.trouble:
            st.warning(f"{here.trouble[0].upper()}{here.trouble[1:]}.", icon=":material/lock:")
        elif here.person.id:
            st.warning(f"{refusal[0].upper()}{refusal[1:]}.", icon=":material/lock:")
        else:
            st.markdown("Roll-outs, experiments and cohorts are for people who work here. Sign in to look.")
        if settings.sign_in and (not here.person.id or here.person.expires is not None):
            again = here.person.id or here.trouble
            st.button(
                "Sign in again" if again else "Sign in",
                key="sign-in-button",
                type="primary",
                icon=":material/login:",
                on_click=st.login,
                width="stretch",
            )
        if here.person.id:
            st.button("Sign out", key="sign-out-button", icon=":material/logout:", on_click=st.logout, width="stretch")


def badge(who: Person) -> None:
    """Draw who is signed in, as what, and the way out; in the sidebar, out of the pages' way."""
    with st.sidebar:
        st.markdown(f"**{_plain(who.name)}**")
        st.caption(", ".join(sorted(role.value for role in who.roles)) or "no role")
        if who.seats:
            st.caption(f"Signs off for {', '.join(sorted(who.seats))}")
        st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=st.logout, width="stretch")


def _plain(text: str) -> str:
    """Return text in which nothing is Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|~:$" else c for c in text)

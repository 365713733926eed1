"""Pieces of the Sign-off page that have widgets: deciding in one's seat, and taking it back."""

from __future__ import annotations

import time

import streamlit as st

from core.delivery import GO, NO_GO, SignOffRefused, Unknown, asked_of, sign, withdraw
from core.identity import Permission, why_not
from core.store import StoreUnavailable
from core.web import actions, parts, reading, signin
from core.web.actions import Told
from core.web.reading import SignOffFound
from core.web.views.marks import Tone
from core.web.views.signoff import GateView

_DRAWN = "gate drawn for"
_MAX = 1000


def remember(found: SignOffFound) -> None:
    """Note what the page is drawn for."""
    st.session_state[_DRAWN] = _seen(found)


def follow(found: SignOffFound) -> None:
    """Draw the page anew where what it was drawn for has changed, but not from under somebody who is writing."""
    if st.session_state.get(_DRAWN) != _seen(found) and not st.session_state.get("comment"):
        st.rerun()


def _seen(found: SignOffFound) -> tuple[object, ...]:
    return found.status.id, found.status.revision, [(d.id, d.withdrawn) for d in found.decisions]


def decide(found: SignOffFound, gate: GateView) -> None:
    """Offer a decision to who holds a seat that is asked for, or say why there is none to make."""
    who, asked = signin.person(), asked_of(found.status)
    decided = next((d for d in found.decisions if d.person == who.id and d.stands_at(gate.gate)), None)
    if decided is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"You said **{decided.decision}** for {decided.seat}.", width="content")
            st.button("Withdraw", key="withdraw", icon=":material/undo:", on_click=_withdraw, args=(found.status.id,))
        return
    mine = [seat for seat in (asked.seats if asked is not None else ()) if seat in who.seats]
    if not mine:
        holds = f"You hold {', '.join(sorted(who.seats))}" if who.seats else "You hold no seat"
        st.caption(f"{holds}. The file of people gives seats (docs/sign-in.md); `canary approve` asks for the same.")
        return
    refusal = why_not(who, Permission.SIGN_OFF, time.time())
    with st.container(border=True, key="decide"):
        st.segmented_control("Your seat", mine, default=mine[0], required=True, key="seat")
        st.text_input("Comment", key="comment", max_chars=_MAX, placeholder="Why. It stands on the sign-off sheet.")
        with st.container(horizontal=True):
            for decision, icon in ((GO, "how_to_reg"), (NO_GO, "do_not_disturb_on")):
                st.button(
                    decision.capitalize(),
                    key=f"say-{decision}",
                    icon=f":material/{icon}:",
                    type="primary" if decision == GO else "secondary",
                    disabled=bool(refusal),
                    on_click=_sign,
                    args=(found.status.id, decision, gate.gate),
                )
        st.caption(f"Not now: {refusal}." if refusal else f"Bound to what is shown above: gate {gate.gate[:12]}…")


def _sign(deployment: str, decision: str, gate: str) -> None:
    """Sign for the seat as it is chosen now, and what was seen: the gate as it was drawn."""
    who, seat = signin.person(), str(st.session_state["seat"])
    refusal = actions.refused(who, Permission.SIGN_OFF, reading.limits())
    if refusal is not None:
        parts.keep(refusal)
        return
    try:
        sign(
            reading.store(),
            deployment,
            person=who.id,
            seats=who.seats,
            decision=decision,
            comment=str(st.session_state.get("comment", "")),
            actor=who.actor,
            seat=seat,
            gate=gate,
        )
    except (SignOffRefused, Unknown, StoreUnavailable) as error:
        parts.keep(Told(Tone.WATCH, f"Nothing was signed: {error}."))
        return
    st.session_state["comment"] = ""
    parts.keep(Told(Tone.GOOD, f"You said {decision} for {seat}.", deployment))


def _withdraw(deployment: str) -> None:
    who = signin.person()
    told = actions.refused(who, Permission.SIGN_OFF, reading.limits())
    if told is None:
        try:
            withdraw(reading.store(), deployment, person=who.id, actor=who.actor, reason="withdrawn on the page")
            told = Told(Tone.GOOD, "Your decision is withdrawn.", deployment)
        except (SignOffRefused, Unknown, StoreUnavailable) as error:
            told = Told(Tone.WATCH, f"Nothing was withdrawn: {error}.")
    parts.keep(told)

"""Pieces of pages that have widgets: actions and their dialog, choosing a plan, the demo's faults."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import streamlit as st

from core.delivery import Action, Plan, Status
from core.identity import Permission, why_not
from core.store import Event
from core.web import actions, html, reading, signin
from core.web.actions import Told
from core.web.views import choices, history, plans
from core.web.views.choices import ActionChoice
from core.web.views.marks import Mark, Tone

ROLL_BACK_KEY = "Ctrl+Backspace"
"""Keyboard shortcut that opens the rollback dialog."""
PLANS = Path(__file__).resolve().parents[2] / "data" / "plans"
DEMO_PLAN = PLANS / "demo.yaml"
_ASKED = frozenset({Action.ROLL_BACK, Action.ABORT, Action.ADVANCE, Action.RETRY, Action.RESUME})
_HEALTHY = "healthy"
_GRID = (Action.START, Action.ADVANCE, Action.HOLD, Action.RESUME, Action.RETRY, Action.ABORT)
_ICONS = {
    Tone.GOOD: ":material/check_circle:",
    Tone.WATCH: ":material/info:",
    Tone.BAD: ":material/error:",
    Tone.CALM: ":material/info:",
}


def tell() -> None:
    """Say what came of the last click: a toast where it worked, a message that stays where it didn't."""
    told: Told | None = st.session_state.pop("told", None)
    if told is not None and told.ok:
        st.toast(told.text, icon=_ICONS[told.tone])
        st.session_state.pop("complaint", None)
    elif told is not None:
        st.session_state["complaint"] = told
    complaint: Told | None = st.session_state.get("complaint")
    if complaint is not None:
        (st.error if complaint.tone is Tone.BAD else st.warning)(complaint.text, icon=_ICONS[complaint.tone])


def keep(told: Told) -> None:
    """Keep what came of a click for the next run of the page to say."""
    st.session_state["told"] = told
    st.session_state.pop("asking", None)
    # What was just read is out of date by one's own doing: the next run must not show it.
    reading.forget()


def remember(status: Status) -> None:
    """Note what the whole page was drawn for."""
    st.session_state["drawn_for"] = (status.id, status.revision)


def follow(status: Status) -> None:
    """Draw the whole page anew when the deployment has changed since, but never under an open dialog."""
    if "asking" not in st.session_state and st.session_state.get("drawn_for") != (status.id, status.revision):
        st.rerun()


def shown() -> str | None:
    """Return the id of the deployment that the page shows: that of the address, else the one of a moment ago."""
    deployment = reading.shown(st.query_params.get("deployment"), st.session_state.get("shown"))
    st.session_state["shown"] = deployment
    return deployment


def choose_deployment(shown_: str) -> None:
    """Offer the deployments there are; the choice is in the address, so that it can be shared."""
    known = dict(reading.deployment_names())
    if len(known) > 1:
        st.session_state["choice"] = shown_
        st.selectbox(
            "Deployment",
            list(known),
            format_func=known.__getitem__,
            key="choice",
            on_change=_choose,
            label_visibility="collapsed",
            width=330,
        )


def _choose() -> None:
    st.query_params["deployment"] = st.session_state["choice"]


def roll_back_bar(status: Status, now: float) -> None:
    """Pin the rollback to the bottom of the page, where it is found half asleep; asks before it acts."""
    choice = _offered(status, now)[Action.ROLL_BACK]
    with (
        st.bottom,
        st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", key="rollback-bar"),
    ):
        st.caption(f"No rollback now: {choice.refusal}." if choice.refusal else choice.does)
        st.button(
            choice.label,
            key="rollback",
            icon=f":material/{choice.icon}:",
            disabled=bool(choice.refusal),
            type="primary",
            shortcut=ROLL_BACK_KEY,
            on_click=_ask,
            args=(status.id, Action.ROLL_BACK),
        )


def _offered(status: Status, now: float) -> dict[Action, ActionChoice]:
    """Return every button, those that the visitor may not press with the reason why."""
    who, wall = signin.person(), time.time()
    return {
        action: replace(choice, refusal=choice.refusal or why_not(who, actions.permission(action), wall))
        for action, choice in choices.choices(status, now).items()
    }


def _action_button(choice: ActionChoice, status: Status) -> None:
    asks = choice.action in _ASKED
    st.button(
        choice.label,
        key=f"do-{choice.action}",
        icon=f":material/{choice.icon}:",
        disabled=bool(choice.refusal),
        type="primary" if choice.action is Action.START and not choice.refusal else "secondary",
        width="stretch",
        on_click=_ask if asks else _do,
        args=(status.id, choice.action) if asks else (status.id, choice.action, status.revision),
    )


def action_grid(status: Status, now: float) -> None:
    """Draw every action but the rollback, each with what it does or why it can't be done now."""
    offered = _offered(status, now)
    with st.grid(3, min_column_width=240, gap="medium"):
        for action in _GRID:
            with st.container(gap="xsmall", key=f"action-{action}"):
                _action_button(offered[action], status)
                st.caption(f"Not now: {offered[action].refusal}." if offered[action].refusal else offered[action].does)


@dataclass(frozen=True, slots=True)
class _Question:
    """An action that a dialog asks about; each click asks anew, so closing one dialog can't close the next."""

    deployment: str
    action: Action
    number: int


def _ask(deployment: str, action: Action) -> None:
    number = st.session_state.get("asked", 0) + 1
    st.session_state["asked"] = number
    st.session_state["asking"] = _Question(deployment, action, number)


def _do(deployment: str, action: Action, revision: int, reason_key: str = "", extend_key: str = "") -> None:
    reason = str(st.session_state.get(reason_key, "")) if reason_key else ""
    extend_s = 60.0 * float(st.session_state.get(extend_key) or 0) if extend_key else 0.0
    who, limits = signin.person(), reading.limits()
    keep(
        actions.act(
            reading.deliveries(), who, deployment, action, reason, revision=revision, extend_s=extend_s, limits=limits
        )
    )


def _stop_asking(question: _Question) -> None:
    if st.session_state.get("asking") == question:
        del st.session_state["asking"]


_TITLES = {
    Action.ROLL_BACK: "Roll back?",
    Action.ABORT: "Abort?",
    Action.ADVANCE: "Advance?",
    Action.RETRY: "Start again?",
    Action.RESUME: "Resume?",
}
_CONFIRM = {
    Action.ROLL_BACK: "Roll back now",
    Action.ABORT: "Abort now",
    Action.ADVANCE: "Advance now",
    Action.RETRY: "Start again",
    Action.RESUME: "Resume",
}


def dialog() -> None:
    """Open the dialog of the action that was asked for, if one was. Call it last on the page."""
    question: _Question | None = st.session_state.get("asking")
    if question is not None:
        ask = st.dialog(_TITLES[question.action], on_dismiss=partial(_stop_asking, question))
        ask(_dialog_body)(question.deployment, question.action)


def _dialog_body(deployment: str, action: Action) -> None:
    if "asking" not in st.session_state:
        st.rerun()
    status = reading.snapshot(deployment).status
    plan = status.plan
    st.html(
        html.pairs(
            [
                ("From", choices.mix(plan, status.share)),
                ("To", choices.mix(plan, choices.share_after(status, action))),
                ("Learners affected", choices.affected(status, action, reading.learners_seen(deployment))),
            ]
        )
    )
    harm = action in {Action.ROLL_BACK, Action.ABORT}
    with st.form(f"form-{action}", border=False):
        if action is Action.RESUME:
            st.number_input(
                "Extend the phase by (minutes of plan time)",
                min_value=0,
                max_value=100_000,
                value=0,
                step=15,
                key="extend",
            )
        st.text_input("Reason", key="reason", max_chars=500, placeholder="For the event log. May stay empty.")
        st.form_submit_button(
            _CONFIRM[action],
            key="confirm-harm" if harm else "confirm",
            type="primary",
            width="stretch",
            on_click=_do,
            args=(deployment, action, status.revision, "reason", "extend" if action is Action.RESUME else ""),
        )


def empty_state() -> None:
    """Draw what is to be seen before the first deployment: how to begin."""
    demo = reading.settings().demo_url is not None
    with st.container(key="empty", gap="medium"):
        st.html(html.welcome(demo=demo))
        if demo:
            st.button(
                "Start the demo's canary",
                key="start-demo",
                type="primary",
                disabled=bool(_may_not_advance()),
                icon=":material/play_arrow:",
                on_click=_start_demo,
            )
        st.html(html.section("Or choose a plan of your own" if demo else "Choose a plan"))
        plan_choice()
    _wait_for_first()


@st.fragment(run_every="2s")
def _wait_for_first() -> None:
    """Leave the empty state as soon as somebody else, or the command line, has deployed something."""
    if reading.shown(None) is not None:
        st.rerun()


def _start_demo() -> None:
    checked = actions.check(DEMO_PLAN.read_text(), DEMO_PLAN.name)
    if checked.plan is None:
        keep(Told(Tone.BAD, "The demo's plan has mistakes: check data/plans/demo.yaml."))
    else:
        keep(actions.deploy(reading.deliveries(), signin.person(), checked.plan, start=True))


def plan_choice() -> None:
    """Choose a plan from the shelf, a file or pasted text; check it; make a deployment of it."""
    way = st.segmented_control(
        "Where from",
        ["From the shelf", "Upload", "Paste"],
        default="From the shelf",
        required=True,
        key="plan-way",
        label_visibility="collapsed",
    )
    text, name = "", "plan.yaml"
    if way == "From the shelf":
        shelf = sorted(PLANS.glob("*.yaml"))
        first = next((i for i, p in enumerate(shelf) if p == DEMO_PLAN and reading.settings().demo_url), 0)
        path = st.selectbox("Plan", shelf, first, format_func=lambda p: p.name, key="plan-shelf", width=420)
        if path is not None:
            text, name = path.read_text(), path.name
    elif way == "Upload":
        file = st.file_uploader("Plan", type=["yaml", "yml"], key="plan-file", max_upload_size=1)
        if file is not None:
            text, name = file.getvalue().decode("utf-8", "replace"), file.name
    else:
        text = st.text_area(
            "Plan, as YAML", height=280, key="plan-text", placeholder="name: my-analyzer\nflag: analyzer\n…"
        )
    if text.strip():
        _checked(text, name)


def _checked(text: str, name: str) -> None:
    checked = actions.check(text, name)
    if checked.plan is None:
        st.error(
            f"{name} has {len(checked.problems)} mistakes; nothing can be started from it.", icon=":material/rule:"
        )
        st.html(html.problems(checked.problems))
        return
    plan = checked.plan
    columns = st.columns(2)
    requests = columns[0].number_input(
        "Traffic of the whole service, requests/s", min_value=0.01, value=150.0, key="plan-traffic"
    )
    learners = columns[1].number_input(
        "Learners of the whole service", min_value=1, value=500_000, step=1000, key="plan-learners"
    )
    view = plans.told(plan, float(requests), int(learners))
    st.html(html.plan(view))
    if refusal := _may_not_advance():
        st.caption(f"Not now: {refusal}.")
    st.button(
        "Deploy this plan", key="deploy", type="primary", icon=":material/note_add:", on_click=_deploy, args=(plan,),
        disabled=bool(refusal),
        help=f"Makes a deployment of it. No learner gets {plan.candidate} until you press Start.",
    )  # fmt: skip


def _may_not_advance() -> str:
    return why_not(signin.person(), Permission.ADVANCE, time.time())


def _deploy(plan: Plan) -> None:
    keep(actions.deploy(reading.deliveries(), signin.person(), plan, limits=reading.limits()))


def faults() -> None:
    """Draw the demo's switches: one fault at a time, each with what it really breaks."""
    present = reading.demo_faults()
    st.html(html.section("Break the candidate"))
    if present is None:
        st.caption("The demo's service does not answer. Is `canary demo` still running?")
        return
    options = {_HEALTHY: "Healthy"} | {kind.key: kind.label for kind in present.kinds}
    st.session_state["fault"] = present.key or _HEALTHY
    st.segmented_control(
        "Fault of the candidate",
        list(options),
        format_func=options.__getitem__,
        required=True,
        key="fault",
        on_change=_switch_fault,
        label_visibility="collapsed",
        wrap=True,
    )
    said = next(
        (kind.breaks for kind in present.kinds if kind.key == present.key),
        "Nothing is broken. Choose a fault and watch what the monitor makes of it.",
    )
    st.caption(said)
    with st.expander("What each of them breaks"):
        st.html(html.pairs((kind.label, kind.breaks) for kind in present.kinds))


def _switch_fault() -> None:
    wanted = str(st.session_state["fault"])
    st.session_state["told"] = actions.switch_fault(
        reading.settings(), signin.person(), None if wanted == _HEALTHY else wanted
    )
    reading.demo_faults.clear()


def facts(title: str, pairs: Iterable[tuple[str, str]], mark: Mark | None = None) -> None:
    """Draw a titled list of names and values."""
    with st.container(border=True, height="stretch"):
        st.html(html.facts(title, pairs, mark))


def download_log(found: Sequence[Event], *, filtered: bool) -> None:
    """Offer the events as JSON lines: the whole log as `canary log` exports it, or what passed the filter."""
    st.download_button(
        "Download what is shown" if filtered else "Download all",
        data=(lambda: history.as_json_lines(found)) if filtered else reading.export,
        file_name="events-filtered.jsonl" if filtered else "events.jsonl",
        mime="application/x-ndjson",
        icon=":material/download:",
        on_click="ignore",
        key="download",
        help="JSON lines." if filtered else "JSON lines with the chain; can be imported and verified elsewhere.",
    )

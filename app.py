"""The server: the dashboard and, in front of it, the API; `streamlit run app.py`."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from core.web.api import HostGuard, served_names
from core.web.assets import Assets
from core.web.headers import ReturnsToPage, SecurityHeaders
from core.web.server import (
    ApiFirst,
    check_roster,
    dashboard_lifespan,
    exiting_plainly,
    stay_at_home,
)
from core.web.signin import set_up_sign_in
from core.web.state import get_app_state

with exiting_plainly():
    settings = get_app_state().settings
    stay_at_home(settings, settings.host, st.get_option("server.address"))
    get_app_state().people.read()
    check_roster(settings)
    set_up_sign_in(settings)

secure = (settings.public_url or "").startswith("https:")
app = st.App(
    Path(__file__).with_name("core") / "web" / "shell.py",
    lifespan=dashboard_lifespan,
    middleware=[
        Middleware(ApiFirst, api=lambda: get_app_state().api),
        Middleware(HostGuard, allowed=served_names(settings)),
        Middleware(SecurityHeaders, secure=secure),
        Middleware(ReturnsToPage, secure=secure),
        Middleware(Assets),
    ],
)

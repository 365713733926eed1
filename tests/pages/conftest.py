"""Pages are run as somebody at this machine, unless a test says who else is there, each in a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from core.web import signin
from core.web.state import close_app_state


@pytest.fixture(autouse=True)
def own_state(home: Path) -> Iterator[None]:
    yield
    close_app_state()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def at_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "_connection", lambda: ({"host": "127.0.0.1:8501"}, None))

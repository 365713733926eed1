"""Pages are run as somebody at this machine, unless a test says who else is there."""

from __future__ import annotations

import pytest

from core.web import signin


@pytest.fixture(autouse=True)
def at_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "_connection", lambda: ({"host": "127.0.0.1:8501"}, None))

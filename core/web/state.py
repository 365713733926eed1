"""What one server process holds: the store, deliveries, flags, people, the API.

Dashboard scripts, API handlers and the lifespan all use the same `AppState`, opened on first use from the settings.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fastapi import FastAPI

from core.delivery import Deliveries
from core.identity import PeopleFile
from core.learners import LearnerRows
from core.settings import Settings, get_settings
from core.store import Store
from core.traffic import FlagService, open_flags, open_switch
from core.web.api import Context, create_api
from core.web.ratelimit import RateLimit


@dataclass(frozen=True)
class AppState:
    """What a process works with."""

    settings: Settings
    store: Store
    flags: FlagService
    deliveries: Deliveries
    people: PeopleFile
    limits: RateLimit
    learners: LearnerRows
    api: FastAPI

    def close(self) -> None:
        """Let go of flags and database."""
        self.flags.close()
        self.store.close()


_lock = threading.Lock()
_state: AppState | None = None


def get_app_state() -> AppState:
    """Return this process's state; open it on first use, and anew when the settings have been read anew.

    Raises:
        StoreUnavailable: the database can't be opened. TokenError: tokens can't be used. SwitchSettings: the same.
        pydantic.ValidationError: a setting is wrong.
    """
    global _state
    settings = get_settings()
    with _lock:
        if _state is None or _state.settings is not settings:
            _let_go()
            _state = open_state(settings)
        return _state


def close_app_state() -> None:
    """Let go of the database; the next `get_app_state` opens it again."""
    with _lock:
        _let_go()


def _let_go() -> None:
    global _state
    state, _state = _state, None
    if state is not None:
        state.close()


def open_state(settings: Settings) -> AppState:
    """Open a state of its own. Raises as `get_app_state`."""
    store = Store.open(settings.url, settings.home)
    try:
        flags = open_flags(settings, store)
        deliveries = Deliveries(store, open_switch(settings, flags))
        api = create_api(settings, store, deliveries, flags)
        context: Context = api.state.context
        return AppState(
            settings, store, flags, deliveries, context.stored.people, context.limits, context.learners, api
        )
    except BaseException:
        store.close()
        raise

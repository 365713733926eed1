"""The HTTP API as one application: alone in `canary api`, in front of the dashboard in the server process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI

import core
from core.delivery import Deliveries
from core.identity import PeopleFile
from core.learners import LearnerRows, open_cache
from core.metrics import learner_hasher
from core.settings import Settings
from core.store import Store
from core.traffic import FlagService, open_flags
from core.web.api import approvals, deployments, flags, health, learners, oncall, problems, pushing, reports, schema
from core.web.api.auth import load_tokens
from core.web.api.context import Context
from core.web.api.guard import LARGE, BodyGuard, HostGuard, served_names
from core.web.api.pressure import PushGate
from core.web.api.problems import JsonAnswer
from core.web.api.prometheus import Counts, new_registry
from core.web.api.storedtokens import StoredTokens
from core.web.ratelimit import RateLimit

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def create_api(
    settings: Settings,
    store: Store,
    deliveries: Deliveries,
    flag_service: FlagService | None = None,
    *,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return the API over a store.

    Args:
        settings: tokens, open mode, allowed hosts.
        store: that figures go to.
        deliveries: that are acted on.
        flag_service: answers flags, whatever switch carries the traffic; default: one over the store.
        lifespan: of the application, when it is served alone.

    Raises:
        TokenError: the tokens can't be used. CacheSettings: the cache's settings. OSError: home can't be written.
    """
    app = FastAPI(
        title="cohort-canary",
        version=core.__version__,
        openapi_url=None,  # served by `schema`, to those who may read
        docs_url=None,
        redoc_url=None,  # both pages load their scripts from elsewhere
        redirect_slashes=False,
        default_response_class=JsonAnswer,
        lifespan=lifespan,
    )
    evaluating = flag_service or open_flags(settings, store)
    rows = LearnerRows(store, open_cache(settings))
    registry = new_registry(store, deliveries, evaluating, rows)
    counts = Counts(registry)
    app.state.context = Context(
        settings=settings,
        store=store,
        deliveries=deliveries,
        flags=evaluating,
        learners=rows,
        tokens=load_tokens(settings),
        stored=StoredTokens(store, PeopleFile(settings.people)),
        limits=RateLimit(settings.changes_per_minute),
        hashed=learner_hasher(settings.home),
        registry=registry,
        counts=counts,
    )
    problems.install(app)
    for part in (flags, pushing, approvals, oncall, reports, deployments, learners, health, schema):
        app.include_router(part.router)
    app.add_middleware(PushGate, paths=LARGE, refused=counts.pushes_refused, took=counts.push_seconds)
    app.add_middleware(BodyGuard)
    app.add_middleware(HostGuard, allowed=served_names(settings))  # added last, asked first
    return app

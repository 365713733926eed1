"""What the API's handlers work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from core.delivery import Deliveries
from core.learners import LearnerRows
from core.settings import Settings
from core.store import Store
from core.traffic import FlagService
from core.web.api.auth import Tokens
from core.web.api.prometheus import Counts
from core.web.api.storedtokens import StoredTokens
from core.web.ratelimit import RateLimit


@dataclass(frozen=True)
class Context:
    """What the API's handlers work with.

    Attributes:
        flags: evaluates flags, whatever switch carries the traffic.
        stored: tokens that are kept in the database. limits: how often one caller may change something.
        learners: says which cohort a learner is in.
        hashed: turns a learner's id into what is stored.
        registry: of our own figures. counts: those that handlers count.
    """

    settings: Settings
    store: Store
    deliveries: Deliveries
    flags: FlagService
    learners: LearnerRows
    tokens: Tokens
    stored: StoredTokens
    limits: RateLimit
    hashed: Callable[[str], str]
    registry: CollectorRegistry
    counts: Counts


async def context_of(request: Request) -> Context:
    """Return the context of the application that a request came to.

    A coroutine, though it waits for nothing: FastAPI would run a plain function on another thread, for each request.
    """
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]

"""What the API's handlers work with, and what they count."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from core.delivery import Deliveries
from core.settings import Settings
from core.store import Store
from core.traffic import FlagService
from core.web.api.auth import Tokens


class Counters:
    """Counts of this process since it started, by name and label. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, label: str, count: int = 1) -> None:
        """Count."""
        with self._lock:
            self._counts[name, label] += count

    def of(self, name: str) -> dict[str, int]:
        """Return the counts of a name, by label."""
        with self._lock:
            return {label: count for (counted, label), count in sorted(self._counts.items()) if counted == name}


@dataclass(frozen=True)
class Context:
    """What the API's handlers work with.

    Attributes:
        flags: evaluates flags, whatever switch carries the traffic.
        hashed: turns a learner's id into what is stored.
    """

    settings: Settings
    store: Store
    deliveries: Deliveries
    flags: FlagService
    tokens: Tokens
    hashed: Callable[[str], str]
    counters: Counters = field(default_factory=Counters)


async def context_of(request: Request) -> Context:
    """Return the context of the application that a request came to.

    A coroutine, though it waits for nothing: FastAPI would run a plain function on another thread, for each request.
    """
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]

"""The request that is being answered: what a middleware and the code under it know of it together.

A context variable holds one mutable object a request: what a handler notes on another thread, in a task of its own or
behind another middleware is still seen by the one that made it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any

from canary_client.reporter import Reporter

logger = logging.getLogger("canary_client")

Facts = dict[str, Any]
Extractor = Callable[[Mapping[str, Any]], Any]
"""Takes an ASGI scope or a WSGI environ; returns what is asked for, or None."""

_NOTABLE = frozenset(
    ("learner", "version", "ok", "fallback", "compared", "disagreed", "segment", "region", "revenue", "cost")
)
_current: ContextVar[Facts | None] = ContextVar("canary_client_request", default=None)


def note(**facts: Any) -> bool:
    """Say something of the request that is being answered; what is said last counts.

    Args:
        facts: any of learner, version, ok, fallback, compared, disagreed, segment, region, revenue, cost, as in
            `Reporter.record`.

    Returns:
        Whether a middleware listens. Where none does, as in a script, nothing happens.

    Raises:
        TypeError: a fact of another name: a mistake in the code, which its first test shows.
    """
    if unknown := facts.keys() - _NOTABLE:
        raise TypeError(f"note() knows {', '.join(sorted(_NOTABLE))}; not {', '.join(sorted(unknown))}")
    noted = _current.get()
    if noted is None:
        return False
    noted.update(facts)
    return True


def header(name: str) -> Extractor:
    """Return what reads a request header, of an ASGI scope or a WSGI environ; None where it isn't sent.

    Name one that your own proxy sets, or removes when it comes from outside.
    """
    ours, key = name.lower().encode("latin-1"), "HTTP_" + name.upper().replace("-", "_")

    def read(request: Mapping[str, Any]) -> str | None:
        if "wsgi.version" in request:
            value: str | None = request.get(key)
            return value
        return next((text.decode("latin-1") for sent, text in request.get("headers", ()) if sent.lower() == ours), None)

    return read


class Watch:
    """What a middleware does round one request, whatever kind it is."""

    def __init__(self, reporter: Reporter, extractors: Mapping[str, Extractor | None]) -> None:
        self._reporter = reporter
        self._extractors = {name: read for name, read in extractors.items() if read is not None}

    def begin(self, request: Mapping[str, Any]) -> tuple[Facts, Token[Facts | None]]:
        """Make the request's facts; what the extractors say comes first, so that the code under us may correct it."""
        facts: Facts = {}
        for name, read in self._extractors.items():
            try:
                if (found := read(request)) is not None:
                    facts[name] = found
            except Exception:  # noqa: BLE001 -- the extractor is the user's, and must not break a request
                self._reporter.complain("extractor", f"the extractor of {name} failed", trace=True)
        return facts, _current.set(facts)

    def end(self, facts: Facts, *, ok: bool, latency_ms: float) -> None:
        """Report the request, unless nothing said which version answered it and whom."""
        if "version" not in facts or "learner" not in facts:
            self._reporter.skip()
            return
        self._reporter.record(**{"ok": ok, "latency_ms": latency_ms, **facts})


def forget(token: Token[Facts | None]) -> None:
    """Take a request's facts out of the context again, from whichever context this is called in."""
    try:
        _current.reset(token)
    except ValueError:
        _current.set(None)  # another context than the one it was set in: it had its own copy

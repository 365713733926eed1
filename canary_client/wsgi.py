"""WSGI middleware: reports each request that the app under it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from typing import Any

from canary_client.reporter import Reporter
from canary_client.request import Extractor, Facts, Watch, forget

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiMiddleware:
    """Reports learner, version, latency and whether it went well, of each request; as `AsgiMiddleware` does.

    Latency is the time until the server closes the answer, after its last part was handed over.
    """

    def __init__(
        self,
        app: App,
        reporter: Reporter,
        *,
        learner: Extractor | None = None,
        version: Extractor | None = None,
        segment: Extractor | None = None,
        region: Extractor | None = None,
    ) -> None:
        """Wrap `app`; the extractors read from the environ, see `AsgiMiddleware`."""
        self.app = app
        self._watch = Watch(reporter, {"learner": learner, "version": version, "segment": segment, "region": region})

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass on, and watch."""
        answer = _Answer(self._watch, *self._watch.begin(environ))

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            answer.status = status
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            answer.body = self.app(environ, started)
        except BaseException:
            answer.failed = True
            answer.close()
            raise
        return answer


class _Answer:
    """The app's answer, its end noticed."""

    def __init__(self, watch: Watch, facts: Facts, token: Token[Facts | None]) -> None:
        self._watch, self._facts, self._token = watch, facts, token
        self._began = time.perf_counter()
        self._ended = False
        self.body: Iterable[bytes] = ()
        self.status = ""
        self.failed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.body
        except GeneratorExit:
            raise  # the server stopped asking: the client went away
        except BaseException:
            self.failed = True
            raise

    def close(self) -> None:
        """Close the app's answer as the server asks, and report."""
        try:
            if (close := getattr(self.body, "close", None)) is not None:
                close()
        except BaseException:
            self.failed = True
            raise
        finally:
            if not self._ended:
                self._ended = True
                forget(self._token)
                ok = not self.failed and self.status[:1] in {"1", "2", "3", "4"}
                self._watch.end(self._facts, ok=ok, latency_ms=1e3 * (time.perf_counter() - self._began))

"""Asks one Prometheus: bounded in time and size, tried again where that may help, typed where it fails."""

from __future__ import annotations

import time
from types import TracebackType
from urllib.parse import urlsplit

import httpx

from core.metrics.prometheus.answer import Answer, parse
from core.metrics.prometheus.sourcefile import PrometheusSource
from core.metrics.prometheus.states import BadQuery, Unreachable
from core.settings import is_loopback

ATTEMPTS = 3
MAX_ANSWER = 16 * 2**20
_PAUSE_S = 0.2


class Client:
    """One Prometheus. Not for several threads at once; close it."""

    def __init__(self, source: PrometheusSource) -> None:
        self._source = source
        self._http = httpx.Client(
            base_url=source.url,
            headers={name: secret.get_secret_value() for name, secret in source.headers.items()},
            timeout=source.timeout_s,
            trust_env=not is_loopback(urlsplit(source.url).hostname or ""),  # no proxy leads to this very machine
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def instant(self, query: str, at: float) -> Answer:
        """Evaluate a query at one wall time. Raises NoData."""
        return self._ask("/api/v1/query", {"query": query, "time": f"{at:.3f}"})

    def series(self, query: str, start: float, end: float, step: float) -> Answer:
        """Evaluate a query at each of the wall times start, start + step, ... end. Raises NoData."""
        return self._ask(
            "/api/v1/query_range",
            {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"},
        )

    def _ask(self, path: str, form: dict[str, str]) -> Answer:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(path, form)
            except Unreachable as error:
                # A time-out isn't tried again: who hangs, hangs, and the next poll asks anyway.
                if attempt == ATTEMPTS or isinstance(error.__cause__, httpx.TimeoutException):
                    raise
                time.sleep(_PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _once(self, path: str, form: dict[str, str]) -> Answer:
        deadline = time.monotonic() + 2 * self._source.timeout_s
        try:
            with self._http.stream("POST", path, data={**form, "timeout": f"{self._source.timeout_s:g}s"}) as answer:
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise BadQuery(f"the answer is larger than {MAX_ANSWER // 2**20} MiB: select fewer series")
                    if time.monotonic() > deadline:
                        raise Unreachable("the answer came too slowly")
                return parse(answer.status_code, bytes(body), answer.headers.get("retry-after", ""))
        except httpx.TimeoutException as error:
            raise Unreachable(f"no answer within {self._source.timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"it can't be reached: {error or type(error).__name__}") from error
        except httpx.InvalidURL as error:
            raise BadQuery(f"the url can't be used: {error}") from error

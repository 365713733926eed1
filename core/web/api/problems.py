"""Errors as RFC 9457 problem details, and JSON answers that can always be written."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from core.store import StoreUnavailable

logger = logging.getLogger(__name__)

OFREP_PREFIX = "/ofrep/"
"""OFREP has its own shapes of errors: 401 and 403 without a body, 500 with errorDetails."""

_MAX_ERRORS = 20  # of a body with thousands of mistakes: enough to see what is wrong


class JsonAnswer(JSONResponse):
    """JSON in ASCII: a lone surrogate that came in by JSON can go out again. NaN and infinity become null."""

    def render(self, content: Any) -> bytes:
        """Return `content` as bytes."""
        try:
            text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
        return text.encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class Problem(Exception):
    """An answer that is not what was asked for.

    Args:
        status: HTTP status.
        detail: what is wrong and what to do, as a sentence.
        title: the kind of problem; default: the status's own words.
        headers: of the answer.
        more: further members of the problem object.
    """

    def __init__(
        self, status: int, detail: str, *, title: str = "", headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.title, self.headers, self.more = status, detail, title, headers, more

    def answer(self) -> Response:
        """Return it as an HTTP answer."""
        body = {"type": "about:blank", "title": self.title or HTTPStatus(self.status).phrase, "status": self.status}
        headers = {"Cache-Control": "no-store", **(self.headers or {})}
        content = body | {"detail": self.detail} | self.more
        return JsonAnswer(content, self.status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of an application a problem detail (or OFREP's own shape, on its paths)."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


def _answer(request: Request, problem: Problem) -> Response:
    if request.url.path.startswith(OFREP_PREFIX):
        if problem.status in {401, 403}:
            return Response(status_code=problem.status, headers=problem.headers)
        if problem.status >= 500:
            return JsonAnswer({"errorDetails": problem.detail}, problem.status, problem.headers)
    return problem.answer()


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "There is nothing at this path.", 405: "This path does not take this method."}
    detail = details.get(error.status_code, error.detail)
    return _answer(request, Problem(error.status_code, detail, headers=error.headers))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    # What was sent is not sent back: it may be a secret in the wrong field.
    errors = [{"field": _field(e["loc"]), "problem": str(e["msg"])} for e in found[:_MAX_ERRORS]]
    first = f"{errors[0]['field']}: {errors[0]['problem']}" if errors else "the request is not valid"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    status = 400 if any(e["type"] == "json_invalid" for e in found) else 422
    return _answer(request, Problem(status, first + more, title="Not valid", errors=errors))


def _field(location: Sequence[str | int]) -> str:
    return ".".join(str(part)[:80] for part in location)


async def _unavailable(request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    detail = "The database can't be used now; the server's log says why. Try again."
    return _answer(request, Problem(503, detail, headers={"Retry-After": "2"}))


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(request, Problem(500, "Something went wrong in the server; its log says what."))

"""Flag evaluation over HTTP, as OpenFeature's OFREP says."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from core.traffic import Refused, SwitchError, ofrep
from core.web.api.auth import Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import JsonAnswer

router = APIRouter(
    prefix="/ofrep/v1/evaluate", tags=["flags (OFREP 0.3.0)"], dependencies=[Depends(require(Scope.READ))]
)

_CONTEXT = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["context"],
                    "properties": {
                        "context": {
                            "type": "object",
                            "required": ["targetingKey"],
                            "properties": {"targetingKey": {"type": "string", "maxLength": ofrep.MAX_KEY}},
                        }
                    },
                }
            }
        },
    }
}
_T = TypeVar("_T")


_THREADS = 8


async def _run(context: Context, work: Callable[[], _T]) -> _T:
    """Do it here where it takes microseconds, and off the event loop where it waits for a database server."""
    return await to_thread.run_sync(work, limiter=_limiter()) if context.flags.blocking else work()


@lru_cache(maxsize=1)
def _limiter() -> CapacityLimiter:
    """Return threads of our own: while a database hangs, all others wait with the handlers that read and write it."""
    return CapacityLimiter(_THREADS)


@router.post("/flags/{key}", openapi_extra=_CONTEXT)
async def evaluate(key: str, request: Request, context: Ctx) -> Response:
    """Say which version a learner gets: `value` is its name, `variant` "baseline" or "candidate"."""
    body = await request.body()
    try:
        learner = ofrep.targeting_key(body)
        given = await _run(context, lambda: context.flags.evaluate(key, learner))
    except Refused as refused:
        return _refused(context, refused, key)
    except SwitchError as error:
        return _refused(context, ofrep.refusal_of(error), key)
    context.counts.evaluations.labels(given.variant).inc()
    return JsonAnswer(ofrep.evaluation(given))


@router.post("/flags", openapi_extra=_CONTEXT)
async def evaluate_all(request: Request, context: Ctx) -> Response:
    """Evaluate all flags for a learner. With If-None-Match: 304 as long as nothing has changed for them."""
    body = await request.body()
    try:
        learner = ofrep.targeting_key(body)
    except Refused as refused:
        return _refused(context, refused, None)
    answer, etag = await _run(context, lambda: ofrep.bulk(_all(context, learner), stale=context.flags.stale))
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if ofrep.matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(answer, media_type="application/json", headers=headers)


def _all(context: Context, learner: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for flag in context.flags.flags():
        try:
            given = context.flags.evaluate(flag, learner)
        except SwitchError as error:
            found.append(ofrep.refusal_of(error).body(flag))
        else:
            context.counts.evaluations.labels(given.variant).inc()
            found.append(ofrep.evaluation(given))
    return found


def _refused(context: Context, refused: Refused, key: str | None) -> Response:
    context.counts.evaluations.labels(refused.code).inc()
    return JsonAnswer(refused.body(key), refused.status)

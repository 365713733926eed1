"""Whether all is well, for load balancers (`/healthz`) and for Prometheus (`/metrics`)."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from core.delivery import LEASE
from core.store import Lease, StoreUnavailable, current_lease
from core.web.api.auth import Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import JsonAnswer
from core.web.api.prometheus import exposition

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz(context: Ctx) -> Response:
    """Say whether the database answers and a monitor is at work; 503 when not. Needs no token."""
    reachable, lease = _lease(context)
    now = time.time()
    at_work = lease is not None and lease.is_held(now)
    problems = []
    trouble = context.store.trouble
    if not reachable:
        problems.append("the database can't be read")
    elif trouble is not None:
        problems.append(f"the database can't be written ({trouble}): decisions can't be recorded, so none is made")
    elif not at_work:
        problems.append("no monitor is at work: nobody would notice a failing candidate")
    if context.flags.stale:
        problems.append("flags are answered from the last known state")
    monitor: dict[str, Any] = {"at_work": at_work}
    if lease is not None:
        monitor |= {
            "holder": lease.holder or None,
            "tick_age_s": round(max(0.0, now - lease.beat), 3),
            "late_s": lease.late_s,
            "tick_s": lease.tick_s,
        }
    body = {
        "status": "ok" if not problems else "failing",
        "problems": problems,
        "database": {"reachable": reachable} | ({"trouble": trouble} if trouble else {}),
        "monitor": monitor,
    }
    return JsonAnswer(body, 200 if not problems else 503, {"Cache-Control": "no-store"})


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(require(Scope.READ))])
def metrics(request: Request, context: Ctx) -> Response:
    """Return our own figures in Prometheus' text format, or OpenMetrics where that is asked for."""
    text, content_type = exposition(context.registry, request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _lease(context: Context) -> tuple[bool, Lease | None]:
    try:
        with context.store.read() as connection:
            return True, current_lease(connection, LEASE)
    except StoreUnavailable:
        return False, None

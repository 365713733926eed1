"""Whether all is well, for load balancers (`/healthz`) and for Prometheus (`/metrics`)."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import PlainTextResponse, Response

from core.delivery import LEASE
from core.store import Lease, StoreUnavailable, current_lease
from core.web.api.auth import Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.problems import JsonAnswer
from core.web.api.prometheus import Family, exposition

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz(context: Ctx) -> Response:
    """Say whether the database answers and a monitor is at work; 503 when not. Needs no token."""
    reachable, lease = _lease(context)
    now = time.time()
    at_work = lease is not None and lease.is_held(now)
    problems = []
    if not reachable:
        problems.append("the database can't be read")
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
        "database": {"reachable": reachable},
        "monitor": monitor,
    }
    return JsonAnswer(body, 200 if not problems else 503, {"Cache-Control": "no-store"})


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(require(Scope.READ))])
def metrics(context: Ctx) -> Response:
    """Return our own figures in Prometheus' text format."""
    reachable, lease = _lease(context)
    families = [Family("canary_database_up", "gauge", "Whether the database can be read.", {(): float(reachable)})]
    if lease is not None:
        families += _monitor(lease)
    if reachable:
        families += _deployments(context)
    families += _counters(context)
    text = exposition(families)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _lease(context: Context) -> tuple[bool, Lease | None]:
    try:
        with context.store.read() as connection:
            return True, current_lease(connection, LEASE)
    except StoreUnavailable:
        return False, None


def _monitor(lease: Lease) -> list[Family]:
    held = lease.is_held(time.time())
    return [
        Family("canary_monitor_up", "gauge", "Whether a monitor holds the lease.", {(): float(held)}),
        Family("canary_monitor_last_tick_timestamp_seconds", "gauge", "When the last tick ended.", {(): lease.beat}),
        Family("canary_monitor_tick_late_seconds", "gauge", "How late the last tick began.", {(): lease.late_s}),
        Family("canary_monitor_tick_duration_seconds", "gauge", "How long the last tick took.", {(): lease.tick_s}),
        Family("canary_monitor_takeovers", "gauge", "How often the lease has changed hands.", {(): lease.token - 1.0}),
    ]


def _deployments(context: Context) -> list[Family]:
    shares: dict[tuple[tuple[str, str], ...], float] = {}
    states: dict[tuple[tuple[str, str], ...], float] = {}
    for status in context.deliveries.all():
        labels = (("deployment", status.id), ("flag", status.plan.flag))
        if status.state.carries_traffic:
            shares[labels] = status.share
        if not status.state.ended:
            states[*labels, ("state", str(status.state))] = 1.0
    return [
        Family("canary_share", "gauge", "Part of the learners that is to get the candidate.", shares),
        Family("canary_deployment_under_way", "gauge", "Deployments that have not ended, by state.", states),
    ]


_COUNTERS = {
    "evaluations": ("canary_flag_evaluations_total", "result", "Flag evaluations, by variant or error."),
    "samples_received": ("canary_samples_received_total", "result", "Samples pushed."),
    "samples_rejected": ("canary_samples_rejected_total", "reason", "Samples refused."),
    "records_received": ("canary_records_received_total", "result", "Request and probe records pushed."),
    "records_rejected": ("canary_records_rejected_total", "reason", "Request and probe records refused."),
}


def _counters(context: Context) -> list[Family]:
    stale = Family(
        "canary_flags_stale", "gauge", "Whether flags come from memory.", {(): float(bool(context.flags.stale))}
    )
    counted = [
        Family(
            metric, "counter", text, {((label, value),): count for value, count in context.counters.of(name).items()}
        )
        for name, (metric, label, text) in _COUNTERS.items()
    ]
    return [stale, *counted]

"""Pushed figures: samples, and raw request records that are added up on arrival."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from core.delivery import Status
from core.metrics import ProbeRecord, Push, RequestRecord, Spans, aggregate, note_push, refused
from core.store import Clock, add_learner_totals, add_samples, remember_batch
from core.web.api.auth import Caller, Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.schemas import RequestsIn, SamplesIn

_push = require(Scope.PUSH)
router = APIRouter(prefix="/api/v1", tags=["figures"], dependencies=[Depends(_push)])
Pusher = Annotated[Caller, Depends(_push)]

UNKNOWN_FLAG = "no deployment of this flag"


@router.post("/samples")
def push_samples(body: SamplesIn, context: Ctx, caller: Pusher) -> dict[str, Any]:
    """Take sums over spans of time. A sample whose id has been sent before changes nothing."""
    status = context.deliveries.current(body.flag)
    if status is None:
        return _answer(context, "samples", Push(0, rejected={UNKNOWN_FLAG: len(body.samples)}))
    clock, now = context.store.clock(), time.time()
    versions = _versions(context, body.flag)
    rejected: Counter[str] = Counter()
    good = []
    for sample in body.samples:
        if reason := refused(clock.wall(sample.start), sample.version, versions, now):
            rejected[reason] += 1
        else:
            good.append(sample.sample())
    with context.store.transaction() as tx:
        done = add_samples(tx.connection, body.flag, good)
        push = Push(done.accepted, done.repeated, rejected, skew_s=_skew(body.sent, now))
        note_push(tx.connection, body.flag, body.source or caller.name, push, now)
    return _answer(context, "samples", push)


@router.post("/requests")
def push_requests(body: RequestsIn, context: Ctx, caller: Pusher) -> dict[str, Any]:
    """Take raw request records and add them up. A batch whose id has been sent before changes nothing.

    Records are rejected one by one, by reason; the others of the batch count. 429 with Retry-After: figures come faster
    than they can be stored; send the batch again then, with the same id.
    """
    sent = len(body.requests) + len(body.probes)
    requests = [RequestRecord(**record.__dict__) for record in body.requests]
    probes = [ProbeRecord(**record.__dict__) for record in body.probes]
    clock, now = context.store.clock(), time.time()
    skew_s, source = _skew(body.sent, now), body.source or caller.name
    # The deployment is read inside the transaction: while it is open no phase can begin or end.
    with context.store.transaction() as tx:
        # The one that decides: a draft beside it says nothing of the traffic that comes.
        status = context.deliveries.deciding(body.flag) or context.deliveries.current(body.flag)
        if status is None:
            return _answer(context, "records", Push(0, rejected={UNKNOWN_FLAG: sent}, skew_s=skew_s))
        if not remember_batch(tx.connection, f"{body.flag}\0{body.batch}", now):
            push = Push(0, sent, skew_s=skew_s, versions=tuple(body.versions))
            note_push(tx.connection, body.flag, source, push, now)
            return _answer(context, "records", push)
        spans = _spans(status, clock, _versions(context, body.flag))
        reports_on = frozenset(body.versions)
        found = aggregate(
            body.batch, requests, probes, spans=spans, now=now, hashed=context.hashed, reports_on=reports_on
        )
        add_samples(tx.connection, body.flag, found.samples)
        if spans.phase_started is not None:
            add_learner_totals(tx.connection, status.id, spans.phase_started, found.totals)
        push = Push(found.accepted, 0, found.rejected, body.dropped, skew_s, tuple(body.versions))
        note_push(tx.connection, body.flag, source, push, now)
    context.counts.records_dropped.labels(body.flag).inc(body.dropped)
    return _answer(context, "records", push)


def _skew(sent: float | None, now: float) -> float | None:
    return None if sent is None else sent - now


def _versions(context: Context, flag: str) -> frozenset[str]:
    """Return every version of every plan of a flag: each may still serve somebody, and must be seen while it does."""
    plans = [status.plan for status in context.deliveries.all() if status.plan.flag == flag]
    return frozenset(version for plan in plans for version in (plan.baseline, plan.candidate))


def _spans(status: Status, clock: Clock, versions: frozenset[str]) -> Spans:
    plan = status.plan
    started = status.phase_started if status.state.carries_traffic else None
    return Spans(clock, plan.sample_s, versions, plan.latency_limit_ms(), started)


def _answer(context: Context, kind: str, push: Push) -> dict[str, Any]:
    counts = context.counts
    received, refusals = (
        (counts.samples, counts.samples_rejected) if kind == "samples" else (counts.records, counts.records_rejected)
    )
    received.labels("accepted").inc(push.records)
    received.labels("repeated").inc(push.repeated)
    for reason, count in push.rejected.items():
        refusals.labels(reason).inc(count)
    skew = {} if push.skew_s is None else {"skew_s": round(push.skew_s, 3)}
    return {"accepted": push.records, "repeated": push.repeated, "rejected": dict(push.rejected), **skew}

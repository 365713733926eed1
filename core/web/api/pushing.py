"""Pushed figures: samples, and raw request records that are added up on arrival."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends

from core.delivery import Status
from core.metrics import ProbeRecord, RequestRecord, Spans, aggregate, refused
from core.store import Clock, add_learner_totals, add_samples, remember_batch
from core.web.api.auth import Scope, require
from core.web.api.context import Context, Ctx
from core.web.api.schemas import RequestsIn, SamplesIn

router = APIRouter(prefix="/api/v1", tags=["figures"], dependencies=[Depends(require(Scope.PUSH))])

UNKNOWN_FLAG = "no deployment of this flag"


@router.post("/samples")
def push_samples(body: SamplesIn, context: Ctx) -> dict[str, Any]:
    """Take sums over spans of time. A sample whose id has been sent before changes nothing."""
    status = context.deliveries.current(body.flag)
    if status is None:
        return _answer(context, "samples", 0, 0, {UNKNOWN_FLAG: len(body.samples)})
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
    return _answer(context, "samples", done.accepted, done.repeated, rejected)


@router.post("/requests")
def push_requests(body: RequestsIn, context: Ctx) -> dict[str, Any]:
    """Take raw request records and add them up. A batch whose id has been sent before changes nothing.

    Records are rejected one by one, by reason; the others of the batch count.
    """
    sent = len(body.requests) + len(body.probes)
    requests = [RequestRecord(**record.__dict__) for record in body.requests]
    probes = [ProbeRecord(**record.__dict__) for record in body.probes]
    clock, now = context.store.clock(), time.time()
    # The deployment is read inside the transaction: while it is open no phase can begin or end.
    with context.store.transaction() as tx:
        # The one that decides: a draft beside it says nothing of the traffic that comes.
        status = context.deliveries.deciding(body.flag) or context.deliveries.current(body.flag)
        if status is None:
            return _answer(context, "records", 0, 0, {UNKNOWN_FLAG: sent})
        if not remember_batch(tx.connection, f"{body.flag}\0{body.batch}", now):
            return _answer(context, "records", 0, sent, {})
        spans = _spans(status, clock, _versions(context, body.flag))
        reports_on = frozenset(body.versions)
        found = aggregate(
            body.batch, requests, probes, spans=spans, now=now, hashed=context.hashed, reports_on=reports_on
        )
        add_samples(tx.connection, body.flag, found.samples)
        if spans.phase_started is not None:
            add_learner_totals(tx.connection, status.id, spans.phase_started, found.totals)
    return _answer(context, "records", found.accepted, 0, found.rejected)


def _versions(context: Context, flag: str) -> frozenset[str]:
    """Return every version of every plan of a flag: each may still serve somebody, and must be seen while it does."""
    plans = [status.plan for status in context.deliveries.all() if status.plan.flag == flag]
    return frozenset(version for plan in plans for version in (plan.baseline, plan.candidate))


def _spans(status: Status, clock: Clock, versions: frozenset[str]) -> Spans:
    plan = status.plan
    started = status.phase_started if status.state.carries_traffic else None
    return Spans(clock, plan.sample_s, versions, plan.latency_limit_ms(), started)


def _answer(context: Context, kind: str, accepted: int, repeated: int, rejected: Mapping[str, int]) -> dict[str, Any]:
    counts = context.counts
    received, refusals = (
        (counts.samples, counts.samples_rejected) if kind == "samples" else (counts.records, counts.records_rejected)
    )
    received.labels("accepted").inc(accepted)
    received.labels("repeated").inc(repeated)
    for reason, count in rejected.items():
        refusals.labels(reason).inc(count)
    return {"accepted": accepted, "repeated": repeated, "rejected": dict(rejected)}

"""Healthy rates measured in a real demo, and roll-outs simulated from them on a simulated clock.

`python -m tests.demo.healthy CANARY_HOME` reads the newest completed deployment in a demo's database and writes
healthy_rates.json beside this file. `roll_out` then plays the same plan many times: triggers look at every sample
through the judge's own vectorised rule, criteria are judged by the judge at each phase's end, and the state machine
decides.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from core.delivery import Action, Command, Figure, Guardrail, Plan, Series, State, Status, apply, decide, judge
from core.delivery.guardrails import ratio_test
from core.delivery.simulate import fires
from core.demo.revenue import LEARNER_SIGMA, MEAN_REVENUE, REQUEST_SIGMA
from core.experiments.sequential import log_evidence
from core.store import BusinessSums, Sample, SampleFrame, Store, histogram, latency_of, load_samples

RATES = Path(__file__).with_name("healthy_rates.json")
_CHUNK = 100  # runs whose looks are worked on at once
COUNTS = ("requests", "errors", "fallbacks", "probes", "probes_ok", "compared", "disagreed")


def measure(home: Path) -> dict[str, Any]:
    """Return each phase's sums for both versions, of the newest completed deployment."""
    from core.delivery import Deliveries
    from core.store import events
    from core.traffic import FlagService

    store = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    status = next(s for s in Deliveries(store, FlagService(store)).all() if s.state is State.COMPLETED)
    with store.read() as connection:
        log = events(connection, deployment=status.id)
        begins = [e.at for e in log if e.kind == "phase started"] + [e.at for e in log if e.kind == "completed"]
        phases = []
        for begin, end in pairwise(begins):
            frame = load_samples(connection, status.plan.flag, since=begin, until=end)
            phases.append(
                {v: _sums(frame.select(frame.version == v)) for v in (status.plan.baseline, status.plan.candidate)}
            )
    store.close()
    return {"what": "measured on real requests by `canary demo --once`; learners made up", "phases": phases}


def _sums(frame: SampleFrame) -> dict[str, Any]:
    counts = latency_of(frame)
    filled = np.flatnonzero(counts)
    sums = {name: int(getattr(frame, name).sum()) for name in COUNTS}
    return sums | {"latency": [[int(b), int(counts[b])] for b in filled]}


def roll_out(plan: Plan, rates: dict[str, Any], runs: int, seed: int) -> Counter[str]:
    """Play a plan `runs` times at healthy rates; return how often each outcome came of it."""
    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    under_way = [_start(plan) for _ in range(runs)]
    for index, phase in enumerate(plan.phases):
        spans = round(phase.lasts_s / plan.sample_s)
        drawn = {v: _draw(rng, rates["phases"][index][v], runs, spans) for v in (plan.baseline, plan.candidate)}
        fired = np.zeros(runs, dtype=bool)
        for trigger in plan.triggers:
            pair = _pair(drawn[plan.candidate], str(trigger.limit.figure), trigger.limit.value)
            if pair is not None:
                fired |= fires(plan, trigger, *pair).any(axis=1)
        if phase.has_baseline:
            for guardrail in plan.guardrails:
                fired |= _guarded(plan, guardrail, phase.lasts_s, drawn)
        following = []
        for run, status in enumerate(under_way):
            if fired[run]:
                outcomes[f"a trigger fired in {phase.name}"] += 1
                continue
            after = _judged(plan, index, status, {v: d[run] for v, d in drawn.items()}, rng)
            if after.state is State.RUNNING:
                following.append(after)
            else:
                outcomes[str(after.state) if after.state is State.COMPLETED else f"{phase.name}: {after.why}"] += 1
        under_way = following
        runs = len(under_way)
        if not runs:
            break
    return outcomes


class _Drawn:
    """Simulated sums of one version: `counts[name]` of shape (runs, spans), latencies of shape (runs, buckets)."""

    def __init__(self, counts: dict[str, Any], latency: Any, slow_share: Any) -> None:
        self.counts, self.latency, self.slow_share = counts, latency, slow_share

    def __getitem__(self, run: int) -> _Drawn:
        return _Drawn({k: v[run] for k, v in self.counts.items()}, self.latency[run], self.slow_share)


def _draw(rng: np.random.Generator, measured: dict[str, Any], runs: int, spans: int) -> _Drawn:
    counts = np.zeros(histogram.BUCKETS)
    for bucket, number in measured["latency"]:
        counts[bucket] = number
    total = measured["requests"]
    requests = rng.poisson(total / spans, (runs, spans))
    drawn = {"requests": requests}

    def part(of: Any, events: str, trials: str) -> Any:
        share = measured[events] / measured[trials] if measured[trials] else 0.0
        return rng.binomial(of, share)

    drawn["errors"] = part(requests, "errors", "requests")
    drawn["fallbacks"] = rng.poisson(measured["fallbacks"] / spans, (runs, spans))
    drawn["probes"] = np.full((runs, spans), round(measured["probes"] / spans))
    drawn["probes_ok"] = part(drawn["probes"], "probes_ok", "probes")
    drawn["compared"] = part(requests, "compared", "requests")
    drawn["disagreed"] = part(drawn["compared"], "disagreed", "compared")
    shares = counts / counts.sum() if counts.sum() else np.eye(histogram.BUCKETS)[0]
    latency = rng.multinomial(requests.sum(axis=1), shares)
    middles = histogram.MIDDLES

    def slow_share(limit_ms: float) -> Any:
        return rng.binomial(requests, shares[middles > limit_ms].sum())

    return _Drawn(drawn, latency, slow_share)


def _pair(drawn: _Drawn, figure: str, limit: float) -> tuple[Any, Any] | None:
    """Return (bad, trials) of a trigger's figure; None where it isn't made of counts."""
    c = drawn.counts
    if figure.startswith("latency"):
        return drawn.slow_share(limit), c["requests"]
    return {
        "error_rate": (c["errors"], c["requests"]),
        "availability": (c["probes"] - c["probes_ok"], c["probes"]),
        "disagreement": (c["disagreed"], c["compared"]),
        "fallback_rate": (c["fallbacks"], c["requests"] + c["fallbacks"]),
    }.get(figure)


def _guarded(plan: Plan, guardrail: Guardrail, lasts_s: float, drawn: dict[str, _Drawn]) -> Any:
    """Say in which runs a guardrail ever acts, by the judge's own test over every sample."""
    test, limit = ratio_test(plan, guardrail, lasts_s), plan.latency_limit_ms() or 0.0
    name = "error_rate" if guardrail.figure is Figure.ERROR_RATE else "latency_p99"
    pairs = [_pair(drawn[version], name, limit) for version in (plan.candidate, plan.baseline)]
    counts = [column for pair in pairs if pair is not None for column in pair]
    acted = [
        (log_evidence(test, *(c[i : i + _CHUNK] for c in counts)) >= test.threshold).any(axis=1)
        for i in range(0, counts[0].shape[0], _CHUNK)
    ]
    return np.concatenate(acted)


def _start(plan: Plan) -> Status:
    draft = Status("simulated", plan, State.DRAFT, 1, 0.0)
    return _changed(draft, Command(Action.START, "test", "simulated"), 0.0)


def _judged(plan: Plan, index: int, status: Status, drawn: dict[str, _Drawn], rng: np.random.Generator) -> Status:
    phase = plan.phases[index]
    assert status.phase_started is not None
    now = status.phase_started + phase.lasts_s
    series = {}
    for version, sums in drawn.items():
        totals = {name: int(values.sum()) for name, values in sums.counts.items()}
        latency = histogram.encode(sums.latency)
        sample = Sample("s", status.phase_started, phase.lasts_s, version, latency=latency, **totals)
        series[version] = Series.of(SampleFrame.of([sample]), version)
    verdict = judge(
        plan,
        phase,
        series[plan.candidate],
        series[plan.baseline],
        now,
        phase_started=status.phase_started,
        ended=True,
        business={v: _business(v, int(d.counts["requests"].sum()), rng, plan, phase.share) for v, d in drawn.items()},
    )
    command = decide(status, verdict, now)
    assert command is not None
    return _changed(status, command, now)


def _changed(status: Status, command: Command, now: float) -> Status:
    change = apply(status, command, now)
    return replace(change.status, switched_revision=change.status.revision)


def _business(version: str, requests: int, rng: np.random.Generator, plan: Plan, share: float) -> BusinessSums:
    """Draw every learner's revenue as the demo does: log-normal, a level of its own, and noise in each request."""
    learners = max(2, round(20_000 * (share if version == plan.candidate else 1 - share)))
    asked = rng.poisson(requests / learners, learners)
    asked = asked[asked > 0].astype(float)
    level = MEAN_REVENUE * np.exp(LEARNER_SIGMA * rng.standard_normal(asked.size) - LEARNER_SIGMA**2 / 2)
    spread = np.sqrt(np.expm1(REQUEST_SIGMA**2) * asked)
    revenue = level * np.maximum(0.0, asked + spread * rng.standard_normal(asked.size))
    cost = 0.08 * asked
    columns = {"cost": cost, "requests": asked, "revenue": revenue}
    products = {(a, b): float(columns[a] @ columns[b]) for a in columns for b in columns if a <= b}
    return BusinessSums(version, int(asked.size), {k: float(v.sum()) for k, v in columns.items()}, products)


if __name__ == "__main__":
    RATES.write_text(json.dumps(measure(Path(sys.argv[1])), separators=(",", ":")) + "\n")
    print(f"written: {RATES}")

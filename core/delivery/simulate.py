"""How often a plan rolls back a healthy candidate, and how soon it sees a sick one, by simulating the judge's rule.

The simulated requests fail independently of each other, at a steady rate. Real errors come in bursts, which fire more
often; a rehearsal over recorded figures (rehearse.py) is the check for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.delivery import evidence, words
from core.delivery.evidence import Bools, Floats, Ints
from core.delivery.judge import rule_of
from core.delivery.plan import Figure, Phase, Plan, Trigger

MAX_LOOKS = 480
"""Looks simulated of a phase: 4 h of 30 s samples. A longer phase is simulated for its first so many."""
WARM_UP_LOOKS = 40
DETECTION_LOOKS = 120


@dataclass(frozen=True, slots=True)
class Condition:
    """A state of the candidate: shares of bad events, by figure (of a latency: requests slower than its limit)."""

    name: str
    rates: Mapping[Figure, float] = field(default_factory=dict)

    def rate(self, figure: Figure) -> float:
        """Return the share of bad events of a figure; latencies share one."""
        return self.rates.get(Figure.LATENCY_P99 if figure.quantile is not None else figure, 0.0)


# The first user's canary had 0.074 % errors and 99.97 % availability at its checkpoints; the second is a service that
# is as bad as the tightest criterion of the default plan but one lets pass.
HEALTHY = (
    Condition(
        "healthy: 0.074 % errors, 0.1 % slow, 0.03 % of probes lost",
        {Figure.ERROR_RATE: 0.00074, Figure.LATENCY_P99: 0.001, Figure.AVAILABILITY: 0.0003},
    ),
    Condition(
        "healthy: 0.4 % errors, 0.4 % slow, 0.05 % of probes lost",
        {Figure.ERROR_RATE: 0.004, Figure.LATENCY_P99: 0.004, Figure.AVAILABILITY: 0.0005},
    ),
)
FAULTS = (
    Condition("2 % errors", {Figure.ERROR_RATE: 0.02}),
    Condition("5 % errors", {Figure.ERROR_RATE: 0.05}),
    Condition("20 % errors", {Figure.ERROR_RATE: 0.20}),
    Condition("5 % of requests slow", {Figure.LATENCY_P99: 0.05}),
    Condition("50 % of requests slow", {Figure.LATENCY_P99: 0.50}),
    Condition("5 % of probes lost", {Figure.AVAILABILITY: 0.05}),
    Condition("all probes lost", {Figure.AVAILABILITY: 1.0}),
    Condition("5 % of answers different", {Figure.DISAGREEMENT: 0.05}),
    Condition("50 % served by the fallback", {Figure.FALLBACK_RATE: 0.50}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of many simulated roll-outs of one phase in one condition.

    Attributes:
        phase: its name. share: of the learners.
        condition: in words.
        healthy: the condition is one to leave alone.
        requests_per_sample: of the candidate, on average.
        runs: how many were simulated; acted: in how many a trigger fired (of a healthy one: that rolls back).
        then: what the triggers that fired do: "roll back" or "hold".
        bound: one-sided 95 % upper bound (Clopper-Pearson) of acted / runs.
        median_s, p90_s: plan seconds from the fault's beginning until half, 90 % of all runs acted; None: fewer did.
        horizon_s: plan seconds simulated, for a fault from its beginning.
    """

    phase: str
    share: float
    condition: str
    healthy: bool
    requests_per_sample: float
    runs: int
    acted: int
    then: str
    bound: float
    median_s: float | None
    p90_s: float | None
    horizon_s: float

    @property
    def probability(self) -> float:
        """Part of the runs in which a trigger fired."""
        return self.acted / self.runs

    def as_json(self) -> dict[str, object]:
        """Return it as what `json.dumps` takes."""
        return {
            "phase": self.phase,
            "share": self.share,
            "condition": self.condition,
            "healthy": self.healthy,
            "requests_per_sample": self.requests_per_sample,
            "runs": self.runs,
            "acted": self.acted,
            "then": self.then,
            "probability": self.probability,
            "bound": self.bound,
            "median_s": self.median_s,
            "p90_s": self.p90_s,
            "horizon_s": self.horizon_s,
        }

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return it as text: phase, condition, how many acted, median time, time until 90 % had."""
        acted = words.percent(self.probability)
        if self.healthy:
            what = f"rolled back {acted} in {words.duration(self.horizon_s)} (at most {words.percent(self.bound)})"
            return self.phase, self.condition, what, "", ""
        what = f"{'rolled back' if self.then == 'roll back' else 'held'} {acted}"
        not_within = f"not within {words.duration(self.horizon_s)}"
        times = [not_within if t is None else words.duration(t) for t in (self.median_s, self.p90_s)]
        return self.phase, self.condition, what, times[0], times[1]


def false_rollback_table(
    plan: Plan,
    requests_per_s: float,
    *,
    probes_per_s: float = 1.0,
    healthy: Sequence[Condition] = HEALTHY,
    faults: Sequence[Condition] = FAULTS,
    runs: int = 2000,
    seed: int = 20251031,
) -> list[Row]:
    """Simulate each phase in healthy conditions and with faults, at a traffic.

    A fault begins in a candidate that has been healthy (the first of `healthy`) for `WARM_UP_LOOKS` samples, so that
    the windows hold healthy requests to be outweighed, as they would. Only the triggers on the faulty figure count as
    having seen it.

    Args:
        plan: whose phases and triggers; triggers on figures that don't pool are left out.
        requests_per_s: of the whole service, per plan second. A phase's share of it is the candidate's, as Poisson
            counts a sample.
        probes_per_s: health probes of the candidate, per plan second.
        healthy, faults: the conditions. A fault within the plan's limit, or one that no trigger is about, is left out.
        runs: simulated roll-outs behind each row.
        seed: the same seed gives the same table.

    Raises:
        ValueError: `requests_per_s`, `probes_per_s` or `runs` is not positive.
    """
    if requests_per_s <= 0 or probes_per_s <= 0 or runs <= 0:
        raise ValueError("requests_per_s, probes_per_s and runs must be positive")
    rng = np.random.default_rng(seed)
    rows = []
    for phase in plan.phases:
        traffic = _Traffic(plan, phase, requests_per_s, probes_per_s)
        rows += [_healthy_row(traffic, condition, runs, rng) for condition in healthy]
        for fault in faults:
            triggers = [t for t in _pooling(plan) if fault.rate(t.limit.figure) > rule_of(plan, t).share]
            if triggers:
                usual = healthy[0] if healthy else Condition("healthy")
                rows.append(_fault_row(traffic, fault, usual, triggers, runs, rng))
    return rows


@dataclass(frozen=True, slots=True)
class _Traffic:
    plan: Plan
    phase: Phase
    requests_per_s: float
    probes_per_s: float

    def trials_per_sample(self, figure: Figure) -> float:
        """Mean trials of a figure in one sample."""
        if figure is Figure.AVAILABILITY:
            return self.probes_per_s * self.plan.sample_s
        requests = self.requests_per_s * self.phase.share * self.plan.sample_s
        return requests * self.plan.compare_share if figure is Figure.DISAGREEMENT else requests

    def looks(self, limit: int) -> int:
        """Samples of the phase, at most `limit`."""
        return max(1, min(limit, int(self.phase.lasts_s / self.plan.sample_s + 1e-9)))

    def sample(self, figure: Figure, rates: Floats, runs: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw bad events and trials, each of shape (runs, looks), at a bad share by look."""
        mean = self.trials_per_sample(figure)
        shape = (runs, rates.size)
        # Probes are sent by a clock; requests come when they come.
        trials = np.full(shape, round(mean)) if figure is Figure.AVAILABILITY else rng.poisson(mean, shape)
        return rng.binomial(trials, rates), trials


def _pooling(plan: Plan) -> list[Trigger]:
    pools = {Figure.ERROR_RATE, Figure.AVAILABILITY, Figure.DISAGREEMENT, Figure.FALLBACK_RATE}
    return [t for t in plan.triggers if t.limit.figure in pools or t.limit.figure.quantile is not None]


def fires(plan: Plan, trigger: Trigger, bad: Ints, trials: Ints, after: int = 0) -> Bools:
    """Apply a trigger at every look from `after` on.

    Args:
        plan: whose rules. trigger: one whose figure is made of counts.
        bad, trials: in each sample, shape (runs, samples); samples follow each other without gaps.
        after: first look.

    Returns:
        Whether it is breached, shape (runs, samples - after).
    """
    seconds = np.full(bad.shape[-1], plan.sample_s)
    start = np.arange(bad.shape[-1]) * seconds
    at = np.arange(after, bad.shape[-1])
    return evidence.look(rule_of(plan, trigger), start, seconds, bad, trials, since=0.0, at=at).breached


def _healthy_row(traffic: _Traffic, condition: Condition, runs: int, rng: np.random.Generator) -> Row:
    plan = traffic.plan
    looks = traffic.looks(MAX_LOOKS)
    acted = np.zeros(runs, dtype=bool)
    for trigger in _pooling(plan):
        rate = condition.rate(trigger.limit.figure)
        if trigger.then == "roll back" and rate > 0:  # without a single bad event nothing fires
            drawn = traffic.sample(trigger.limit.figure, np.full(looks, rate), runs, rng)
            acted |= fires(plan, trigger, *drawn).any(axis=1)
    return _row(traffic, condition, True, "roll back", acted, None, looks)


def _fault_row(
    traffic: _Traffic,
    fault: Condition,
    usual: Condition,
    triggers: Sequence[Trigger],
    runs: int,
    rng: np.random.Generator,
) -> Row:
    plan = traffic.plan
    before = min(WARM_UP_LOOKS, traffic.looks(MAX_LOOKS) // 2)
    after = min(DETECTION_LOOKS, traffic.looks(MAX_LOOKS) - before)
    first = np.full(runs, after)
    figure = triggers[0].limit.figure
    rates = np.full(before + after, fault.rate(figure))
    rates[:before] = usual.rate(figure)
    drawn = traffic.sample(figure, rates, runs, rng)
    for trigger in triggers:
        fired = fires(plan, trigger, *drawn, after=before)
        first = np.minimum(first, np.where(fired.any(axis=1), fired.argmax(axis=1), after))
    delay_s = np.sort(np.where(first < after, (first + 1) * plan.sample_s, np.inf))
    then = "roll back" if any(t.then == "roll back" for t in triggers) else "hold"
    return _row(traffic, fault, False, then, first < after, delay_s, after)


def _row(
    traffic: _Traffic,
    condition: Condition,
    healthy: bool,
    then: str,
    acted: Bools,
    delay_s: Floats | None,
    looks: int,
) -> Row:
    def until(part: float) -> float | None:
        if delay_s is None:
            return None
        time = float(delay_s[int(np.ceil(part * delay_s.size)) - 1])
        return time if np.isfinite(time) else None

    count = int(acted.sum())
    return Row(
        phase=traffic.phase.name,
        share=traffic.phase.share,
        condition=condition.name,
        healthy=healthy,
        requests_per_sample=traffic.trials_per_sample(Figure.ERROR_RATE),
        runs=acted.size,
        acted=count,
        then=then,
        bound=evidence.bounds(count, acted.size, 0.95)[1],
        median_s=until(0.5),
        p90_s=until(0.9),
        horizon_s=looks * traffic.plan.sample_s,
    )

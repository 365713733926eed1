"""The judge: what a phase's samples say of each figure the plan names. Pure; it never moves traffic.

Criteria are judged over the phase so far, triggers over the window that ends with the latest sample; evidence.py says
when either is certain enough. Each finding carries the numbers it was made from and a sentence that says them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.delivery import evidence, words
from core.delivery.assignment import assignment_finding
from core.delivery.business import business_criterion, business_trigger
from core.delivery.evidence import Floats, Ints
from core.delivery.guardrails import guardrail_finding
from core.delivery.model import Assigned, FigureState, Finding, Role, Verdict
from core.delivery.plan import RELATIVE, WARN_ONLY, Figure, Limit, Phase, Plan, Trigger
from core.delivery.scene import Place, Scene, Sides, plain
from core.delivery.series import TOLERANCE_S, Series
from core.delivery.spread import SegmentSums, spread_finding
from core.store import BusinessSums, histogram

_OF_REQUESTS = frozenset({Figure.ERROR_RATE, Figure.FALLBACK_RATE})
_TRIALS = {Figure.AVAILABILITY: "probes", Figure.DISAGREEMENT: "answers compared"}
# A source may count answered probes or answered requests as available: the sentence fits both.
_COUNTED = {**_TRIALS, Figure.AVAILABILITY: "answered"}
_BEST = {Figure.AVAILABILITY: 1.0, Figure.CACHE_HIT_RATE: 1.0}


def judge(
    plan: Plan,
    phase: Phase,
    candidate: Series,
    baseline: Series,
    now: float,
    *,
    phase_started: float,
    ended: bool = False,
    business: Mapping[str, BusinessSums] | None = None,
    open_incidents: int | None = 0,
    listening_since: float | None = None,
    places: Mapping[Place, Sides] | None = None,
    since_resumed: float | None = None,
    segments: SegmentSums | None = None,
    assigned: Assigned | None = None,
    earlier: Verdict | None = None,
) -> Verdict:
    """Judge a phase at one moment.

    Args:
        plan: what is asked of the candidate.
        phase: the one under way.
        candidate, baseline: their samples; those outside [phase_started, now] are left out, so that a series may be
            kept through all phases. A span still open at `now` is left out, too. Of samples from before the phase it is
            told how much counts vary.
        now: plan time.
        phase_started: plan time.
        ended: the phase's time is up: what is looked at only once (revenue) is looked at.
        business: by version: per-learner sums of this phase.
        open_incidents: tied to this deployment; None where nobody keeps them.
        listening_since: plan time from which samples could have been received without a break; silence is counted
            from there at the earliest.
        places: the samples of one segment and region, for the guardrails that ask for it.
        since_resumed: plan time at which a person last let a held phase go on; by default its start. A guardrail that
            only holds needs evidence from after that to hold once more.
        segments: both versions' sums by segment, for a criterion on their spread.
        assigned: how many learners got which version.
        earlier: the last verdict of the same phase, whose evidence stands.
    """
    scene = Scene(
        plan=plan,
        candidate=candidate.between(phase_started, now),
        baseline=baseline.between(phase_started, now),
        now=now,
        started=phase_started,
        ended=ended,
        ends=phase_started + phase.lasts_s,
        heard_since=max(phase_started, listening_since if listening_since is not None else phase_started),
        business=business or {},
        has_baseline=phase.has_baseline,
        open_incidents=open_incidents,
        before=(candidate.between(-math.inf, phase_started), baseline.between(-math.inf, phase_started)),
        places=places or {},
        since_resumed=phase_started if since_resumed is None else since_resumed,
        segments=segments,
        share=phase.share,
        assigned=assigned,
        earlier=earlier,
    )
    criteria = tuple(_criterion(scene, limit) for limit in phase.criteria)
    triggers = tuple(_trigger(scene, trigger) for trigger in plan.triggers)
    compared = tuple(guardrail_finding(scene, guardrail) for guardrail in plan.guardrails)
    split = assignment_finding(scene)
    return Verdict(
        phase=phase.name,
        at=now,
        elapsed_s=scene.elapsed_s,
        criteria=criteria,
        triggers=triggers,
        silent_s=scene.silent_s(),
        age_s=scene.age_s,
        state=worst(criteria),
        guardrails=(*compared, *([split] if split is not None else [])),
        assigned=assigned,
    )


def worst(criteria: tuple[Finding, ...]) -> FigureState:
    """Return the worst state among the criteria that gate.

    What only warns never gates, and what is not measured gates only where nothing else is measured: no measurement is
    not success.
    """
    gating = [f.state for f in criteria if f.figure not in WARN_ONLY]
    measured = [state for state in gating if state is not FigureState.NOT_MEASURED]
    return max(measured, key=lambda state: state.severity, default=FigureState.NOT_MEASURED)


# --- criteria


def _criterion(scene: Scene, limit: Limit) -> Finding:
    finding = _without_samples(scene, Role.CRITERION, limit, 0.0)
    if finding is None:
        counts = _counts(scene, scene.candidate, limit)
        if counts is not None and counts[1].sum() > 0:
            finding = _pooled_criterion(scene, limit, *counts)
        # A gauge that was told for the first time after this look is all NaN here.
        elif not np.isnan(values := scene.candidate.gauges.get(limit.figure.value, np.empty(0))).all():
            finding = _gauge_criterion(scene, limit, values)
        else:
            finding = _empty(scene, Role.CRITERION, limit, 0.0)
    return _unless_silent(scene, finding)


def _pooled_criterion(scene: Scene, limit: Limit, events: Ints, trials: Ints) -> Finding:
    plan, about = scene.plan, limit.figure
    share, high_is_bad, inclusive = bad_share(limit, Role.CRITERION)
    x, n = int(events.sum()), int(trials.sum())
    bad = x if high_is_bad else n - x
    finding = _measured(scene, Role.CRITERION, limit, scene.candidate, x, n)
    minimum = _minimum(plan, about)
    if n < minimum:
        return _collecting(scene, finding, minimum, n, scene.elapsed_s)
    low, high = evidence.bounds(bad, n, plan.confidence)
    slack = 1e-12
    if high < share - slack or (not inclusive and high <= share + slack):
        state = FigureState.PASS
    elif low > share + slack or (inclusive and low >= share - slack):
        state = FigureState.FAIL
    else:
        state = FigureState.INCONCLUSIVE
    if about.quantile is None:
        low, high = (low, high) if high_is_bad else (1 - high, 1 - low)
        finding = replace(finding, low=low, high=high)
    else:
        bound_low, bound_high = _quantile_bounds(scene.candidate, about.quantile, plan.confidence)
        finding = replace(finding, low=bound_low, high=bound_high)
    wait_s = None
    if state is FigureState.INCONCLUSIVE:
        factor = evidence.settles_after(bad, n, share, plan.confidence)
        wait_s = None if factor is None else (factor - 1) * scene.elapsed_s
    said = f"{finding.sentence}; must be {words.limit(limit)}"
    if state is FigureState.INCONCLUSIVE:
        said += f"; {_interval(finding)} at {words.percent(plan.confidence)} confidence: too close to tell"
        if wait_s is not None:
            said += f", about {words.roughly(wait_s)} more at this traffic would"
    return replace(finding, state=state, wait_s=wait_s, sentence=said)


def _gauge_criterion(scene: Scene, limit: Limit, values: Floats) -> Finding:
    """Judge what doesn't pool: samples that miss the limit, as a share of all, against N of M.

    Each sample counts as one trial, which takes them for independent: where a bad spell spans samples the interval is
    too narrow.
    """
    plan = scene.plan
    needed, of = plan.gauge_quorum
    wait_s: float | None
    told = values[~np.isnan(values)]
    missed = int(np.sum([not limit.holds(float(v)) for v in told]))
    finding = replace(
        _gauge_finding(scene, Role.CRITERION, limit, told, _span_s(scene.candidate)),
        events=missed,
        trials=told.size,
    )
    said = (
        f"{finding.sentence}, {words.count(missed)} of {words.count(told.size)} samples not {words.limit(limit)};"
        f" must be fewer than {needed} of {of}"
    )
    if told.size < of:
        wait_s = (of - told.size) * (scene.candidate.interval_s or plan.sample_s)
        said += f"; too few samples yet, {words.duration(wait_s)} to go"
        return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)
    if _is_stuck(limit.figure, told):
        return replace(finding, state=FigureState.INCONCLUSIVE, sentence=_stuck(finding, told))
    low, high = evidence.bounds(missed, told.size, plan.confidence)
    share = needed / of
    state = FigureState.PASS if high < share else FigureState.FAIL if low >= share else FigureState.INCONCLUSIVE
    wait_s = None
    if state is FigureState.INCONCLUSIVE:
        said += "; too close to tell"
        factor = evidence.settles_after(missed, told.size, share, plan.confidence)
        wait_s = None if factor is None else (factor - 1) * scene.elapsed_s
    return replace(finding, state=state, wait_s=wait_s, sentence=said)


# --- triggers


def _trigger(scene: Scene, trigger: Trigger) -> Finding:
    limit = trigger.limit
    if limit.figure in RELATIVE:
        return business_trigger(scene, trigger)
    finding = _without_samples(scene, Role.TRIGGER, limit, trigger.hold_s)
    if finding is None:
        counts = _counts(scene, scene.candidate, limit)
        if scene.is_silent(limit.figure):
            finding = _empty(scene, Role.TRIGGER, limit, trigger.hold_s)
        elif counts is not None and counts[1].sum() > 0:
            finding = _pooled_trigger(scene, trigger, *counts)
        elif limit.figure.value in scene.candidate.gauges:
            finding = _gauge_trigger(scene, trigger, scene.candidate.gauges[limit.figure.value])
        else:
            finding = _empty(scene, Role.TRIGGER, limit, trigger.hold_s)
    if finding.figure in WARN_ONLY:
        return replace(finding, then="")
    return finding


def window_s(plan: Plan, hold_s: float, interval_s: float) -> float:
    """Return how long a trigger's window is at least: the hold time, and two samples of the plan's or the source's."""
    return max(hold_s, 2 * max(plan.sample_s, interval_s))


def rule_of(plan: Plan, trigger: Trigger, interval_s: float = 0.0) -> evidence.Rule:
    """Return the breach rule of a trigger on a figure that pools.

    Args:
        plan, trigger: what the plan says.
        interval_s: plan seconds that the source's samples span, where that is longer than the plan's.
    """
    share, _, inclusive = bad_share(trigger.limit, Role.TRIGGER)
    minimum = _minimum(plan, trigger.limit.figure)
    return evidence.Rule(share, window_s(plan, trigger.hold_s, interval_s), minimum, plan.evidence, inclusive)


def bad_share(limit: Limit, role: Role) -> tuple[float, bool, bool]:
    """Return a limit as a share of bad events, whether these are the figure's own events, and whether the limit is bad.

    "error rate > 1.5 %" asks for the share of errors against 0.015; "availability < 99 %" for that of failed probes
    against 0.01; "p99 latency > 250 ms" for that of requests slower than 250 ms against 0.01.
    """
    upward = limit.op in {">", ">="}
    high_is_bad = upward if role is Role.TRIGGER else not upward
    at_limit_is_bad = (limit.op in {">=", "<="}) == (role is Role.TRIGGER)
    if limit.figure.quantile is not None:
        share = 1 - limit.figure.quantile if high_is_bad else limit.figure.quantile
        return round(share, 12), high_is_bad, False
    share = limit.value if high_is_bad else 1 - limit.value
    return min(1.0, max(0.0, round(share, 12))), high_is_bad, at_limit_is_bad


def _pooled_trigger(scene: Scene, trigger: Trigger, events: Ints, trials: Ints) -> Finding:
    limit, series = trigger.limit, scene.candidate
    rule = rule_of(scene.plan, trigger, series.interval_s)
    _, high_is_bad, _ = bad_share(limit, Role.TRIGGER)
    bad = events if high_is_bad else trials - events
    seen = evidence.look(rule, series.start, series.seconds, bad, trials, since=scene.started)
    first, begin, until = int(seen.first[0]), float(seen.begin[0]), float(series.end[-1])
    window = series.between(begin, until)
    x, n = int(events[first:].sum()), int(trials[first:].sum())
    finding = replace(
        _measured(scene, Role.TRIGGER, limit, window, x, n),
        hold_s=trigger.hold_s,
        span_s=max(0.0, until - max(begin, scene.started)),
    )
    finding = replace(finding, sentence=_said(finding))
    limit_text = f"limit {words.exact(limit.figure, limit.value)}"
    if not seen.enough[0]:
        missing_s = max(0.0, scene.started + rule.window_s - scene.now)
        return _collecting(scene, finding, rule.minimum, n, finding.span_s, missing_s)
    said = f"{finding.sentence}; {limit_text}"
    if not seen.breached[0]:
        if not rule.beyond(np.array([seen.bad[0]]), np.array([n]))[0]:
            return replace(finding, state=FigureState.PASS, sentence=said)
        why = (
            f"could still be chance ({words.probability(float(seen.tail[0]))})"
            if seen.beyond[0]
            else "not in each half of that time"
        )
        return replace(finding, state=FigureState.INCONCLUSIVE, sentence=f"{said}; {why}")
    then = trigger.then
    if scene.has_baseline and _baseline_as_bad(scene, trigger, rule, int(seen.bad[0]), n, begin, until):
        then = "halt"
        said += f"; the baseline is as bad{_baseline_said(finding)}"
    return replace(finding, state=FigureState.FAIL, then=then, sentence=said)


def _baseline_as_bad(
    scene: Scene, trigger: Trigger, rule: evidence.Rule, bad: int, trials: int, begin: float, until: float
) -> bool:
    """Say whether the baseline is beyond the limit, too, with as much evidence, and the candidate is not worse.

    Both over the candidate's window: the baseline has more traffic, so a window of its own would be shorter, and what
    hit both versions in the earlier part of the candidate's would count against the candidate alone.
    """
    series = scene.baseline.between(begin, until)
    counts = _counts(scene, series, trigger.limit)
    if counts is None or not counts[1].sum():
        return False
    _, high_is_bad, _ = bad_share(trigger.limit, Role.TRIGGER)
    base_bad = counts[0] if high_is_bad else counts[1] - counts[0]
    x, n = base_bad.sum(keepdims=True), counts[1].sum(keepdims=True)
    if not rule.beyond(x, n)[0] or evidence.binomial_tail(x, n, rule.share)[0] >= rule.evidence:
        return False
    return not evidence.is_worse(bad, trials, int(x[0]), int(n[0]), scene.plan.evidence)


def _gauge_trigger(scene: Scene, trigger: Trigger, values: Floats) -> Finding:
    plan, limit, series = scene.plan, trigger.limit, scene.candidate
    told = ~np.isnan(values)
    interval_s = max(plan.sample_s, series.interval_s)
    needs_s = window_s(plan, trigger.hold_s, series.interval_s)
    needed, of = evidence.quorum(*plan.gauge_quorum, needs_s, interval_s)
    rows = np.flatnonzero(told)[-of:]
    last = values[rows]
    until = float(series.end[rows[-1]])
    finding = _gauge_finding(scene, Role.TRIGGER, limit, last, until - float(series.start[rows[0]]))
    beyond = int(np.sum([limit.holds(float(v)) for v in last]))
    said = (
        f"{finding.sentence}, {beyond} of the last {last.size} samples {words.limit(limit)}; acts at {needed} of {of}"
    )
    finding = replace(finding, hold_s=trigger.hold_s, events=beyond, trials=last.size, sentence=said)
    missing_s = scene.started + needs_s - until
    if missing_s > TOLERANCE_S or last.size < needed:
        wait_s = max(missing_s, (needed - last.size) * interval_s)
        said += f"; too early to tell, {words.duration(wait_s)} to go"
        return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)
    if beyond < needed:
        return replace(finding, state=FigureState.PASS)
    if _is_stuck(limit.figure, last):
        return replace(finding, state=FigureState.INCONCLUSIVE, sentence=_stuck(finding, last))
    then = trigger.then
    base = scene.baseline.gauges.get(limit.figure.value, np.empty(0)) if scene.has_baseline else np.empty(0)
    base = base[~np.isnan(base)][-of:]
    _, high_is_bad, _ = bad_share(limit, Role.TRIGGER)
    if sum(limit.holds(float(v)) for v in base) >= needed and not evidence.are_worse(
        last, base, high_is_bad=high_is_bad, level=1 - plan.confidence
    ):
        then = "halt"
        said += f"; the baseline is as bad{_baseline_said(finding)}"
    return replace(finding, state=FigureState.FAIL, then=then, sentence=said)


# --- figures without samples


def _without_samples(scene: Scene, role: Role, limit: Limit, hold_s: float) -> Finding | None:
    """Judge what is not in the samples; None of what is."""
    about = limit.figure
    if about is Figure.INCIDENTS:
        return _incidents(scene, role, limit, hold_s)
    if about in RELATIVE and role is Role.CRITERION:
        return business_criterion(scene, limit)
    if about is Figure.SEGMENT_SPREAD:
        return _segment_spread(scene, role, limit, hold_s)
    if limit.op == "==":
        said = f"{about.label}: no sample can show that it is {words.limit(limit)}; use <, <=, > or >="
        state = FigureState.INCONCLUSIVE if role is Role.CRITERION else FigureState.NOT_MEASURED
        return plain(role, limit, state, said, hold_s)
    return None


def _segment_spread(scene: Scene, role: Role, limit: Limit, hold_s: float) -> Finding:
    label = limit.figure.label
    if not scene.has_baseline:
        said = f"{label}: not measured, no learner is left at the baseline to compare with"
        return plain(role, limit, FigureState.NOT_MEASURED, said, hold_s)
    told = None if scene.segments is None else scene.segments.totals(scene.started, scene.now)
    if role is Role.TRIGGER or told is None or not told[0]:
        why = "only as a criterion" if role is Role.TRIGGER else "no sample tells its segment"
        return plain(role, limit, FigureState.NOT_MEASURED, f"{label}: not measured, {why}", hold_s)
    finding = plain(role, limit, FigureState.COLLECTING, "", hold_s)
    return spread_finding(finding, limit, told, scene.plan.min_requests, scene.elapsed_s)


def _incidents(scene: Scene, role: Role, limit: Limit, hold_s: float) -> Finding:
    count = scene.open_incidents
    if count is None:
        said = f"{limit.figure.label}: not measured, no source gives it"
        return plain(role, limit, FigureState.NOT_MEASURED, said, hold_s)
    bad = limit.holds(count) if role is Role.TRIGGER else not limit.holds(count)
    said = f"{words.count(count)} open {'incident' if count == 1 else 'incidents'}"
    said += f"; {'limit' if role is Role.TRIGGER else 'must be'} {words.limit(limit)}"
    state = FigureState.FAIL if bad else FigureState.PASS
    return replace(plain(role, limit, state, said, hold_s), value=float(count))


# --- shared


def _minimum(plan: Plan, about: Figure) -> int:
    return plan.min_requests if about.quantile is None else plan.min_requests_quantile


def _counts(scene: Scene, series: Series, limit: Limit) -> tuple[Ints, Ints] | None:
    return series.counts(limit.figure, limit.value, scene.plan.latency_limit_ms())


def _empty(scene: Scene, role: Role, limit: Limit, hold_s: float) -> Finding:
    """Say why there is no figure: its source is silent, it has nothing to say yet, or nobody gives it."""
    about, series = limit.figure, scene.candidate
    label = about.label
    if scene.is_silent(about):
        said = f"{label}: no sample for {words.duration(scene.silent_s(about))}"
        return plain(role, limit, FigureState.SILENT, said, hold_s)
    of_requests = about in _OF_REQUESTS or about.quantile is not None
    untold = series.counts(about, limit.value, None) is None and about not in WARN_ONLY
    if not len(series):
        return plain(role, limit, FigureState.COLLECTING, f"{label}: no sample yet", hold_s)
    if of_requests and not untold and not series.total("requests"):
        fallbacks = series.total("fallbacks")
        said = (
            f"{label}: the fallback served all {words.count(fallbacks)} requests, {scene.plan.candidate} none"
            if fallbacks
            else f"{label}: no request yet"
        )
        return plain(role, limit, FigureState.COLLECTING, said, hold_s)
    return plain(role, limit, FigureState.NOT_MEASURED, f"{label}: not measured, no source gives it", hold_s)


def _unless_silent(scene: Scene, finding: Finding) -> Finding:
    """A source that stopped makes of a figure silence, unless it has failed already."""
    apart = {Figure.INCIDENTS, Figure.SEGMENT_SPREAD, *RELATIVE}
    keeps = {FigureState.FAIL, FigureState.SILENT, FigureState.NOT_MEASURED}
    if finding.figure in apart or finding.state in keeps or not scene.is_silent(finding.figure):
        return finding
    said = f"no sample for {words.duration(scene.silent_s(finding.figure))}; until then: {finding.sentence}"
    return replace(finding, state=FigureState.SILENT, sentence=said, wait_s=None)


def _value(series: Series, about: Figure, events: int, trials: int) -> float | None:
    if about.quantile is not None:
        return series.quantile(about.quantile)
    return events / trials if trials else None


def _measured(scene: Scene, role: Role, limit: Limit, series: Series, events: int, trials: int) -> Finding:
    """Return a finding with a pooled figure's numbers and the part of the sentence that tells them."""
    about = limit.figure
    finding = Finding(
        role=role,
        limit=limit,
        state=FigureState.PASS,
        sentence="",
        value=_value(series, about, events, trials),
        baseline=_baseline_value(scene, limit, series),
        events=events,
        trials=trials,
        span_s=_span_s(series),
    )
    return replace(finding, sentence=_said(finding))


def _said(finding: Finding) -> str:
    about, value = finding.figure, finding.value
    events, trials = words.count(finding.events or 0), words.count(finding.trials or 0)
    told = about.label if value is None else f"{about.label} {words.figure(about, value)}"
    told += f" over {words.duration(finding.span_s)}"
    if about.quantile is not None:
        share = words.percent((finding.events or 0) / finding.trials) if finding.trials else "none"
        return f"{told}, {events} of {trials} requests ({share}) slower than {words.exact(about, finding.limit.value)}"
    return f"{told}, {events} of {trials} {_COUNTED.get(about, 'requests')}"


def _baseline_value(scene: Scene, limit: Limit, series: Series) -> float | None:
    if not scene.has_baseline or not len(series):
        return None
    same = scene.baseline.between(float(series.start[0]), float(series.end[-1]))
    counts = _counts(scene, same, limit)
    if counts is None:
        return None
    return _value(same, limit.figure, int(counts[0].sum()), int(counts[1].sum()))


def _baseline_said(finding: Finding) -> str:
    return "" if finding.baseline is None else f": {words.figure(finding.figure, finding.baseline)}"


def _span_s(series: Series) -> float:
    return float(series.end[-1] - series.start[0]) if len(series) else 0.0


def _collecting(
    scene: Scene, finding: Finding, minimum: int, trials: int, over_s: float, missing_s: float = 0.0
) -> Finding:
    """Say how long it will take until there is enough, at the traffic seen so far."""
    unit = _TRIALS.get(finding.figure, "requests")
    wait_s: float | None = missing_s
    if trials < minimum:
        rate = trials / over_s if over_s > 0 else 0.0
        wait_s = max(missing_s, (minimum - trials) / rate) if rate > 0 else None
        said = f"{finding.sentence}; {words.count(minimum)} {unit} needed"
    else:
        said = f"{finding.sentence}; too early to tell"
    if wait_s is not None:
        said += (
            f", about {words.roughly(wait_s)} to go at this traffic"
            if trials < minimum
            else f", {words.duration(wait_s)} to go"
        )
    elif scene.elapsed_s > 0:
        said += ", no traffic to tell how long"
    return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)


def _quantile_bounds(series: Series, q: float, confidence: float) -> tuple[float | None, float | None]:
    """One-sided bounds of a latency quantile, milliseconds, by the ranks that bound it."""
    counts = series.latency.sum(axis=0)
    n = int(counts.sum())
    if n == 0:
        return None, None
    upto = np.cumsum(counts)
    low, high = evidence.quantile_ranks(n, q, confidence)

    def at(rank: int) -> float | None:
        return float(histogram.MIDDLES[int(np.searchsorted(upto, rank))]) if 1 <= rank <= n else None

    return at(low), at(high)


def _interval(finding: Finding) -> str:
    about = finding.figure
    low = words.figure(about, finding.low) if finding.low is not None else "unknown"
    high = words.figure(about, finding.high) if finding.high is not None else "unknown"
    return f"{low} to {high}"


def _gauge_finding(scene: Scene, role: Role, limit: Limit, told: Floats, span_s: float) -> Finding:
    about = limit.figure
    value = float(np.median(told))
    base = scene.baseline.gauges.get(about.value, np.empty(0)) if scene.has_baseline else np.empty(0)
    base = base[~np.isnan(base)][-told.size :]
    return Finding(
        role=role,
        limit=limit,
        state=FigureState.PASS,
        sentence=f"{about.label} {words.figure(about, value)} (median) over {words.duration(span_s)}",
        value=value,
        baseline=float(np.median(base)) if base.size else None,
        span_s=span_s,
    )


def _is_stuck(about: Figure, told: Floats) -> bool:
    """A gauge that doesn't move in three samples or more is a stuck source, unless it is as good as can be (100 %)."""
    return told.size >= 3 and float(np.ptp(told)) == 0.0 and float(told[0]) != _BEST.get(about)


def _stuck(finding: Finding, told: Floats) -> str:
    return f"{finding.sentence}; exactly the same in {told.size} samples: a stuck source is not evidence"

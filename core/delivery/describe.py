"""A plan as a person would say it: what happens, what each criterion needs to be conclusive, and what is unwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.delivery import words
from core.delivery.advice import (
    shortage,
    unmeasured_criterion,
    unmeasured_guardrail,
    unmeasured_trigger,
    warnings,
)
from core.delivery.assignment import ALPHA as SPLIT_ALPHA
from core.delivery.detection import HARM, time_until_seen
from core.delivery.needs import Traffic, rate_of, window
from core.delivery.plan import COMPARED_COUNTS, RELATIVE, WARN_ONLY, Figure, Guardrail, Limit, Phase, Plan, Trigger
from core.delivery.quantities import say_duration, say_moment, say_share
from core.delivery.simulate import HEALTHY
from core.experiments.sequential import BURN_IN, KNOWN_LOOKS, LASTING_LOOKS

_OVER = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}


@dataclass(frozen=True, slots=True)
class CriterionDescription:
    """What a criterion asks for.

    Attributes:
        sentence: the criterion, and what it takes to meet it in this phase.
        measured: False where it can't be and so gates nothing.
        needs: trials (requests, probes, compared answers) without which it can't be met; None of no rate.
        expected: trials that the phase brings.
        allowed: how many of the expected may be bad; None where even none is too many.
        power: how probably a candidate twice as good as the limit meets it.
    """

    figure: str
    sentence: str
    measured: bool
    needs: int | None = None
    expected: int | None = None
    allowed: int | None = None
    power: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseDescription:
    """What happens in a phase.

    Attributes:
        share: part of the learners. learners: as a number, None where the plan isn't told how many there are.
        starts: "2025-10-31 12:00 UTC" or None. lasts_s, checkpoints: plan seconds.
        samples: of the candidate. requests, probes: that it will see at the assumed traffic.
        sentences: all of it but the criteria.
    """

    name: str
    share: float
    learners: int | None
    starts: str | None
    lasts_s: float
    permanent: bool
    checkpoints: tuple[float, ...]
    samples: int
    requests: int
    probes: int
    sentences: tuple[str, ...]
    criteria: tuple[CriterionDescription, ...]


@dataclass(frozen=True, slots=True)
class TriggerDescription:
    """What acts at once.

    Attributes:
        window_s: plan seconds that the window spans in the first phase, where data is scarcest; None: it never fills
            there, or isn't measured.
        trials: that it then holds; None of no rate. acts_from: how many must be bad; None where all aren't enough.
    """

    figure: str
    then: str
    sentence: str
    window_s: float | None
    trials: int | None = None
    acts_from: int | None = None


@dataclass(frozen=True, slots=True)
class SeenAfter:
    """How long a harm would take to be seen in half of all roll-outs, computed.

    Attributes:
        phase: its name. rate: of the baseline's bad requests. ratio: of the candidate's to it.
        seconds: of the plan's time. within: the phase lasts that long.
    """

    phase: str
    rate: float
    ratio: float
    seconds: float
    within: bool


@dataclass(frozen=True, slots=True)
class GuardrailDescription:
    """What is compared with the baseline at every sample. `alpha`: in each phase."""

    figure: str
    then: str
    sentence: str
    alpha: float
    seen_after: tuple[SeenAfter, ...]


@dataclass(frozen=True, slots=True)
class PlanDescription:
    """A plan in words. `headline` and `rules` are sentences; `warnings` say what is unwise or isn't measured."""

    name: str
    flag: str
    baseline: str
    candidate: str
    simulated: str
    requests_per_s: float
    probes_per_s: float
    headline: tuple[str, ...]
    phases: tuple[PhaseDescription, ...]
    triggers: tuple[TriggerDescription, ...]
    guardrails: tuple[GuardrailDescription, ...]
    rules: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as what `json.dumps` takes."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """Return it as plain text, a paragraph each part."""

        def bullets(sentences: Iterable[str]) -> list[str]:
            return [f"  - {s}" for s in sentences]

        lines = list(self.headline)
        for number, phase in enumerate(self.phases, start=1):
            lines += ["", f"Phase {number}, {phase.name}", *(f"  {s}" for s in phase.sentences), "  Criteria"]
            lines += [f"  {b}" for b in bullets(c.sentence for c in phase.criteria)]
        lines += ["", "In every phase, at once", *bullets(t.sentence for t in self.triggers)]
        if self.guardrails:
            lines += ["", "Against the baseline, at every sample", *bullets(g.sentence for g in self.guardrails)]
        lines += ["", "How it is judged", *bullets(self.rules)]
        if self.warnings:
            lines += ["", "Warnings", *bullets(self.warnings)]
        return "\n".join(lines)


def describe(
    plan: Plan,
    *,
    requests_per_s: float,
    probes_per_s: float = 1.0,
    candidate_per_s: float = 0.0,
    learners: int | None = None,
) -> PlanDescription:
    """Describe a plan at a traffic; the arguments are those of `Traffic`.

    Raises:
        ValueError: a figure of the traffic is negative or no number.
    """
    traffic = Traffic(requests_per_s, probes_per_s, candidate_per_s, learners)
    return PlanDescription(
        name=plan.name,
        flag=plan.flag,
        baseline=plan.baseline,
        candidate=plan.candidate,
        simulated=plan.simulated,
        requests_per_s=requests_per_s,
        probes_per_s=probes_per_s,
        headline=tuple(_headline(plan, traffic)),
        phases=tuple(_phase(plan, index, traffic) for index in range(len(plan.phases))),
        triggers=tuple(_trigger(plan, trigger, traffic) for trigger in plan.triggers),
        guardrails=tuple(_guardrail(plan, guardrail, traffic) for guardrail in plan.guardrails),
        rules=tuple(_rules(plan)),
        warnings=tuple(warnings(plan, traffic)),
    )


# --- Sentences -------------------------------------------------------------------------------------------------------


def _headline(plan: Plan, traffic: Traffic) -> Iterator[str]:
    shares = _joined([say_share(p.share) for p in plan.phases], "then")
    yield (
        f"{plan.name}: {plan.candidate} takes over from {plan.baseline} behind the flag {plan.flag}, "
        f"for {shares} of the learners."
    )
    if plan.simulated:
        yield f"Simulated: {plan.simulated}."
    floor = f" ({traffic.candidate_per_s:,.6g} at least to {plan.candidate})" if traffic.candidate_per_s else ""
    yield (
        f"Assumed in each second of the plan's time: requests {traffic.requests_per_s:,.6g}{floor}, health probes of "
        f"{plan.candidate} {traffic.probes_per_s:,.6g}."
    )


def _phase(plan: Plan, index: int, traffic: Traffic) -> PhaseDescription:
    phase = plan.phases[index]
    per_s = traffic.to_candidate(phase.share)
    learners = None if traffic.learners is None else round(phase.share * traffic.learners)
    samples = int(phase.lasts_s / plan.sample_s + 1e-9)
    a_sample = per_s * plan.sample_s
    per_sample = words.count(a_sample) if a_sample >= 10 else f"{a_sample:.2g}"
    requests, probes = int(per_s * phase.lasts_s + 1e-6), int(traffic.probes_per_s * phase.lasts_s + 1e-6)

    who = f"{say_share(phase.share)} of the learners"
    if learners is not None and traffic.learners is not None:
        who += f" ({words.count(learners)} of {words.count(traffic.learners)})"
    others = f", the others {plan.baseline}" if phase.has_baseline else ""
    if phase.hold_back:
        others = f"; {say_share(phase.hold_back)} are held back with {plan.baseline}, to compare with"
    sentences = [
        f"{who} get {plan.candidate}{others}.",
        f"{_begins(plan, index)}, {_lasts(phase)}.",
        f"{words.count(samples)} samples; {plan.candidate} answers about {words.count(requests)} requests "
        f"({per_sample} a sample) and {words.count(probes)} health probes.",
        f"Judged {_checkpoints(phase)}.",
        _end(plan, index),
    ]
    return PhaseDescription(
        name=phase.name,
        share=phase.share,
        learners=learners,
        starts=None if phase.starts is None else say_moment(phase.starts),
        lasts_s=phase.lasts_s,
        permanent=phase.permanent,
        checkpoints=phase.checkpoints,
        samples=samples,
        requests=requests,
        probes=probes,
        sentences=tuple(sentences),
        criteria=tuple(_criterion(plan, phase, limit, traffic) for limit in phase.criteria),
    )


def _begins(plan: Plan, index: int) -> str:
    phase = plan.phases[index]
    if index > 0 and (plan.skip_gaps or phase.starts is None):
        return f"Begins as soon as {plan.phases[index - 1].name} is passed"
    if phase.starts is None or plan.skip_gaps:
        return "Begins when it is started"
    return f"Begins {say_moment(phase.starts)}"


def _lasts(phase: Phase) -> str:
    if phase.permanent:
        return f"stays for good; completed after {say_duration(phase.lasts_s)}, and triggers stay armed"
    return f"lasts {say_duration(phase.lasts_s)}"


def _checkpoints(phase: Phase) -> str:
    times = phase.checkpoints
    step = times[0]
    if len(times) > 2 and all(abs(t - step * i) < 1e-6 for i, t in enumerate(times, start=1)):
        return f"every {say_duration(step)}, {len(times)} times; the last one decides"
    if len(times) == 1:
        return f"once, at its end, after {say_duration(step)}"
    return f"after {_joined([say_duration(t) for t in times], 'and')}; the last one decides"


def _end(plan: Plan, index: int) -> str:
    last = index == len(plan.phases) - 1
    passed = "completed" if last else f"on to {plan.phases[index + 1].name}"
    asked = plan.phases[index].sign_off
    if asked is not None:
        passed += f", after sign-off by {asked.quorum} of {', '.join(asked.seats)}"
    failed = "holds for a person" if plan.phases[index].at_end == "hold" else "rolls back"
    return f"All criteria met: {passed}. One not met: {failed}. Too little data, or inconclusive: holds for a person."


def _criterion(plan: Plan, phase: Phase, limit: Limit, traffic: Traffic) -> CriterionDescription:
    figure = limit.figure
    what = f"{figure.label} {words.limit(limit)}"
    unmeasured = unmeasured_criterion(plan, figure, phase)
    if unmeasured:
        return CriterionDescription(figure, f"{what}: not measured, {unmeasured}; shown, gates nothing", measured=False)
    rate = rate_of(plan, limit, traffic, phase.share)
    if rate is None:
        return CriterionDescription(figure, _unrated(plan, limit), measured=True)
    expected, needs = rate.in_time(phase.lasts_s), rate.needed(plan.confidence)
    allowed = rate.allowed(expected, plan.confidence)
    if allowed is None:
        how = f"can't be shown here: {shortage(rate, needs, expected)}"
        return CriterionDescription(figure, f"{what}: {how}", True, needs, expected)
    most = f"at most {words.count(allowed)} of" if allowed else "none of"
    part = f" ({words.percent(allowed / expected)})" if allowed else ""
    met = f"met while {most} {words.count(expected)} {rate.trials} {rate.bad}{part}"
    how = f"{met}; needs at least {words.count(needs)}"
    power = rate.power(expected, allowed)
    return CriterionDescription(figure, f"{what}: {how}", True, needs, expected, allowed, power)


def _unrated(plan: Plan, limit: Limit) -> str:
    what = f"{limit.figure.label} {words.limit(limit)}"
    if limit.figure in WARN_ONLY:
        return f"{what}: warns only"
    if limit.figure in RELATIVE:
        per = "" if limit.figure is Figure.ROI else f", per {plan.revenue_unit}"
        return (
            f"{what}: looked at once, at the end{per}; met where the interval around it shows no "
            "harm, and printed with the smallest harm it could have shown"
        )
    if limit.figure is Figure.SEGMENT_SPREAD:
        return (
            f"{what}: of success rate and mean latency; met where each segment's effect surely lies that near the "
            "overall one; not measured while samples don't tell segments"
        )
    return "no open incident of this deployment" if limit.op == "==" else f"{what}, of this deployment"


def _trigger(plan: Plan, trigger: Trigger, traffic: Traffic) -> TriggerDescription:
    limit, first = trigger.limit, plan.phases[0]
    verb = "Rolls back" if trigger.then == "roll back" else "Holds"
    sentence = f"{verb} when {_beyond(plan, limit)}, for {say_duration(trigger.hold_s)}"
    if unmeasured := unmeasured_trigger(plan, limit.figure):
        sentence = f"{sentence}: not measured, {unmeasured}; never acts."
        return TriggerDescription(limit.figure, trigger.then, sentence, None)
    rate = rate_of(plan, limit, traffic, first.share)
    if limit.figure in RELATIVE:
        how = "the whole interval of the phase so far, valid at every look, must be beyond it"
        return TriggerDescription(limit.figure, trigger.then, f"{sentence}: {how}.", trigger.hold_s)
    if rate is None:
        return TriggerDescription(limit.figure, trigger.then, f"{sentence}.", trigger.hold_s)
    window_s = window(plan, trigger, rate)
    if window_s > first.lasts_s:
        return TriggerDescription(
            limit.figure,
            trigger.then,
            f"{sentence}. In {first.name} there are too few {rate.trials} for it to act.",
            None,
            rate.in_time(first.lasts_s),
        )
    trials = max(rate.in_time(window_s), rate.minimum)
    least = rate.acts_from(trials, plan.evidence)
    grown = f", grown to {say_duration(window_s)}," if window_s > trigger.hold_s else ""
    acts = "not even all of them would be evidence" if least is None else f"acts once {words.count(least)} {rate.bad}"
    return TriggerDescription(
        limit.figure,
        trigger.then,
        f"{sentence}. In {first.name} this window{grown} holds about {words.count(trials)} {rate.trials}: {acts}.",
        window_s,
        trials,
        least,
    )


def _guardrail(plan: Plan, guardrail: Guardrail, traffic: Traffic) -> GuardrailDescription:
    figure, alpha = guardrail.figure, plan.alpha_of(guardrail)
    verb = "Rolls back" if guardrail.then == "roll back" else "Holds"
    more = "more" if guardrail.limit.op.startswith(">") else "less"
    than = f"{more} than {plan.baseline}'s" if guardrail.margin == 1 else f"{more} than {guardrail.margin:g} times "
    than = than if guardrail.margin == 1 else f"{than}{plan.baseline}'s"
    slow = ""
    if figure is Figure.SLOW_REQUESTS and (limit_ms := plan.latency_limit_ms()) is not None:
        slow = f" (slower than {words.exact(Figure.LATENCY_P99, limit_ms)})"
    what = f"{plan.candidate}'s {figure.label}{slow}{words.place(guardrail)}"
    sentence = f"{verb} when {what} is shown to be {than}, p at most {words.exact_probability(alpha)} at every look"
    if unmeasured := unmeasured_guardrail(plan, guardrail):
        return GuardrailDescription(figure, guardrail.then, f"{sentence}: not measured, {unmeasured}.", alpha, ())
    if guardrail.figure not in COMPARED_COUNTS:
        ranks = f"{sentence}. Compared sample by sample, by rank, where a source gives it ready-made."
        return GuardrailDescription(figure, guardrail.then, ranks, alpha, ())
    seen = tuple(_seen(plan, guardrail, traffic))
    told = [_told(phase, [s for s in seen if s.phase == phase.name]) for phase in plan.phases]
    if seen:
        sentence += f". Computed at this traffic, {seen[0].ratio:g} times {plan.baseline}'s would be seen"
        sentence += f" {'; '.join(t for t in told if t)}"
    return GuardrailDescription(figure, guardrail.then, f"{sentence}.", alpha, seen)


def _seen(plan: Plan, guardrail: Guardrail, traffic: Traffic) -> Iterator[SeenAfter]:
    figure = Figure.LATENCY_P99 if guardrail.figure is Figure.SLOW_REQUESTS else guardrail.figure
    ratio = HARM if guardrail.margin < HARM else 2 * guardrail.margin
    for phase in plan.phases:
        for condition in HEALTHY:
            seconds = time_until_seen(plan, guardrail, phase, traffic, condition.rate(figure), ratio)
            if seconds is not None:
                yield SeenAfter(phase.name, condition.rate(figure), ratio, seconds, seconds <= phase.lasts_s)


def _told(phase: Phase, seen: list[SeenAfter]) -> str:
    if not seen:
        return ""
    times = [f"{words.roughly(s.seconds)} where that is {words.percent(s.rate)}" for s in seen]
    end = "" if all(s.within for s in seen) else f" (the phase lasts {say_duration(phase.lasts_s)})"
    return f"in {phase.name} after about {_joined(times, 'or')}{end}"


def _beyond(plan: Plan, limit: Limit) -> str:
    figure, over, value = limit.figure, _OVER.get(limit.op, ""), words.exact(limit.figure, limit.value)
    if figure is Figure.ERROR_RATE:
        return f"{over} {value} of requests fail"
    if figure is Figure.AVAILABILITY:
        return f"{over} {value} of health probes are answered"
    if figure is Figure.DISAGREEMENT:
        return f"{over} {value} of {plan.candidate}'s answers differ from {plan.baseline}'s"
    if figure is Figure.FALLBACK_RATE:
        return f"{over} {value} of {plan.candidate}'s requests are served by the fallback"
    if figure.quantile is not None:
        return (
            f"{over} {say_share(round(1 - figure.quantile, 12))} of requests take longer than {value} ({figure.label})"
        )
    if figure is Figure.INCIDENTS:
        return f"{over} {value} incidents of this deployment are open"
    return f"{figure.label} is {words.limit(limit)}"


def _rules(plan: Plan) -> Iterator[str]:
    yield (
        f"A sample spans {say_duration(plan.sample_s)}. A rate is judged from {words.count(plan.min_requests)} "
        f"requests on, a latency quantile from {words.count(plan.min_requests_quantile)}."
    )
    yield f"A criterion is met when the phase so far clears its limit at {say_share(plan.confidence)} confidence."
    yield (
        "A trigger acts when its figure is beyond the limit in the window and in each half of it, which chance alone "
        f"would do in less than {say_share(plan.evidence)} of windows. If {plan.baseline} is as bad, it halts instead."
    )
    yield (
        f"Without samples for {say_duration(plan.silent_after_s)} it holds, for {say_duration(plan.silent_rollback_s)} "
        "it rolls back."
    )
    if plan.compare_share > 0:
        yield f"{say_share(plan.compare_share)} of {plan.candidate}'s answers are compared with {plan.baseline}'s."
    if plan.guardrails or plan.relative_triggers():
        tests = len(plan.guardrails) + len(plan.relative_triggers())
        yield (
            f"A candidate that is no worse than allowed is stopped by any comparison with {plan.baseline} in at most "
            f"{say_share(plan.guardrail_alpha)} of attempts, however often one looks: the chance is split over "
            f"{tests} {'comparison' if tests == 1 else 'comparisons'} and the phases with a baseline."
        )
    if plan.dispersion is None and any(g.figure in COMPARED_COUNTS for g in plan.guardrails):
        known, burn_in = (words.duration(looks * plan.sample_s) for looks in (KNOWN_LOOKS, BURN_IN))
        yield (
            f"Record {plan.baseline} for {known} before the start: with less, comparisons of counts take longer, and"
            f" say nothing for the first {burn_in}, until it shows how failures vary. One that hardly ever fails can't"
            f" show that: a fault next to it has to last {words.duration(LASTING_LOOKS * plan.sample_s)} or more."
        )
    if any(limit.figure is Figure.REVENUE for limit in _limits(plan)):
        yield f"Revenue is counted per {plan.revenue_unit}, in {plan.currency}."
    needed, of = plan.gauge_quorum
    yield f"A figure that comes ready-made, without counts, is beyond its limit when {needed} of {of} samples are."
    if plan.split_check:
        yield (
            "Where a source tells learners, a phase is held when they don't get the versions in its shares"
            f" ({words.exact_probability(SPLIT_ALPHA)} at every look together)."
        )
    else:
        yield "Whether learners get the versions in the planned shares isn't checked."
    if plan.skip_gaps:
        yield "Gaps are skipped: a phase begins as soon as the one before is passed, whatever its date."


def _limits(plan: Plan) -> Iterator[Limit]:
    """Yield every limit that the plan names."""
    yield from (trigger.limit for trigger in plan.triggers)
    for phase in plan.phases:
        yield from phase.criteria


def _joined(parts: list[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"

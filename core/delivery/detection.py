"""How long until a guardrail would see a harm, said before a phase begins: computed from its test and the traffic."""

from __future__ import annotations

from core.delivery import words
from core.delivery.guardrails import ratio_test
from core.delivery.needs import Traffic
from core.delivery.plan import COMPARED_COUNTS, Figure, Guardrail, Phase, Plan
from core.experiments.sequential import looks_until_seen

HARM = 1.5
"""A candidate half as bad again as the baseline: what people ask about first."""

_FEW = 10  # errors of the baseline from which on a rate is told from them


def error_guardrail(plan: Plan) -> Guardrail | None:
    """Return the guardrail on everybody's error rate, or None."""
    return next((g for g in plan.guardrails if g.figure is Figure.ERROR_RATE and not (g.segment or g.region)), None)


def time_until_seen(
    plan: Plan, guardrail: Guardrail, phase: Phase, traffic: Traffic, rate: float, ratio: float = HARM
) -> float | None:
    """Return about how many plan seconds a guardrail on counts takes to see a harm in half of all roll-outs.

    Args:
        plan, guardrail, phase: what is asked, and with how much of the learners.
        traffic: what comes, per plan-second.
        rate: of the baseline's bad requests. ratio: of the candidate's rate to it.

    Returns:
        None where it never does: nothing to compare with, no bad request, or a harm within the margin.
    """
    requests = traffic.requests_per_s
    if guardrail.figure not in COMPARED_COUNTS or not phase.has_baseline or requests <= 0:
        return None
    share = traffic.to_candidate(phase.share) / requests
    looks = looks_until_seen(ratio_test(plan, guardrail, phase.lasts_s), ratio, rate * requests * plan.sample_s, share)
    return None if looks is None else looks * plan.sample_s


def outlook(plan: Plan, phase: Phase, traffic: Traffic, errors: int, requests: int) -> str:
    """Say how long an error rate half as bad again as the baseline's would take to be seen in a phase to come.

    Args:
        plan, phase: what is to come.
        traffic: measured. errors, requests: of the baseline, measured lately.
    """
    guardrail = error_guardrail(plan)
    worse = f"an error rate {HARM:g} times {plan.baseline}'s"
    if not phase.has_baseline:
        return f"In {phase.name} {worse} can't be seen as such: nobody is left with {plan.baseline} to compare with."
    if guardrail is None:
        return f"No guardrail compares error rates, so that {worse} is seen in {phase.name} only beyond a fixed limit."
    if not requests or not traffic.requests_per_s:
        return f"How long {worse} would take to be seen in {phase.name} can't be computed yet: there is no traffic."
    few = errors < _FEW
    # Of hardly any errors nobody knows the rate: the most that it may be gives the shortest time that it may take.
    rate = (errors + 3.0 if few else errors) / requests
    ratio = HARM if guardrail.margin < HARM else 2 * guardrail.margin
    seconds = time_until_seen(plan, guardrail, phase, traffic, rate, ratio)
    worse = f"an error rate {ratio:g} times {plan.baseline}'s"
    measured = (
        f"{words.count(errors)} {'error' if errors == 1 else 'errors'} in {words.count(requests)} requests"
        if few
        else words.percent(rate)
    )
    at = f"at {traffic.requests_per_s:,.3g} requests a second and {measured} of {plan.baseline}, as measured lately"
    if seconds is None:
        return f"In {phase.name} {worse} would never be seen, {at}."
    lasts = f" (the phase lasts {words.duration(phase.lasts_s)})" if seconds > phase.lasts_s else ""
    least = "at least " if few else "about "
    return f"In {phase.name} {worse} would be seen after {least}{words.roughly(seconds)}{lasts}, computed {at}."

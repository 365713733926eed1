"""How long until a guardrail would see a harm, said before a phase begins: computed from its test and the traffic."""

from __future__ import annotations

from core.delivery.guardrails import ratio_test
from core.delivery.needs import Traffic
from core.delivery.plan import COMPARED_COUNTS, Figure, Guardrail, Phase, Plan
from core.experiments.sequential import looks_until_seen

HARM = 1.5
"""A candidate half as bad again as the baseline: what people ask about first."""


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

"""A plan -> what its check shows on a page. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery import Plan, describe


@dataclass(frozen=True, slots=True)
class PlanPart:
    """A heading and its sentences."""

    title: str
    sentences: tuple[str, ...]
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan in words."""

    headline: tuple[str, ...]
    parts: tuple[PlanPart, ...]
    warnings: tuple[str, ...]


def told(plan: Plan, requests_per_s: float, learners: int) -> PlanView:
    """Say a plan as a person would, with what each phase will see at a traffic."""
    said = describe(plan, requests_per_s=requests_per_s, learners=learners)
    parts = [
        PlanPart(phase.name.capitalize(), phase.sentences, tuple(c.sentence for c in phase.criteria))
        for phase in said.phases
    ]
    parts.append(PlanPart("At once, in every phase", (), tuple(t.sentence for t in said.triggers)))
    if said.guardrails:
        parts.append(PlanPart("Against the baseline, at every sample", (), tuple(g.sentence for g in said.guardrails)))
    return PlanView(said.headline, tuple(parts), said.warnings)

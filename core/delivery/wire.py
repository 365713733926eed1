"""Verdicts and statuses as plain JSON values, and verdicts back again: what the store, the API and `--json` carry.

Servers of two versions may share a store for a while (an update, and back): what a version adds goes under keys of its
own, which those before pass over, and a finding or field that isn't known here is passed over, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from core.delivery.model import Assigned, FigureState, Finding, Role, Seen, Status, Verdict
from core.delivery.plan import Figure, Guardrail, Limit

_FIGURES, _STATES, _ROLES = frozenset(Figure), frozenset(FigureState), frozenset(Role)
_NUMBERS = (
    "low", "high", "baseline", "events", "trials", "ratio", "ratio_low", "ratio_high", "p_value", "alpha",
)  # fmt: skip


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON values; `verdict_from_json` gives the same verdict back."""
    return {
        "phase": verdict.phase,
        "at": verdict.at,
        "elapsed_s": verdict.elapsed_s,
        "silent_s": verdict.silent_s,
        "age_s": verdict.age_s,
        "state": str(verdict.state),
        "criteria": [_finding_to_json(f) for f in verdict.criteria],
        "triggers": [_finding_to_json(f) for f in verdict.triggers],
        "guardrails": [_finding_to_json(f) for f in verdict.guardrails if f is not verdict.split],
        "split": None if verdict.split is None else _finding_to_json(verdict.split),
        "assigned": None if verdict.assigned is None else asdict(verdict.assigned),
    }


def verdict_from_json(value: dict[str, Any]) -> Verdict:
    """Return the verdict that `verdict_to_json` wrote, without the findings that this version knows nothing of."""
    split = value.get("split")  # older verdicts have none, nor guardrails
    return Verdict(
        phase=value["phase"],
        at=value["at"],
        elapsed_s=value["elapsed_s"],
        criteria=_findings(value["criteria"]),
        triggers=_findings(value["triggers"]),
        silent_s=value["silent_s"],
        age_s=value["age_s"],
        state=FigureState(value["state"]),
        guardrails=_findings((*value.get("guardrails", ()), *([split] if split else []))),
        assigned=_assigned_from_json(value.get("assigned")),
    )


def status_to_json(status: Status) -> dict[str, Any]:
    """Return a deployment's status as JSON values, its plan by name."""
    value = asdict(status)
    plan = status.plan
    value["plan"] = plan.name
    return value | {
        "state": str(status.state),
        "flag": plan.flag,
        "baseline": plan.baseline,
        "candidate": plan.candidate,
        "phase_name": plan.phases[status.phase].name if status.phase >= 0 else None,
        "phase_ends": status.phase_ends,
        "simulated": plan.simulated,
    }


def finding_facts(finding: Finding) -> dict[str, Any]:
    """Return what the event log keeps of a finding: its numbers and its sentence, without what there is none of."""
    facts: dict[str, Any] = {
        "figure": str(finding.figure),
        "state": str(finding.state),
        "value": finding.value,
        "op": finding.limit.op,
        "limit": finding.limit.value,
        "sentence": finding.sentence,
    }
    facts |= {name: getattr(finding, name) for name in _NUMBERS if getattr(finding, name) is not None}
    if finding.guardrail is not None:
        facts |= {"segment": finding.guardrail.segment, "region": finding.guardrail.region}
    return facts


def _assigned_from_json(value: dict[str, Any] | None) -> Assigned | None:
    if value is None:
        return None
    seen = {name: None if value[name] is None else Seen(**value[name]) for name in ("settled", "resumed")}
    return Assigned(Seen(**value["now"]), **seen, resumed_at=value["resumed_at"], known=value.get("known", False))


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    value = asdict(finding)
    value["limit"] = _limit_to_json(finding.limit)
    if finding.guardrail is not None:
        value["guardrail"]["limit"] = value["limit"]
    return value | {"role": str(finding.role), "state": str(finding.state)}


def _limit_to_json(limit: Limit) -> dict[str, Any]:
    return {"figure": str(limit.figure), "op": limit.op, "value": limit.value}


def _findings(values: Iterable[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(
        _finding_from_json(value)
        for value in values
        if value["limit"]["figure"] in _FIGURES and value["state"] in _STATES and value["role"] in _ROLES
    )


def _known(cls: type, value: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass among those that are told."""
    names = {field.name for field in fields(cls)}
    return {name: told for name, told in value.items() if name in names}


def _finding_from_json(value: dict[str, Any]) -> Finding:
    told = value["limit"]
    limit = Limit(Figure(told["figure"]), told["op"], told["value"])
    guardrail = value.get("guardrail")
    return Finding(
        **_known(Finding, value)
        | {
            "role": Role(value["role"]),
            "state": FigureState(value["state"]),
            "limit": limit,
            "guardrail": None if guardrail is None else Guardrail(**_known(Guardrail, guardrail) | {"limit": limit}),
        }
    )

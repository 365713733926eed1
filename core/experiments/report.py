"""Findings -> the JSON document that `canary experiment --json` prints, from which people's scripts read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from core.experiments.analysis import Comparison, Findings, Segment, Spread
from core.experiments.estimates import Effect
from core.experiments.grouping import Table
from core.experiments.metrics import Metric
from core.experiments.telling import sentences
from core.experiments.words import SMALLEST_P


def p_json(p: float) -> float | str | None:
    """Return a p-value as a number, below the smallest as "< 1e-300", and as null where there is none."""
    if math.isnan(p):
        return None
    return float(p) if p >= SMALLEST_P else f"< {SMALLEST_P:g}"


def figure(value: Any) -> float | None:
    """Return a number, null where it isn't finite."""
    return float(value) if np.isfinite(value) else None


def document(findings: Findings) -> dict[str, Any]:
    """Return `{"arms", "srm", "metrics", "segments", "heterogeneity", "warnings", ...}`; see docs/experiments.md."""
    split, table = findings.split, findings.table
    arms: dict[str, dict[str, Any]] = {}
    for i, arm in enumerate(table.arms):
        arms[arm] = {"n": int(table.learners[0, i])}
        if findings.design.cluster:
            arms[arm]["clusters"] = int(table.units[0, i])
        if not findings.withheld:
            for metric in findings.design.metrics:
                arms[arm][metric.name] = _arm(table, metric, i)
    return {
        "control": findings.design.control,
        "alpha": findings.design.alpha,
        "randomised": findings.design.randomised,
        "arms": arms,
        "srm": {
            "p_value": p_json(split.p_value),
            "ok": split.ok,
            "observed": dict(split.observed),
            "expected": dict(split.expected),
        },
        "decision": sentences(findings),
        "metrics": [_comparison(found) for found in findings.comparisons],
        "segments": [_segment(found) for found in findings.segments],
        "heterogeneity": [_spread(found) for found in findings.spreads],
        "warnings": list(findings.warnings),
    }


def _arm(table: Table, metric: Metric, arm: int) -> dict[str, Any]:
    """Return one version's value, as it is before any covariate, its standard error, and how many have it."""
    own = table.metrics[metric.name][0][arm]
    found = replace(metric, covariate=None).effect(own, own)
    n = int(own.n)
    return {
        "value": figure(found.control),
        "se": figure(np.sqrt(found.control_variance)),
        "n": n,
        "missing": int(table.units[0, arm]) - n,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "control": figure(effect.control),
        "treatment": figure(effect.treatment),
        "difference": figure(effect.difference),
        "ci": [figure(effect.low), figure(effect.high)],
        "relative": figure(effect.relative),
        "relative_ci": [figure(effect.relative_low), figure(effect.relative_high)],
        "p_value": p_json(float(effect.p_value)),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    effect = found.effect
    out = {"name": found.metric.name, "variant": found.treatment, **_effect(effect)}
    out |= {
        "p_adjusted": p_json(found.p_adjusted),
        "p_fdr": p_json(found.p_fdr),
        "mde": figure(effect.mde),
        "mde_relative": figure(effect.mde / effect.control) if effect.control else None,
        "statistic": figure(effect.statistic),
        "df": figure(effect.df),
        "method": effect.method,
        "n": {"control": int(effect.n_control), "treatment": int(effect.n_treatment)},
        "variance_reduction": figure(effect.reduction),
        "better": found.better,
    }
    if found.margin is not None:
        out["margin"] = {
            "size": found.margin.margin.size,
            "relative": found.margin.margin.relative,
            "p_value": p_json(found.margin.p_value),
            "state": str(found.margin.state),
        }
    if found.trend is not None:
        trend = found.trend
        out["by_day"] = {
            "days": trend.days,
            "slope": trend.slope,
            "slope_ci": [trend.low, trend.high],
            "p_value": p_json(trend.p_value),
            "q_p_value": p_json(trend.q_p_value),
        }
    return out


def _segment(found: Segment) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": found.metric.name,
        "variant": found.treatment,
        "segment": found.dimension,
        "level": found.level,
        "n": {"control": found.n_control, "treatment": found.n_treatment},
        "suppressed": found.effect is None,
    }
    if found.effect is not None:
        out |= _effect(found.effect)
        out |= {
            "p_adjusted": p_json(found.p_adjusted),
            "p_fdr": p_json(found.p_fdr),
            "shrunken": figure(found.shrunken),
            "shrunken_ci": [figure(found.shrunken_low), figure(found.shrunken_high)],
            "deviation": figure(found.deviation),
            "deviation_ci": [figure(found.low), figure(found.high)],
        }
    return out


def _spread(found: Spread) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": found.metric.name,
        "variant": found.treatment,
        "segment": found.dimension,
        "levels": found.levels,
        "state": str(found.state),
    }
    if found.found is not None:
        h = found.found
        out |= {
            "q": h.q,
            "df": h.df,
            "q_p_value": p_json(h.q_p_value),
            "p_value": p_json(h.p_value),
            "p_adjusted": p_json(found.p_adjusted),
            "relative_p_value": p_json(h.relative_p_value),
            "i_squared": h.i_squared,
            "tau": h.tau,
            "spread": h.spread,
        }
    return out

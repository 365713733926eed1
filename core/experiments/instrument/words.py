"""An instrument check as sentences and as JSON: fit for use, or why not, with the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from core.experiments.instrument.check import LEVEL, Drift, Instrument, MetricCheck, State
from core.experiments.instrument.requests import RequestCheck
from core.experiments.sequential import Dispersion
from core.experiments.words import number, percent, probability

FIT = {State.PASS: "Fit for use", State.FAIL: "Not fit for use", State.OPEN: "Not known to be fit"}


def verdict(found: Instrument) -> str:
    """Say in a sentence whether the instrument is fit for use, or why not, with numbers."""
    reasons = list(_reasons(found, State.FAIL)) or list(_reasons(found, State.OPEN))
    if found.state is not State.PASS:
        return f"{FIT[found.state]}: {'; '.join(reasons)}."
    rates = [check.rate for check in found.checks]
    smallest = max(check.smallest for check in found.checks)
    said = f"{_span(rates)} of {found.splits:,} A/A splits come out significant at {percent(found.alpha)}"
    largest = max((abs(d.mean) for d in found.drifts), default=0.0)
    said += f", no segment drifts by more than {percent(found.limit)} (largest {percent(largest)})"
    return f"{FIT[State.PASS]}: {said}, and an effect of {percent(smallest)} would be seen in every metric."


def _span(rates: list[float]) -> str:
    low, high = percent(min(rates)), percent(max(rates))
    return low if low == high else f"{low} to {high}"


def _reasons(found: Instrument, state: State) -> Iterator[str]:
    alpha = percent(found.alpha)
    if found.found is state and found.observed is not None:
        split = found.observed.split
        if not split.ok:
            yield f"the arms are not of the size that was planned ({probability(split.p_value)})"
        for one in found.observed.comparisons:
            if one.p_adjusted <= 1 - LEVEL:
                p = probability(one.p_adjusted)
                yield f"{one.metric.name} differs between arms that had the same ({p} after Holm)"
    for check in found.checks:
        name = check.metric.name
        if check.calibrated is state:
            yield (
                f"{name} comes out significant in {percent(check.rate)} of the splits "
                f"({percent(check.low)} to {percent(check.high)}), where {alpha} should"
                if state is State.FAIL
                else f"{name} can't be tested, for nothing varies in it"
            )
        if check.uniform is State.FAIL is state:
            yield f"{name}'s p-values are not spread evenly ({probability(check.uniform_p)})"
        if check.sees is state and check.p_values.size:
            seen = f"{percent(check.power)} of the splits ({percent(check.power_low)} to {percent(check.power_high)})"
            yield f"in {name} an effect of {percent(found.target)} is seen in {seen}, where 80 % are wanted"
    drifting = [drift for drift in found.drifts if drift.state is state]
    if drifting and found.drift is state:
        yield _drifting(drifting, found, state)


def _drifting(drifting: list[Drift], found: Instrument, state: State) -> str:
    if state is State.FAIL:
        worst = max(drifting, key=lambda drift: abs(drift.mean))
        where = f" in {worst.dimension} {worst.level}" if worst.dimension else ""
        size = percent(worst.mean, signed=True)
        return f"{worst.metric} drifts by {size}{where}, where {percent(found.limit)} is allowed"
    errors = [drift.error for drift in drifting if not math.isnan(drift.error)]
    some = f"of {len(drifting):,} of {len(found.drifts):,} figures by segment it can't be told whether they drift"
    if not errors:
        return f"{some}, for lack of learners"
    needed = found.splits * (3 * max(errors) / found.limit) ** 2
    return f"{some} by less than {percent(found.limit)}: it takes about {_round(needed):,} splits"


def _round(number_: float) -> int:
    size = 10 ** max(0, math.floor(math.log10(max(number_, 1))))
    return int(math.ceil(number_ / size) * size)


def check_sentence(check: MetricCheck, alpha: float, target: float) -> str:
    """Say what was found of a metric."""
    if not check.p_values.size:
        return f"{check.metric.name}: nothing can be said, for nothing varies in it."
    return (
        f"{check.metric.name}: {check.false_positives:,} of {check.p_values.size:,} splits have p < {alpha:g} "
        f"({percent(check.rate)}, {percent(check.low)} to {percent(check.high)}); p is spread evenly "
        f"({probability(check.uniform_p)}); smallest effect seen {percent(check.smallest)}; a planted "
        f"{percent(target)} is found in {percent(check.power)}."
    )


def request_sentences(found: RequestCheck) -> tuple[str, ...]:
    """Say whether request counts vary more than chance."""
    if not found.looks:
        return ("No span of time is recorded in which both versions had requests.",)
    told = [f"{found.requests:,} requests in {found.looks:,} spans of time in which both versions had some."]
    told += [_dispersion("The versions' shares of the requests", found.split)]
    told += [_dispersion("The errors' split between the versions", found.errors)]
    return tuple(told)


def _dispersion(what: str, found: Dispersion | None) -> str:
    if found is None:
        return f"{what}: too few to say how much it varies."
    times = f"{number(found.value)} times as much as chance would make of independent requests"
    over = "so tests that take requests for independent are too sure" if found.is_over else "which chance may be"
    return f"{what} varies {times} (at least {number(found.low)} times), {over}; from {found.blocks:,} blocks."


def as_json(found: Instrument, requests: RequestCheck | None = None) -> dict[str, Any]:
    """Return a check as one JSON document; what isn't known is null."""
    return {
        "fit": found.state is State.PASS,
        "state": str(found.state),
        "verdict": verdict(found),
        "splits": found.splits,
        "alpha": found.alpha,
        "target": found.target,
        "drift_limit": found.limit,
        "units": found.units,
        "metrics": [
            {
                "name": check.metric.name,
                "method": check.method,
                "units": check.units,
                "value": _known(check.value),
                "false_positives": check.false_positives,
                "false_positive_rate": _known(check.rate),
                "false_positive_ci": [_known(check.low), _known(check.high)],
                "calibrated": str(check.calibrated),
                "uniformity_p": _known(check.uniform_p),
                "uniform": str(check.uniform),
                "smallest_effect": _known(check.smallest),
                "stated_smallest_effect": _known(check.stated),
                "power_at_target": _known(check.power),
                "power_ci": [_known(check.power_low), _known(check.power_high)],
                "sees_target": str(check.sees),
            }
            for check in found.checks
        ],
        "drift": {
            "state": str(found.drift),
            "largest": _known(max((abs(d.mean) for d in found.drifts if not math.isnan(d.mean)), default=math.nan)),
            "cells": [
                {
                    "metric": drift.metric,
                    "dimension": drift.dimension or None,
                    "level": drift.level or None,
                    "units": drift.units,
                    "mean": _known(drift.mean),
                    "standard_error": _known(drift.error),
                    "state": str(drift.state),
                }
                for drift in found.drifts
            ],
        },
        "observed": None if found.observed is None else _observed(found),
        "requests": None if requests is None else _requests(requests),
        "notes": list(found.notes),
    }


def _observed(found: Instrument) -> dict[str, Any]:
    assert found.observed is not None
    return {
        "state": str(found.found),
        "split_p_value": _known(found.observed.split.p_value),
        "metrics": [
            {
                "name": one.metric.name,
                "relative": _known(float(one.effect.relative)),
                "relative_ci": [_known(float(one.effect.relative_low)), _known(float(one.effect.relative_high))],
                "p_value": _known(float(one.effect.p_value)),
                "p_adjusted": _known(one.p_adjusted),
            }
            for one in found.observed.comparisons
        ],
    }


def _requests(found: RequestCheck) -> dict[str, Any]:
    def of(one: Dispersion | None) -> dict[str, Any] | None:
        return None if one is None else {"value": one.value, "low": one.low, "blocks": one.blocks, "over": one.is_over}

    return {"looks": found.looks, "requests": found.requests, "split": of(found.split), "errors": of(found.errors)}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

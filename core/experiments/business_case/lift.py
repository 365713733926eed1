"""The lift of a business case, taken from what `canary experiment --json` wrote."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import special

from core.experiments.business_case.uncertain import LEVEL, Uncertain
from core.yamlmarks import listed, suggestion

MAX_BYTES = 16 * 1024 * 1024
DIGITS = 5
"""A lift is taken to a thousandth of a per cent: people read it, and change it."""

_EXPECTED = "a file that `canary experiment --json` wrote"


class LiftError(Exception):
    """No lift can be taken from an experiment.

    Attributes:
        found: what was found. expected: what was expected instead.
        metric: the file can be used, but not for this metric.
    """

    def __init__(self, found: str, expected: str, *, metric: bool = False) -> None:
        super().__init__(f"{found} — expected {expected}")
        self.found, self.expected, self.metric = found, expected, metric


@dataclass(frozen=True, slots=True)
class Lift:
    """A relative difference with its 95 % interval.

    Attributes:
        source: the experiment and the metric, in words. simulated: what is made up about it; "" of real learners.
    """

    lift: Uncertain
    source: str
    simulated: str


def load_lift(path: Path, metric: str) -> Lift:
    """Read the lift of a metric from a file.

    Raises:
        LiftError: there is none to be had.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LiftError(
            f"{path.name}: {error.strerror or error}", "a file that `canary experiment --json` wrote"
        ) from None
    return read_lift(raw, metric, path.name)


def metrics_of(raw: bytes, name: str) -> tuple[str, ...]:
    """Return what a lift can be taken of: metrics, each with its version where there are several new ones.

    Raises:
        LiftError: it is no experiment's result.
    """
    return tuple(_named(_metrics(raw, name)[1]))


def read_lift(raw: bytes, metric: str, name: str) -> Lift:
    """Read the lift of a metric from an experiment's result.

    Args:
        metric: one of `metrics_of`. name: says which experiment.

    Raises:
        LiftError: it is no experiment's result, has no such metric, or no relative difference of it.
    """
    document, metrics = _metrics(raw, name)
    known = _named(metrics)
    if metric not in known:
        raise LiftError(f'no metric "{metric}"', f"one of {listed(known)}{suggestion(metric, known)}", metric=True)
    numbers = [known[metric].get("relative"), *(known[metric].get("relative_ci") or [None, None])]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise LiftError(f'"{metric}" has no relative difference with an interval', "a metric that has", metric=True)
    value, low, high = map(float, numbers)
    scale = _to_level(document.get("alpha"))
    ends = value - (value - low) * scale, value + (high - value) * scale
    simulated = document.get("simulated")
    chance = "" if document.get("randomised", True) else ", not randomised: a difference, which may not be an effect"
    return Lift(
        Uncertain(round(value, DIGITS), round(ends[0], DIGITS), round(ends[1], DIGITS)),
        f"experiment {name}, metric {metric}{chance}",
        simulated if isinstance(simulated, str) else "the experiment's learners are made up" if simulated else "",
    )


def _to_level(alpha: object) -> float:
    """Return by how much an interval at 1 - alpha is to be stretched to hold 95 %, as those of normal values are."""
    if not isinstance(alpha, int | float) or not 0 < alpha < 1:
        return 1.0
    return float(special.ndtri(0.5 + LEVEL / 2) / special.ndtri(1 - alpha / 2))


def _named(metrics: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return results by the name of their metric, and that of the version where there are several."""
    names = [str(one["name"]) for one in metrics]
    return {
        name if names.count(name) == 1 else f"{name} of {one.get('variant', number)}": one
        for number, (name, one) in enumerate(zip(names, metrics, strict=True), 1)
    }


def _metrics(raw: bytes, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:

    if len(raw) > MAX_BYTES:
        raise LiftError(f"{name} is larger than {MAX_BYTES >> 20} MiB", _EXPECTED)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise LiftError(f"{name} is not JSON", _EXPECTED) from None
    metrics = document.get("metrics") if isinstance(document, dict) else None
    if not isinstance(metrics, list) or not metrics or not all(isinstance(m, dict) and "name" in m for m in metrics):
        raise LiftError(f"{name} has no metrics", _EXPECTED)
    return document, metrics

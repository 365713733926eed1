"""The lift of a business case, taken from what `canary experiment --json` wrote."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.experiments.business_case.uncertain import Uncertain
from core.yamlmarks import listed, suggestion

MAX_BYTES = 16 * 1024 * 1024
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
    """Return the metrics that an experiment's result has, each once.

    Raises:
        LiftError: it is no experiment's result.
    """
    return tuple(dict.fromkeys(str(one["name"]) for one in _metrics(raw, name)[1]))


def read_lift(raw: bytes, metric: str, name: str) -> Lift:
    """Read the lift of a metric from an experiment's result; `name` says which experiment.

    Raises:
        LiftError: it is no experiment's result, has no such metric, or several treatments of it.
    """
    document, metrics = _metrics(raw, name)
    known = dict.fromkeys(str(one["name"]) for one in metrics)
    wanted = [one for one in metrics if str(one["name"]) == metric]
    if not wanted:
        raise LiftError(f'no metric "{metric}"', f"one of {listed(known)}{suggestion(metric, known)}", metric=True)
    if len(wanted) > 1:
        raise LiftError(f'{len(wanted)} treatments of "{metric}"', "an experiment with one treatment", metric=True)
    numbers = [wanted[0].get("relative"), *(wanted[0].get("relative_ci") or [None, None])]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise LiftError(f'"{metric}" has no relative difference with an interval', "a metric that has", metric=True)
    value, low, high = (round(float(number), 9) for number in numbers)
    simulated = document.get("simulated")
    return Lift(
        Uncertain(value, low, high),
        f"experiment {name}, metric {metric}",
        simulated if isinstance(simulated, str) else "the experiment's learners are made up" if simulated else "",
    )


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

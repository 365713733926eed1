"""What came of one roll-out of the demo, read from its event log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from core.demo.api import Api
from core.demo.faults import Fault

_DECISIONS = {"rolled back": "rolled_back", "holding": "held", "completed": "completed", "aborted": "aborted"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended.

    Attributes:
        fault: that was switched on, or None. decision: rolled_back, held, completed or aborted.
        figure: that decided it, where one did. reason: in words.
        plan_s, wall_s: seconds from the fault (without one: from the start) to the decision.
    """

    fault: str | None
    decision: str
    figure: str | None
    reason: str
    plan_s: float
    wall_s: float

    def document(self, simulated: str) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "simulated": simulated}


def wait_for_outcome(
    api: Api, deployment: str, fault: Fault | None, since: float, within_s: float, going: Callable[[], bool]
) -> Outcome | None:
    """Wait until a deployment is rolled back, held, completed or aborted; None when that takes too long.

    Args:
        since: wall time from which the seconds are counted.
        going: says whether to go on waiting.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and going():
        try:
            state = api.deployment(deployment)["state"]
        except httpx.HTTPError:
            state = ""
        if state in _DECISIONS:
            return _outcome(api, deployment, fault, since, state)
        time.sleep(0.25)
    return None


def _outcome(api: Api, deployment: str, fault: Fault | None, since: float, state: str) -> Outcome:
    events = api.events(deployment)
    decided = next(event for event in reversed(events) if event["data"].get("to") == state)
    # Both clocks are in every event; between two of them runs the demo's speed.
    first = events[0]
    speed = (decided["at"] - first["at"]) / max(decided["wall"] - first["wall"], 1e-9)
    wall_s = decided["wall"] - since
    return Outcome(
        fault=None if fault is None else fault.value,
        decision=_DECISIONS[state],
        figure=decided["data"].get("figure"),
        reason=decided["reason"],
        plan_s=round(wall_s * speed, 1),
        wall_s=round(wall_s, 2),
    )

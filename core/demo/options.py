"""What `canary demo` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of the demo.

    Attributes:
        learners: how many to make up. events: real learners' events instead.
        speed: plan seconds a wall second. port: of the dashboard; None: the setting.
        once: one roll-out without the dashboard. json: print its outcome as JSON.
        reset: forget earlier demos first. fault: switched on when the canary has seen some traffic.
    """

    learners: int = 20_000
    events: Path | None = None
    speed: float = 40.0
    port: int | None = None
    once: bool = False
    json: bool = False
    reset: bool = False
    fault: str | None = None

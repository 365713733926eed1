"""The plan's clock: real time in production, real time compressed in a demo."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Maps wall time to plan time (both seconds since 1970): plan = anchor_plan + (wall - anchor_wall) * speed.

    One clock a database, kept in it, so that every process agrees. At speed 1 the two times are the same.
    """

    anchor_wall: float = 0.0
    anchor_plan: float = 0.0
    speed: float = 1.0

    def plan(self, wall: float) -> float:
        """Return the plan time at a wall time."""
        return self.anchor_plan + (wall - self.anchor_wall) * self.speed

    def wall(self, plan: float) -> float:
        """Return the wall time at a plan time."""
        return self.anchor_wall + (plan - self.anchor_plan) / self.speed

    def now(self) -> float:
        """Return the plan time now."""
        return self.plan(time.time())

"""A run over made-up learners, as a program; see `core.learners.job`."""

from __future__ import annotations

import sys
from pathlib import Path

from core.demo.population import SIMULATED, make_population
from core.learners import job


def made_up(request: job.Request, told: job.Told, rejected: Path) -> job.Read:  # noqa: ARG001
    """Make up as many learners as are asked for."""
    events, _ = make_population(request.made_up)
    return job.Read(events, f"{events.learners.size:,} made-up learners", SIMULATED)


if __name__ == "__main__":
    sys.exit(job.run(made_up))

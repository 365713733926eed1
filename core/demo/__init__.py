"""A small real service with two analyzers, its traffic, and its faults: `canary demo`; and made-up experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.demo.options import DemoOptions

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["DemoOptions", "demo_experiment", "run_demo"]


def run_demo(options: DemoOptions) -> int:
    """Run the demo (core.demo.run); return the exit code."""
    # Imported here: the demo's own processes import this package too, and need none of what the command needs.
    from core.demo.run import run_demo as run

    return run(options)


def demo_experiment(path: Path, learners: int, seed: int, *, effect: bool) -> pa.Table:
    """Write a made-up experiment (core.demo.experiment), and return it; `effect`: whether there is one to be found.

    Raises:
        OSError: the file can't be written.
    """
    from core.demo.experiment import NOTHING, PLANTED, make_experiment, write_experiment

    table = make_experiment(learners, seed, PLANTED if effect else NOTHING)
    write_experiment(path, table)
    return table

"""A small real service with two analyzers, its traffic, and its faults: `canary demo`."""

from core.demo.options import DemoOptions

__all__ = ["DemoOptions", "run_demo"]


def run_demo(options: DemoOptions) -> int:
    """Run the demo (core.demo.run); return the exit code."""
    # Imported here: the demo's own processes import this package too, and need none of what the command needs.
    from core.demo.run import run_demo as run

    return run(options)

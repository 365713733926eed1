"""A made-up experiment written to a file, as a program: python -m core.demo.experiment_file PATH LEARNERS SEED."""

from __future__ import annotations

import sys
from pathlib import Path

from core.demo import demo_experiment


def main() -> int:
    """Write it; return the exit code."""
    path, learners, seed = sys.argv[1:]
    try:
        demo_experiment(Path(path), int(learners), int(seed), effect=True)
    except OSError as error:
        print(f"{path} can't be written: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

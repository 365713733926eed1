"""The `canary` command. People script it: every command has --help, and --json prints one document to stdout.

Exit codes: 0 done, 1 the answer is no (criteria failed, log broken, refused, data rejected), 2 wrong usage.
"""

from __future__ import annotations

import sys

# Each module adds its commands to the app as it is imported.
from core.cli import (  # noqa: F401
    aa,
    access,
    ack,
    approve,
    backup,
    bench,
    business,
    calibrate,
    cohorts,
    delivery,
    demo_experiment,
    doctor,
    experiment,
    log,
    plan,
    power,
    rehearse,
    report,
    servers,
    sources,
    switch,
)
from core.cli.output import fail
from core.cli.root import app
from core.store import StoreUnavailable


def main() -> None:
    """Run the command line; user errors end in one line on stderr, never in a traceback."""
    try:
        app()
    except StoreUnavailable as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)

"""`canary bench`: how fast is it on this machine?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import core
from core.cli.output import fail, stop
from core.cli.root import app


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="Which measurements; default: the cohort engine.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every number there, with the machine.")
    ] = None,
) -> None:
    """Measure on this machine and print a table: what, how fast, and whether that is what was aimed at.

    Takes some minutes, and 20 GB in TMPDIR meanwhile. benchmarks/README.md has the names of all measurements.
    """
    root = Path(core.__file__).resolve().parents[1]
    if not (root / "benchmarks" / "__main__.py").exists():
        fail("the measurements come with the source, not with the installed package: run it from a clone")
    options = [] if to is None else ["--json", str(to.resolve())]
    command = [sys.executable, "-m", "benchmarks", *(names or ["learners"]), *options]
    stop(subprocess.run(command, cwd=root, check=False).returncode)

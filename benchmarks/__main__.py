"""`python -m benchmarks [NAME ...]`: measure, print, and if asked write down."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import (
    cache,
    cohorts_page,
    experiments,
    flags,
    instrument,
    learners,
    live,
    push,
    report,
    rollback,
    switch,
    tick,
)
from benchmarks.figures import Row
from benchmarks.machine import this_machine
from benchmarks.wire import WireError

BENCHMARKS: dict[str, Callable[[Path], list[Row]]] = {
    module.NAME: module.run
    for module in (flags, rollback, switch, tick, live, push, cache, cohorts_page, learners, experiments, instrument)
}
README = Path(__file__).resolve().parents[1] / "README.md"


def main() -> int:
    """Run what is named, all by default; return the exit code."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started ends with us
    console, notes = Console(), Console(stderr=True, highlight=False)
    names = options.names or list(BENCHMARKS)
    machine, began, clock = this_machine(), datetime.now(UTC), time.monotonic()
    rows: list[Row] = []
    folder = Path(tempfile.mkdtemp(prefix="canary-benchmarks-"))
    try:
        for name in names:
            notes.print(f"{name} ...")
            rows += BENCHMARKS[name](folder)
    except (RuntimeError, WireError, OSError, TimeoutError) as error:
        notes.print(f"{name}: {str(error) or type(error).__name__}", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - clock
    report.print_table(console, rows, machine)
    if options.json:
        options.json.write_text(report.to_json(rows, machine, began, seconds), encoding="utf-8")
    if options.write_readme:
        report.write_readme(README, report.to_markdown(rows, machine, began))
    notes.print(f"{seconds:.0f} s")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, on this machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md (all must run)")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.write_readme and options.names and set(options.names) != set(BENCHMARKS):
        parser.error("--write-readme replaces the whole table, so it takes all benchmarks: name none")
    return options


if __name__ == "__main__":
    sys.exit(main())

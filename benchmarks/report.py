"""The measured rows as a table on the terminal, as JSON, and as the block in the README."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Row
from benchmarks.machine import Machine

BLOCK = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def verdict(row: Row) -> str:
    """Say what was aimed at and whether it was met; "" where there was no aim."""
    return "" if row.met is None else f"{row.aim}: {'met' if row.met else 'missed'}"


def print_table(console: Console, rows: Sequence[Row], machine: Machine) -> None:
    """Print the table."""
    table = Table(caption=escape(machine.line()), caption_justify="left")
    for heading in ("What", "Measured", "Aim"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        style = "bold red" if row.met is False else None
        table.add_row(*map(escape, (row.what, row.measured, verdict(row))), style=style)
    console.print(table)


def to_json(rows: Sequence[Row], machine: Machine, began: datetime, seconds: float) -> str:
    """Return everything as JSON."""
    document = {
        "began": began.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": machine.to_json(),
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(document, indent=1) + "\n"


def to_markdown(rows: Sequence[Row], machine: Machine, began: datetime) -> str:
    """Return the README's block: a table, and below it the machine and the day."""
    lines = ["| What | Measured | Aim |", "|---|---|---|"]
    lines += [f"| {row.what} | {row.measured} | {verdict(row)} |" for row in rows]
    day = began.astimezone(UTC).date().isoformat()
    lines += [
        "",
        f"Measured on {day} on {machine.line()}; clients and server shared it. "
        "The learners and the records pushed are simulated; the times are not.",
    ]
    return "\n".join(lines) + "\n"


def write_readme(path: Path, block: str) -> None:
    """Put the block between the markers of a file.

    Raises:
        ValueError: the file doesn't have the two markers once, in order.
    """
    text = path.read_text(encoding="utf-8")
    changed, count = BLOCK.subn(lambda found: found[1] + block + found[2], text)
    if count != 1:
        raise ValueError(f"{path.name}: expected one <!-- figures --> ... <!-- end of figures -->, found {count}")
    path.write_text(changed, encoding="utf-8")

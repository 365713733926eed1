"""How the command line speaks: answers to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

DONE, NO, USAGE = 0, 1, 2

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    json.dump(document, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def fail(message: str, code: int = NO) -> NoReturn:
    """Say what is wrong on stderr and exit."""
    err.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    raise SystemExit(code)


def stop(code: int) -> NoReturn:
    """Exit with a code, having said what there was to say."""
    raise typer.Exit(code)

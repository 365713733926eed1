"""A real disk that is small enough to be filled."""

from __future__ import annotations

import subprocess
from pathlib import Path


def mount(*arguments: str) -> bool:
    """Mount something; False where this process may not."""
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; return the file that does."""
    path = disk / "filler"
    with path.open("ab", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                if file.write(b"x" * size) < size:
                    size //= 2
            except OSError:
                size //= 2
    return path

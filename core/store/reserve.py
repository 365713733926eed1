"""Room on the disk that is kept for the worst moment: so that a rollback can be recorded when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FILE = "reserve"
SIZE = 1 << 20
"""Bytes: a rollback writes some 60 KB; what others write at the same moment must fit, too."""


def keep_reserve(home: Path) -> bool:
    """Set the room aside, if it isn't; False where there is none, which is no reason to stop."""
    path = home / FILE
    with suppress(OSError):
        if path.stat().st_size >= SIZE:
            return True
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, SIZE)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def give_up_reserve(home: Path) -> bool:
    """Make the room free; False where there was none."""
    try:
        (home / FILE).unlink()
    except OSError:
        return False
    return True

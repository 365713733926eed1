"""Room on the disk that is kept for the worst moment: so that a rollback can be recorded when the disk is full.

It is given up in steps: what one decision leaves of its step others may fill, and there is another one for the next.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FILE = "reserve"
STEP = 1 << 18
"""Bytes: a rollback writes some 60 KB; what others write at the same moment must fit, too."""

SIZE = 4 * STEP


def keep_reserve(home: Path) -> bool:
    """Set the room aside as far as it isn't; False where there is none, which is no reason to stop."""
    path = home / FILE
    try:
        with path.open("ab") as file:
            had = os.fstat(file.fileno()).st_size
            try:
                os.posix_fallocate(file.fileno(), 0, SIZE)
            except OSError:
                file.truncate(had)  # what there still is of it stays
                return False
    except OSError:
        return False
    return True


def give_up_reserve(home: Path) -> bool:
    """Make a step of the room free; False where there was none left."""
    path = home / FILE
    with suppress(OSError):
        left = path.stat().st_size
        os.truncate(path, max(0, left - STEP))
        return left > 0
    return False

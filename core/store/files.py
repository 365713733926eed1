"""Files that several processes share: locked while one works, replaced whole, on the disk when it says so."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, against other processes and threads; the file is made and stays."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # gives the lock back, as the end of the process does


def replace_file(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file so that, whenever the machine stops, it holds either the old text or the new, whole.

    Only for one writer at a time (see `locked`): the new text lies in a file of a fixed name until it is complete, so
    that writers which are killed leave no litter behind. `mode` sets its permissions.
    """
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # else the new name may not outlive a power cut
    finally:
        os.close(directory)

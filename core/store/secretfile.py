"""A secret that a program makes for itself once and keeps in a file only its user can read."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)


def secret_text(path: Path, make: Callable[[], str]) -> str:
    """Return the text of a secret file; where there is none, make it, so that all processes get the same one.

    Raises:
        OSError: the file can't be read or written.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: of two processes that start at once the second must not overwrite what the first handed out.
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)
    return _read(path)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & 0o077:
            logger.warning("%s was readable by others (mode %03o); it is for its owner only now", path, mode)
            os.fchmod(file.fileno(), 0o600)
        return file.read()

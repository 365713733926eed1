"""How inner loops are compiled, and where the machine code is kept.

In NUMBA_CACHE_DIR, in CANARY_HOME/cache/numba, or beside the module, so that compiling is paid for once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_config: Any = numba.config
if not _config.CACHE_DIR and os.environ.get("CANARY_HOME"):
    _config.CACHE_DIR = str(Path(os.environ["CANARY_HOME"]).resolve() / "cache" / "numba")

BLOCK = 4096
"""Rows that a thread takes at a time."""

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function on its first call; it then runs without the interpreter's lock."""
    # No fastmath: the answers must match the plain analyzer's.
    return cast(_F, numba.njit(cache=True, nogil=True)(function))


def in_blocks(work: Callable[[slice], None], rows: int, threads: int | None = None) -> None:
    """Do work that needs no interpreter for all rows, block by block, on `threads` threads (default: one a core)."""
    blocks = [slice(first, min(first + BLOCK, rows)) for first in range(0, rows, BLOCK)]
    workers = threads or cores()
    if workers == 1 or len(blocks) < 2:
        for block in blocks:
            work(block)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, blocks))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

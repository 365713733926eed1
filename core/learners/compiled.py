"""How the loops of this room are compiled, and where the machine code is kept.

In NUMBA_CACHE_DIR, in CANARY_HOME/cache/numba, or beside the module, so that compiling is paid for once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_config: Any = numba.config
if not _config.CACHE_DIR and os.environ.get("CANARY_HOME"):
    _config.CACHE_DIR = str(Path(os.environ["CANARY_HOME"]).resolve() / "cache" / "numba")

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function on its first call; it then runs without the interpreter's lock."""
    # No fastmath: the answers must match the plain analyzer's.
    return cast(_F, numba.njit(cache=True, nogil=True)(function))

"""How inner loops are compiled, and where the machine code is kept, so that compiling is paid for once.

In NUMBA_CACHE_DIR; else beside the modules; where nothing can be written there, in CANARY_HOME/cache/numba or the
user's cache. Machine code holds what it was compiled with, functions and constants of other modules too; so each
module's is kept in a folder named after the contents of all the files that it was made from.
"""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

BLOCK = 4096
"""Rows that a thread takes at a time."""

_config: Any = numba.config
_CHOSEN: str = _config.CACHE_DIR  # what the environment says
_ROOT = Path(__file__).resolve().parents[1]
_KEPT = 2  # folders of a module: another checkout may share the place
_MARK = f"with-numba-{numba.__version__}"
_IMPORT = re.compile(r"^(?:from (core[\w.]*) import (\([^)]*\)|.*)|import (core[\w.]*))", re.MULTILINE)

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function on its first call; it then runs without the interpreter's lock.

    A division by zero gives infinity or NaN, as NumPy's does: the check for it would stand in the way of loops that do
    several turns at a time.
    """
    folder = _folder(function.__module__)
    _config.CACHE_DIR = "" if folder is None else str(folder)
    try:
        # No fastmath: the answers must match the plain analyzer's.
        made = numba.njit(cache=folder is not None, nogil=True, error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = _CHOSEN
    return cast(_F, made)


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


def mark(module: str) -> None:
    """Remember that all that a module needs compiled has been; until anything changes that it is made from."""
    if (folder := _folder(module)) is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).touch()


def marked(module: str) -> bool:
    """Say whether a module has been marked, and nothing has changed since."""
    folder = _folder(module)
    return folder is not None and (folder / _MARK).exists()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _folder(module: str) -> Path | None:
    """Return where a module's machine code is kept; None where nothing can be written anywhere."""
    base = _base()
    source = _source(module)
    if base is None or source is None:
        return base
    mark = 0
    for file in sorted(_made_from(source)):
        mark = zlib.crc32(file.read_bytes(), mark)
    folder = base / f"{module}-{mark:08x}"
    if not folder.exists():
        older = sorted(base.glob(f"{module}-????????"), key=lambda old: old.stat().st_mtime)
        for old in older[: max(0, len(older) - _KEPT + 1)]:
            shutil.rmtree(old, ignore_errors=True)
    return folder


@cache
def _base() -> Path | None:
    """Return the first folder that can be written to."""
    places = [_ROOT / "core" / "__pycache__" / "numba"]
    if home := os.environ.get("CANARY_HOME"):
        places.append(Path(home).resolve() / "cache" / "numba")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    places.append(Path(user) / "cohort-canary" / "numba")
    return next(filter(_can_be_written, [Path(_CHOSEN)] if _CHOSEN else places), None)


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@cache
def _made_from(source: Path) -> frozenset[Path]:
    """Return a file and all files of the project that it imports from, at any remove."""
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(file)
    return frozenset(found)


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    return tuple(_sources_named(file.read_text(encoding="utf-8")))


def _sources_named(text: str) -> Iterator[Path]:
    for package, names, module in _IMPORT.findall(text):
        # A name that is a module of the package is that file; else it comes from the package itself.
        words = re.findall(r"(?:^|,)[\s(]*(\w+)", re.sub(r"#.*", "", names))
        files = [_source(f"{package or module}.{word}") for word in words]
        yield from filter(None, files)
        if (not all(files) or not files) and (own := _source(package or module)):
            yield own


def _source(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split("."))
    for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None

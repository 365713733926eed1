"""What the first visitor would else wait for: what pages import, and the newest run's learners."""

from __future__ import annotations

import ast
import gc
import importlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.store import StoreUnavailable

logger = logging.getLogger(__name__)

PAGES = Path(__file__).resolve().parents[2] / "pages"


def imported_by_pages(pages: Path = PAGES) -> Iterator[str]:
    """Yield the modules that pages import, and names taken from them, which may be modules, too."""
    for page in sorted(pages.glob("*.py")):
        for node in ast.parse(page.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def warm_pages() -> None:
    """Import what pages need and read what Cohorts shows first; to be run beside a server that answers already."""
    for name in dict.fromkeys(imported_by_pages()):
        with suppress(ImportError):
            importlib.import_module(name)
    from core.web.learners import reading  # not at the top: it takes a second to load

    try:
        reading.preload()
    except (StoreUnavailable, OSError) as error:
        logger.warning("the newest run could not be read beforehand: %s", error)
    gc.collect()
    gc.freeze()  # what is loaded by now stays

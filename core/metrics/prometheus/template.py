"""PromQL with blanks for the version and the span. Pure."""

from __future__ import annotations

import re

from core.yamlmarks import Misread

_BLANK = re.compile(r"\{\{\s*([A-Za-z_]*)\s*\}\}")
_KNOWN = ("version", "span")
MAX_QUERY = 900
"""Characters of a template."""


def read_template(text: str) -> str:
    """Return a template as it stands. Raises Misread, with what was expected."""
    query = " ".join(text.split())
    if not query or len(query) > MAX_QUERY:
        raise Misread(f"a PromQL query of 1 to {MAX_QUERY} characters")
    for name in _BLANK.findall(query):
        if name not in _KNOWN:
            raise Misread("blanks {{version}} and {{span}} only")
    return query


def is_selector(query: str) -> bool:
    """Say whether a template selects counters, whose increases are counted here, and doesn't compute them itself."""
    return "span" not in _BLANK.findall(query)


def fill(query: str, version: str, span_s: float) -> str:
    """Return the query for a version and a span of so many wall seconds."""
    said = version.replace("\\", r"\\").replace('"', r"\"").replace("'", r"\'").replace("\n", r"\n")
    blanks = {"version": said, "span": duration(span_s)}
    return _BLANK.sub(lambda match: blanks[match[1]], query)


def duration(seconds: float) -> str:
    """Return a time as PromQL writes it, to the millisecond.

    >>> duration(30.0), duration(0.75)
    ('30s', '750ms')
    """
    ms = max(1, round(1e3 * seconds))
    return f"{ms // 1000}s" if ms % 1000 == 0 else f"{ms}ms"

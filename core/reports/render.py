"""A document as Markdown and as one HTML file that needs nothing else. Nothing in either is from now."""

from __future__ import annotations

import re
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from core.delivery.quantities import say_moment
from core.reports.document import Document
from core.store import Event

SHORT = 8
"""Characters of an event's hash that are shown beside a figure; the list of sources has all of it."""

_BETWEEN = re.compile(r"(?<=\d) (?=%|(?:ms|s|min|h|d|KB|MB|GB)\b)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? UTC")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def as_html(document: Document) -> str:
    """Return a page with its style and pictures inside; prints on A4, dark where the reader is."""
    return _environment(True).get_template("report.html.j2").render(d=document, svg=Markup) + "\n"


def as_markdown(document: Document) -> str:
    """Return the same in Markdown: charts in words, each figure with the event that it is from."""
    text = _environment(False).get_template("report.md.j2").render(d=document)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@lru_cache(maxsize=2)
def _environment(html: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("core.reports"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"short": _short, "moment": _moment, "plain": _plain, "bound": _bound}
    return made


def _short(event: Event) -> str:
    return event.hash[:SHORT]


def _moment(event: Event) -> str:
    return say_moment(event.at)


def _bound(text: str) -> Markup:
    """Keep numbers with their units, moments, and what becomes of what, on one line."""
    said = _BETWEEN.sub("\u00a0", str(escape(text))).replace(" → ", "\u00a0→\u00a0")
    return Markup(_MOMENT.sub(r'<span class="whole">\g<0></span>', said))  # escaped above


def _plain(text: str) -> str:
    """Escape what Markdown, or HTML in it, would take for its own; one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

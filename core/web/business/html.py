"""Views of a business case -> HTML for `st.html`; shapes are in style.css."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.experiments.business_case import Beside
from core.web.html import badge
from core.web.markup import Html, el, table_head
from core.web.views.business import AGREES, DIFFERS

_DASH = el("span", "–", cls="cc-none")


def beside(rows: Sequence[Beside], reported_by: str) -> Html:
    """Return every figure, computed and as reported."""
    whose = f"Reported by {reported_by or 'others'}"
    reported = any(row.reported for row in rows)
    heads = ("Figure", "Computed", "95 of 100 draws", *([whose] if reported else []))

    def cells(row: Beside) -> list[Html]:
        note = el("small", row.note) if row.note else None
        found = [
            el("th", row.label, cls="cc-c-name", scope="row"),
            el("td", el("b", row.computed), note, cls="cc-c-value", data_label=heads[1]),
            el("td", row.interval or _DASH, cls="cc-c-base", data_label=heads[2]),
        ]
        if reported:
            mark = None if row.agrees is None else badge(AGREES if row.agrees else DIFFERS)
            found.append(el("td", el("span", row.reported or _DASH), mark, cls="cc-c-reported", data_label="Reported"))
        return found

    return el(
        "table",
        el("caption", "Computed and reported figures", cls="cc-hidden"),
        table_head(heads),
        el("tbody", *(el("tr", *cells(row)) for row in rows)),
        cls="cc-figures cc-beside",
    )


def points(sentences: Iterable[str], *, ordered: bool = False) -> Html:
    """Return sentences as a list."""
    return el("ol" if ordered else "ul", *(el("li", text) for text in sentences), cls="cc-points")


def wrong(found: Iterable[tuple[str, str, str]]) -> Html:
    """Return inputs that can't be used: (label, what was written, what was expected) each."""
    items = (
        el("li", el("b", label), f": {f'“{value}”' if value else 'nothing'} is written; expected {expected}.")
        for label, value, expected in found
    )
    said = el("p", "Nothing is computed while these inputs can't be used:")
    return el("section", said, el("ul", *items), cls="cc-points")

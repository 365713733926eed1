"""Views of an instrument check -> HTML for `st.html`; shapes are in style.css."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.web.html import badge
from core.web.markup import Html, el, table_head
from core.web.views.instrument import MetricRow
from core.web.views.marks import Mark

_HEADS = ("Metric", "False positives", "p spread evenly", "Smallest effect seen")


def metrics(rows: Sequence[MetricRow]) -> Html:
    """Return the table with a row a metric."""
    return el(
        "table",
        el("caption", "What random splits say of each metric", cls="cc-hidden"),
        table_head(_HEADS),
        el("tbody", *map(_row, rows)),
        cls="cc-figures cc-answers",
    )


def _row(row: MetricRow) -> Html:
    answers = zip(_HEADS[1:], (row.positives, row.uniform, row.sees), strict=True)
    cells = (
        el("td", badge(mark), el("b", value), el("small", note), cls="cc-answer", data_label=head)
        for head, (mark, value, note) in answers
    )
    return el("tr", el("th", row.name, el("small", row.method), cls="cc-c-name", scope="row"), *cells)


def observed(rows: Iterable[tuple[Mark, str, str]]) -> Html:
    """Return what was found between arms that had the same."""
    lines = (el("li", badge(mark), " ", el("b", name), f" {said}") for mark, name, said in rows)
    return el("ul", *lines, cls="cc-points cc-plain")


def sentences(texts: Iterable[str]) -> Html:
    """Return sentences as a list."""
    return el("ul", *(el("li", text) for text in texts), cls="cc-points")

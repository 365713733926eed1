"""Views of sources -> HTML for `st.html`; shapes are in style.css."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.web.html import badge, icon
from core.web.intake.trying import Tried
from core.web.markup import Html, el, join, table_head
from core.web.views.intake import QueryRow, SenderRow, SourceView

_DASH = el("span", "–", cls="cc-none")


def mistakes(lines: Iterable[str]) -> Html:
    """Return what is wrong with the sources file."""
    return el("section", el("ul", *(el("li", line) for line in lines)), cls="cc-points", role="alert")


def source(view: SourceView) -> Html:
    """Return a Prometheus with its queries."""
    head = el("header", el("h3", view.name), badge(view.mark))
    facts = el("p", join(el("span", fact) for fact in view.facts), cls="cc-facts")
    problem = el("p", view.problem, cls=f"cc-toned cc-{view.mark.tone}") if view.problem else None
    table = _queries(view.versions, view.rows) if view.rows else None
    return el("article", head, facts, problem, table, cls=f"cc-card cc-edge-{view.mark.tone}")


def _queries(versions: Sequence[str], rows: Sequence[QueryRow]) -> Html:
    heads = ("State", "Figure", *versions)
    return el(
        "table",
        el("caption", "Each query and what it last answered", cls="cc-hidden"),
        table_head(heads),
        el("tbody", *(_query(versions, row) for row in rows)),
        cls="cc-figures cc-beside cc-queries",
    )


def _query(versions: Sequence[str], row: QueryRow) -> Html:
    said = [el("small", text, cls=f"cc-toned cc-{row.mark.tone}") for text in row.said]
    values = [
        el("td", el("b", value) if value else _DASH, cls="cc-c-value", data_label=version)
        for version, value in zip(versions, row.values, strict=True)
    ]
    return el(
        "tr",
        el("td", badge(row.mark), cls="cc-c-state"),
        el("th", row.figure, el("small", el("code", row.query)), *said, cls="cc-c-name", scope="row"),
        *values,
        cls=f"cc-row-{row.mark.tone}",
    )


def senders(rows: Sequence[SenderRow]) -> Html:
    """Return everybody who pushes as a table."""
    heads = ("State", "Sender", "Now", "Last batch", "Altogether")
    return el(
        "table",
        el("caption", "Who pushes figures", cls="cc-hidden"),
        table_head(heads),
        el("tbody", *map(_sender, rows)),
        cls="cc-figures cc-beside",
    )


def _sender(row: SenderRow) -> Html:
    return el(
        "tr",
        el("td", badge(row.mark), cls="cc-c-state"),
        el(
            "th",
            row.name,
            el("small", f"flag {row.flag}"),
            *(el("small", n) for n in row.notes),
            cls="cc-c-name",
            scope="row",
        ),
        el("td", el("b", row.rate or _DASH), cls="cc-c-value", data_label="Now"),
        el("td", row.heard, cls="cc-c-base", data_label="Last batch"),
        el("td", row.total, cls="cc-c-limit", data_label="Altogether"),
        cls=f"cc-row-{row.mark.tone}",
    )


def tried(result: Tried) -> Html:
    """Return what came of trying a query."""
    sign, tone = ("check_circle", "good") if result.ok else ("error", "bad")
    said = el("p", icon(sign), " ", result.said, cls=f"cc-toned cc-{tone}", role="status")
    asked = el("p", el("code", result.query)) if result.query else None
    rows = [el("tr", el("td", el("code", labels)), el("td", value, cls="cc-num")) for labels, value in result.rows]
    table = el("div", el("table", el("tbody", *rows), cls="cc-table"), cls="cc-scroll") if rows else None
    return join([asked, said, table])

"""Views of an experiment -> HTML for `st.html`; shapes are in style.css."""

from __future__ import annotations

from collections.abc import Sequence

from core.web.html import badge
from core.web.markup import Html, el, table_head
from core.web.views.experiment import EffectRow
from core.web.views.segments import SpreadCard


def effects(rows: Sequence[EffectRow], control: str, treatment: str) -> Html:
    """Return the table with a row a metric."""
    heads = ("State", "Metric", control, treatment, "Relative effect", "Difference", "p", "Would have seen")

    def row(view: EffectRow) -> Html:
        return el(
            "tr",
            el("td", badge(view.mark), cls="cc-c-state"),
            el("th", view.name, el("small", view.about), cls="cc-c-name", scope="row"),
            el("td", view.control, cls="cc-c-base", data_label=control),
            el("td", view.treatment, cls="cc-c-base", data_label=treatment),
            el("td", el("b", view.relative), cls="cc-c-value", data_label=heads[4]),
            el("td", view.difference, cls="cc-c-base", data_label=heads[5]),
            el("td", view.p, el("small", view.adjusted), cls="cc-c-base", data_label="p"),
            el("td", view.smallest, cls="cc-c-base", data_label=heads[7]),
            cls=f"cc-row-{view.mark.tone}",
        )

    return el(
        "div",
        el(
            "table",
            el("caption", f"Metrics of {treatment} against {control}", cls="cc-hidden"),
            table_head(heads),
            el("tbody", *map(row, rows)),
            cls="cc-figures cc-effects",
        ),
        cls="cc-scroll",
        tabindex="0",
        role="region",
        aria_label="Metrics",
    )


def spreads(cards: Sequence[SpreadCard]) -> Html:
    """Return a card a segment."""
    return el(
        "div",
        *(
            el(
                "section",
                el("header", el("h3", card.dimension), badge(card.mark)),
                el("p", card.said),
                el("small", card.detail, cls="cc-muted") if card.detail else None,
                cls=f"cc-card cc-edge-{card.mark.tone}",
            )
            for card in cards
        ),
        cls="cc-spreads",
    )


def points(sentences: Sequence[str]) -> Html:
    """Return sentences as a list."""
    return el("ul", *(el("li", text) for text in sentences), cls="cc-points")


def welcome() -> Html:
    """Return what is said before the first experiment."""
    return el(
        "header",
        el("h1", "Is the new version better?"),
        el(
            "p",
            "Choose data with a row a learner: which version each was given, and what came of it. Columns are guessed, "
            "and yours to correct. You see effects with their intervals, by day and by segment, and whether traffic "
            "was split as planned.",
        ),
        cls="cc-title",
    )

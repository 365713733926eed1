"""Views of runs and learners -> HTML for `st.html`; shapes are in style.css, cohorts' colours come with each piece."""

from __future__ import annotations

from collections.abc import Sequence

from core.web.html import badge, icon
from core.web.learners.figures import colour_of
from core.web.learners.jobs import JobState
from core.web.markup import Html, el
from core.web.palette import Palette
from core.web.views.cohorts import SIMULATED, Card, CardTrait
from core.web.views.learner import Head, Near, Strip, Why
from core.web.views.population import Chosen
from core.web.views.times import precise


def key(number: int, colours: Palette) -> Html:
    """Return a cohort's colour as a small diamond, as its centre has on the map."""
    return el("i", cls="cc-diamond", style=f"--cc-cohort:{colour_of(number, colours)}", aria_hidden="true")


def cards(views: Sequence[Card], colours: Palette) -> Html:
    """Return the archetype cards."""
    return el("div", *(_card(view, colours) for view in views), cls="cc-cohorts")


def _card(view: Card, colours: Palette) -> Html:
    return el(
        "article",
        el("header", key(view.number, colours), el("h3", view.name), el("b", view.share, cls="cc-num")),
        el("div", el("span", style=f"width:{_width(view.share)}"), cls="cc-share-bar", aria_hidden="true"),
        el("p", view.learners, cls="cc-muted cc-num"),
        el("p", view.sentence),
        el("dl", *map(_trait, view.traits)),
        cls="cc-cohort",
        style=f"--cc-cohort:{colour_of(view.number, colours)}",
    )


def _width(share: str) -> str:
    return f"{share.removesuffix(' %')}%"


def _trait(view: CardTrait) -> Html:
    bar = el("i", style=f"left:{100 * view.left:.1f}%;width:{max(100 * view.width, 0.8):.1f}%")
    return el(
        "div",
        el("dt", view.label),
        el("dd", el("b", view.value), el("span", bar, cls="cc-apart", aria_hidden="true"), el("small", view.apart)),
    )


def chosen(view: Chosen, colours: Palette) -> Html:
    """Return what is said of the learners in a box."""
    table = None
    if view.rows:
        heads = el("tr", el("th", "Mean", scope="col"), el("th", "here", scope="col"), el("th", "all", scope="col"))
        rows = [
            el(
                "tr",
                el("th", row.label, scope="row"),
                el("td", row.some, cls="cc-num"),
                el("td", row.all, cls="cc-num"),
            )
            for row in view.rows
        ]
        table = el("table", el("thead", heads), el("tbody", *rows), cls="cc-table cc-chosen-table")
    parts = [
        el("li", key(part.number, colours), part.name, el("b", f"{part.learners:,}", cls="cc-num"))
        for part in view.parts
    ]
    return el(
        "section",
        el("h3", view.said),
        el("ul", *parts, cls="cc-parts") if parts else None,
        table,
        cls="cc-chosen",
        aria_live="polite",
    )


_STAGES = {
    "reading": "Reading events",
    "finding cohorts": "Traits and cohorts",
    "writing": "Writing",
}


def job(state: JobState, now: float) -> Html:
    """Return how far a run is."""
    names = list(_STAGES)
    at = names.index(state.stage) if state.stage in _STAGES else -1
    items = []
    for i, (stage, label) in enumerate(_STAGES.items()):
        done, here = i < at, i == at
        mark = icon("check_circle" if done else "progress_activity" if here else "radio_button_unchecked")
        rows = f" {state.rows:,} so far" if here and stage == "reading" and state.rows else ""
        word = "done" if done else "under way" if here else "to come"
        items.append(
            el(
                "li",
                mark,
                el("span", label, rows),
                el("span", word, cls="cc-hidden"),
                cls="cc-done" if done else "cc-here" if here else "cc-to-come",
            )
        )
    head = el("p", el("b", f"Finding cohorts in {state.name}"), f", {precise(now - state.began)} so far")
    return el("section", head, el("ol", *items), cls="cc-job", aria_label="a run under way")


def strips(views: Sequence[Strip], colour: str) -> Html:
    """Return a learner's traits against the cohort's, one strip a trait."""
    return el("div", *map(_strip, views), cls="cc-strips", style=f"--cc-cohort:{colour}")


def _strip(view: Strip) -> Html:
    def band(ends: tuple[float, float] | None, cls: str) -> Html | None:
        if ends is None:
            return None
        return el("i", cls=cls, style=f"left:{100 * ends[0]:.2f}%;width:{max(100 * (ends[1] - ends[0]), 0.4):.2f}%")

    def tick(place: float | None, cls: str) -> Html | None:
        return None if place is None else el("i", cls=cls, style=f"left:{100 * place:.2f}%")

    track = el(
        "div",
        band(view.wide, "cc-wide"),
        band(view.narrow, "cc-narrow"),
        tick(view.middle, "cc-middle"),
        tick(view.everybody, "cc-everybody"),
        tick(view.mark, "cc-mark"),
        cls="cc-track",
        aria_hidden="true",
    )
    return el(
        "div",
        el("div", el("b", view.label), el("small", view.meaning), cls="cc-strip-name"),
        el("b", view.value, cls="cc-num cc-strip-value"),
        track,
        el("small", view.said, cls="cc-strip-said"),
        cls="cc-strip",
    )


def learner_head(view: Head, colours: Palette) -> Html:
    """Return who a learner is, and in which cohort."""
    colour = cohort_colour(view.cohort, colours)
    mark = None if view.cohort is None else key(view.cohort, colours)
    return el(
        "section",
        badge(SIMULATED) if view.simulated else None,
        el("h2", view.learner),
        el("p", mark, el("b", view.name), cls="cc-whose"),
        el("p", view.sentence),
        el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in view.facts)),
        cls="cc-learner",
        style=f"--cc-cohort:{colour}",
    )


def cohort_colour(cohort: int | None, colours: Palette) -> str:
    """Return the colour of a cohort, or of none."""
    return colours.muted if cohort is None else colour_of(cohort, colours)


def strip_key() -> Html:
    """Return what the marks on a strip mean."""
    return el(
        "p",
        el("span", el("i", cls="cc-mark"), "this learner"),
        el("span", el("i", cls="cc-narrow"), "half of the cohort"),
        el("span", el("i", cls="cc-wide"), "nine in ten"),
        el("span", el("i", cls="cc-middle"), "its median"),
        el("span", el("i", cls="cc-everybody"), "median of all learners"),
        cls="cc-strip-key",
    )


def why(view: Why, colours: Palette) -> Html:
    """Return why a learner is in the cohort."""
    rows = [_near(near, colours) for near in view.near]
    note = el("p", view.note, cls="cc-muted") if view.note else None
    return el("section", el("p", view.said), el("ol", *rows), note, cls="cc-why")


def _near(view: Near, colours: Palette) -> Html:
    return el(
        "li",
        key(view.number, colours),
        el("span", view.name, el("small", " (this learner's)") if view.own else None),
        el("div", el("span", style=f"width:{100 * view.length:.1f}%"), cls="cc-distance", aria_hidden="true"),
        el("b", view.distance, cls="cc-num"),
        style=f"--cc-cohort:{colour_of(view.number, colours)}",
        cls="cc-own" if view.own else "",
    )


def welcome() -> Html:
    """Return what is said before the first run."""
    return el(
        "section",
        el("h1", "No cohorts have been found yet"),
        el(
            "p",
            "Cohorts are groups of learners who learn alike: fast learners, specialists, power users. They are found "
            "in the log of what learners did: who, when, in which domain, on which skill.",
        ),
        cls="cc-headline cc-edge-calm",
    )

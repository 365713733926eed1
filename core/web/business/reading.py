"""Store and address -> the case that the page shows, computed once for all who look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.experiments.business_case import (
    Case,
    CaseError,
    Measure,
    Outcome,
    SavedCase,
    evaluate,
    load_case,
    remove_case,
    save_case,
    saved_cases,
    with_texts,
)
from core.identity import Permission, Person
from core.store import StoreUnavailable
from core.web.actions import Told, refused
from core.web.business import figures
from core.web.figures import PlotlyFigure
from core.web.palette import palette
from core.web.reading import store
from core.web.views import business
from core.web.views.marks import Tone

EXAMPLE = Path(__file__).resolve().parents[3] / "data" / "business" / "first-user.yaml"
LINKED = ("lift_source", "simulated")


@st.cache_data(show_spinner=False)
def example() -> Case:
    """Return the case that comes with the product."""
    return load_case(EXAMPLE)


@st.cache_data(ttl=1.0, show_spinner=False)
def saved() -> dict[str, SavedCase]:
    """Return the cases that are saved."""
    with store().read() as connection:
        return saved_cases(connection)


def cases() -> dict[str, Case]:
    """Return the cases there are, the example first; one saved under its name takes its place."""
    return {example().name: example(), **{name: one.case for name, one in saved().items()}}


def with_link(base: Case, query: Mapping[str, str]) -> Case:
    """Return a case with what an address changes in it.

    Raises:
        CaseError: an input can't be used.
    """
    texts = {name: query.get(name, text) for name, text in base.texts.items()}
    case = with_texts(base, texts, currency=query.get("currency"))
    if not query.get("lift_source"):
        return case
    return replace(case, lift_source=query["lift_source"][:400], simulated=query.get("simulated", "")[:400])


@st.cache_data(max_entries=16, show_spinner=False)
def outcome(yaml: str, _case: Case) -> Outcome:  # noqa: ARG001 -- the text is what the case is known by
    """Compute a case."""
    return evaluate(_case.inputs)


@st.cache_data(max_entries=32, show_spinner=False)
def charts(
    yaml: str, measure: Measure, theme: str | None, _case: Case
) -> tuple[tuple[PlotlyFigure, str] | None, tuple[PlotlyFigure, str] | None]:
    """Return how a measure is spread and what moves it, each with its text alternative, where there is anything."""
    found, colours = outcome(yaml, _case), palette(theme)
    spread, bars = business.spread(_case, found, measure), business.tornado(_case, found, measure)
    value = found.estimates[measure].value
    drawable = bars and value == value and abs(value) != float("inf")
    return (
        None if spread is None else figures.spread(spread, _case.currency, colours),
        figures.tornado(bars, measure, value, _case.currency, colours) if drawable else None,
    )


def save(person: Person, case: Case, name: str) -> Told:
    """Save a case under a name."""
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal
    try:
        named = with_texts(case, case.texts, name)
        fresh = save_case(store(), named, person.actor)
    except CaseError as error:
        return Told(Tone.BAD, f"Not saved: the name must be {error.problems[0].expected}.")
    except StoreUnavailable as error:
        return Told(Tone.BAD, f"Not saved: {error}")
    saved.clear()
    return Told(Tone.GOOD, f"Saved “{named.name}”." if fresh else f"“{named.name}” is saved like that already.")


def remove(person: Person, name: str) -> Told:
    """Remove a case from the list."""
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal
    try:
        gone = remove_case(store(), name, person.actor)
    except StoreUnavailable as error:
        return Told(Tone.BAD, f"Not removed: {error}")
    saved.clear()
    return Told(Tone.GOOD, f"Removed “{name}”; History still has it." if gone else f"There is no “{name}” any more.")

"""One learner of a run -> what the Learner page says: traits against the cohort, why this cohort, events. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa

from core.delivery import State, Status
from core.delivery.words import percent
from core.learners import CohortModel
from core.learners.runs import CohortRun, features_of_row
from core.traffic import Assignment
from core.web.views.cohorts import moment
from core.web.views.population import Population
from core.web.views.traits import FEATURES, TRAITS, Trait

SPREADS_TO_SD = 1.349
"""An interquartile range is 1.349 standard deviations of a normal distribution; traits are scaled by theirs."""
DOMAINS_SHOWN = 8
OTHERS = "all others"
_WEEK_US = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Strip:
    """One trait of a learner against their cohort; places on the strip are parts of its length, 0 to 1.

    Attributes:
        value: said. mark: the learner's place; None where the trait isn't known.
        wide, narrow: from the 5th to the 95th and from the 25th to the 75th percentile of the cohort; None where nobody
            in it has the trait. middle: its median. everybody: the median of all learners.
        said: where the learner stands in the cohort.
    """

    label: str
    meaning: str
    value: str
    mark: float | None
    wide: tuple[float, float] | None
    narrow: tuple[float, float] | None
    middle: float | None
    everybody: float | None
    said: str


@dataclass(frozen=True, slots=True)
class Near:
    """How near a cohort's centroid is. `length`: of a bar, 0 to 1."""

    number: int
    name: str
    distance: str
    length: float
    own: bool


@dataclass(frozen=True, slots=True)
class Why:
    """Why a learner is in their cohort: `said`, the distances, nearest first, and what is not quite as it seems."""

    said: str
    near: tuple[Near, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Activity:
    """A learner's events: counts a week by domain, scores as (time, skill, score), and the sentence about them."""

    weeks: tuple[str, ...]
    domains: tuple[tuple[str, tuple[int, ...]], ...]
    scores: tuple[tuple[str, str, float], ...]
    said: str


@dataclass(frozen=True, slots=True)
class Head:
    """Who a learner is: their cohort (None: no event in the window), what it says, and facts about them."""

    learner: str
    cohort: int | None
    name: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    simulated: str


def head(run: CohortRun, row: Mapping[str, Any]) -> Head:
    """Say who a learner is."""
    cohort = row["cohort"]
    facts = [("Events in the window", f"{row['events']:,}")]
    if row["older"]:
        facts.append(("Events outside it", f"{row['older']:,}"))
    for name, label in (
        ("top_domain", "Top domain"),
        ("affinity", "Affinity"),
        ("trend", "Trend"),
        ("trajectory", "Engagement"),
    ):
        if row.get(name) is not None:
            facts.append((label, str(row[name])))
    scores = [(word, row.get(f"{word}_score")) for word in ("velocity", "affinity", "retention")]
    if all(score is not None for _, score in scores):
        facts.append(("Scores, by formula", ", ".join(f"{word} {score:.2f}" for word, score in scores)))
    if row.get("low_evidence"):
        facts.append(("Evidence", "low: fewer than 20 events"))
    if cohort is None:
        said = f"No event in the {run.model.constants.weeks} weeks that were looked at, so no traits and no cohort."
        return Head(row["learner_id"], None, "No cohort", said, tuple(facts), run.found.simulated)
    found = run.model.cohorts[cohort]
    return Head(row["learner_id"], cohort, found.name, found.sentence, tuple(facts), run.found.simulated)


def strips(population: Population, row: Mapping[str, Any]) -> tuple[Strip, ...]:
    """Return each trait of a learner (a row of the assignments) against their cohort, or all learners without one."""
    cohort = row["cohort"]
    member = population.cohort == cohort if cohort is not None else np.ones(len(population), dtype=bool)
    name = "the cohort" if cohort is not None else "all learners"
    return tuple(_strip(trait, population, member, name, row.get(trait.name)) for trait in TRAITS)


def _strip(trait: Trait, population: Population, member: Any, cohort: str, value: float | None) -> Strip:
    places = trait.place(population.values[trait.name])
    every = places[np.isfinite(places)]
    own = places[member & np.isfinite(places)]
    if value is None or (trait.log and not value > 0):
        place, known = None, None
    else:
        known = float(value)
        place = float(trait.place(np.array([known], dtype=np.float32))[0])
    low, high = _ends(trait, every, own, place)

    def at(p: float | None) -> float | None:
        return None if p is None else min(1.0, max(0.0, (p - low) / (high - low)))

    def span(a: float, b: float) -> tuple[float, float] | None:
        if not own.size:
            return None
        first, last = np.percentile(own, [a, b])
        return at(float(first)) or 0.0, at(float(last)) or 0.0

    return Strip(
        label=trait.label,
        meaning=trait.meaning,
        value=trait.say(known),
        mark=at(place),
        wide=span(5, 95),
        narrow=span(25, 75),
        middle=at(float(np.median(own))) if own.size else None,
        everybody=at(float(np.median(every))) if every.size else None,
        said=_standing(own, place, cohort, trait),
    )


def _ends(trait: Trait, every: Any, own: Any, place: float | None) -> tuple[float, float]:
    if trait.ends is not None:
        return trait.ends
    # The thousandth at either end would squeeze all others together; the learner and the cohort are always on it.
    known = [float(v) for v in np.percentile(every, [0.1, 99.9])] if every.size else [0.0, 1.0]
    known += [float(v) for v in np.percentile(own, [5, 95])] if own.size else []
    known += [] if place is None else [place]
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _standing(own: Any, place: float | None, cohort: str, trait: Trait) -> str:
    if place is None:
        return trait.missing or "not known"
    if not own.size:
        return f"nobody in {cohort} has it"
    tolerance = 1e-6 * max(1.0, abs(place))
    below, above = float((own < place - tolerance).mean()), float((own > place + tolerance).mean())
    if below >= above:
        return f"above {percent(below)} of {cohort}" if below > 0 else f"as everybody in {cohort}"
    return f"below {percent(above)} of {cohort}"


def why(model: CohortModel, row: Mapping[str, Any]) -> Why | None:
    """Say why a learner is in their cohort: how far each centroid is; None without events in the window.

    Distances are Euclidean in the traits that cohorts are found by, each divided by its interquartile range and clipped
    as the analyzer does; told in robust standard deviations (IQR / 1.349), which changes no order.
    """
    if row["cohort"] is None:
        return None
    features = features_of_row(row)
    point = model.scaler(features)[0]
    apart = model.centroids - point
    distances = SPREADS_TO_SD * np.sqrt((apart**2).sum(axis=1))
    order = sorted(range(len(distances)), key=lambda i: (distances[i], i))
    longest = float(distances.max()) or 1.0
    near = tuple(
        Near(i, model.cohorts[i].name, f"{distances[i]:.2f} sd", float(distances[i]) / longest, i == row["cohort"])
        for i in order
    )
    said = f"The centroid of {near[0].name} is the nearest: {near[0].distance} away."
    if len(order) > 1:
        first, second = order[0], order[1]
        telling = apart[second] ** 2 - apart[first] ** 2
        best = int(telling.argmax())
        trait = FEATURES[model.scaler.columns[best]].label.lower()
        said += f" The next best, {near[1].name}, is {near[1].distance} away; {trait} tells the two apart most."
        if distances[second] - distances[first] < 0.1 * distances[second]:
            said += " That is close: a little more or less activity could put this learner in the other."
    filled = [FEATURES[c].label.lower() for c in model.scaler.columns if math.isnan(features[0, c])]
    note = f"Not known of this learner, so taken as the median: {', '.join(filled)}." if filled else ""
    return Why(said, near, note)


def activity(events: pa.Table, as_of: int) -> Activity:
    """Return a learner's events (canonical columns, in order of time) by week and domain, weeks counted to `as_of`.

    The domains with most events have a bar of their own, the others one together.
    """
    ts = events["ts"].cast(pa.int64()).to_numpy()
    domains = events["domain"].cast(pa.string()).to_pylist()
    if not ts.size:
        return Activity((), (), (), "No event.")
    week = (as_of - ts) // _WEEK_US
    newest, oldest = int(week.min()), int(week.max())
    counted = Counter(domains)
    names = sorted(counted, key=lambda name: (-counted[name], name))
    shown = names if len(names) <= DOMAINS_SHOWN else names[: DOMAINS_SHOWN - 1]
    rows: dict[str, list[int]] = {name: [0] * (oldest - newest + 1) for name in shown}
    if len(shown) < len(names):
        rows[OTHERS] = [0] * (oldest - newest + 1)
    for w, domain in zip(week.tolist(), domains, strict=True):
        rows[domain if domain in rows else OTHERS][oldest - w] += 1
    starts = tuple(_day(as_of - (w + 1) * _WEEK_US + 1) for w in range(oldest, newest - 1, -1))
    skills = events["skill"].cast(pa.string()).to_pylist()
    scored = tuple(
        (_day(t, "%Y-%m-%d %H:%M:%S"), escape(skill), float(score))
        for t, skill, score in zip(ts.tolist(), skills, events["score"].to_pylist(), strict=True)
        if score is not None and not math.isnan(score)
    )
    said = (
        f"{ts.size:,} events on {len(set(skills)):,} skills in {len(names):,} domains, "
        f"{moment(int(ts.min()))} to {moment(int(ts.max()))}."
    )
    return Activity(starts, tuple((escape(name), tuple(counts)) for name, counts in rows.items()), scored, said)


def _day(micros: int, form: str = "%Y-%m-%d") -> str:
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC).strftime(form)


def versions(statuses: Sequence[Status], given: Mapping[str, Assignment | str]) -> tuple[tuple[str, str], ...]:
    """Say which version of each flag a learner gets now.

    Args:
        statuses: deployments, newest first. given: by flag the assignment, or why there is none.
    """
    rows = []
    for flag, got in given.items():
        status = next((s for s in statuses if s.plan.flag == flag and not s.state.ended), None)
        if isinstance(got, str):
            rows.append((flag, got))
            continue
        rule = got.rule
        said = (
            f"{got.value}: this learner's bucket is {got.bucket:.4f}; those below {rule.share:g} get {rule.candidate}"
        )
        if status is not None and status.state is not State.DRAFT:
            said += f" ({status.plan.name}, {status.state})"
        if got.stale:
            said += f"; as last known: {got.stale}"
        rows.append((flag, said))
    return tuple(rows)

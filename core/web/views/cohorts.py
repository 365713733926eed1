"""A run that found cohorts -> what the Cohorts page says: the sentence, cards, evidence, facts. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.delivery.words import percent
from core.learners.runs import CohortRun
from core.web.views.marks import Headline, Mark, Tone
from core.web.views.population import Population
from core.web.views.says import sentence
from core.web.views.times import clock_time, precise
from core.web.views.traits import BY_NAME, FEATURES

SHOWN_SD = 2.5
"""Standard deviations at which a bar is as long as it gets."""
SIMULATED = Mark(Tone.WATCH, "science", "simulated learners")
FOUND = Mark(Tone.GOOD, "groups", "cohorts found")


@dataclass(frozen=True, slots=True)
class CardTrait:
    """A trait of a cohort: its mean, and how far from the mean learner; `left` and `width` of a bar, 0 to 1."""

    label: str
    value: str
    apart: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Card:
    """An archetype card."""

    number: int
    name: str
    learners: str
    share: str
    sentence: str
    traits: tuple[CardTrait, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What spoke for each number of cohorts. `stabilities` may be empty."""

    tried: tuple[int, ...]
    silhouettes: tuple[float, ...]
    stabilities: tuple[float, ...]
    taken: int
    said: str


def summary(run: CohortRun) -> Headline:
    """Say what was found."""
    found, cohorts = run.found, run.model.cohorts
    active = sum(cohort.learners for cohort in cohorts)
    largest = max(cohorts, key=lambda cohort: cohort.learners)
    title = f"{found.learners:,} learners, {len(cohorts)} {'cohorts' if len(cohorts) != 1 else 'cohort'}"
    quiet = found.learners - active
    detail = (
        f"The largest is {largest.name}, with {percent(largest.learners / max(active, 1))} of the learners. Found in "
        f"{found.events:,} events up to {moment(run.model.constants.as_of)}, {run.model.constants.weeks} weeks of them."
    )
    if quiet:
        detail += f" {quiet:,} learners have no event in those weeks, so no cohort."
    return Headline(SIMULATED if found.simulated else FOUND, title, detail)


def cards(run: CohortRun, population: Population) -> tuple[Card, ...]:
    """Return a card a cohort, the largest first."""
    everybody = max(int(population.sizes.sum()), 1)
    found = [run.model.cohorts[number] for number in population.order]
    return tuple(
        Card(
            cohort.number,
            cohort.name,
            counted(int(population.sizes[cohort.number])),
            percent(population.sizes[cohort.number] / everybody),
            cohort.sentence,
            _traits(population, cohort.number),
        )
        for cohort in found
    )


def counted(learners: int) -> str:
    """Say how many learners there are."""
    return f"{learners:,} {'learner' if learners == 1 else 'learners'}"


def _traits(population: Population, number: int) -> tuple[CardTrait, ...]:
    rows = []
    for trait in FEATURES:
        mean, deviation = population.all_means[trait.name]
        own = float(population.cohort_means[trait.name][number])
        if not math.isfinite(own) or not deviation > 0:
            continue
        apart = (own - mean) / deviation
        reach = max(-1.0, min(1.0, apart / SHOWN_SD)) / 2
        rows.append(CardTrait(trait.label, trait.say(own), f"{apart:+.1f} sd", 0.5 + min(reach, 0.0), abs(reach)))
    return tuple(rows)


def evidence(run: CohortRun) -> Evidence | None:
    """Return how the number of cohorts was chosen; None where nothing could be tried."""
    model = run.model
    tried = tuple(sorted(model.silhouettes))
    if not tried:
        return None
    silhouettes = tuple(model.silhouettes[k] for k in tried)
    stabilities = tuple(model.stabilities.get(k, math.nan) for k in tried)
    taken = len(model.cohorts)
    if run.found.options.get("k"):
        said = f"{taken} cohorts were asked for."
    else:
        said = (
            f"{taken} cohorts: of the numbers that bootstrap samples confirm, the one with the best silhouette; where "
            "none is confirmed, the most stable."
        )
    return Evidence(tried, silhouettes, stabilities, taken, said)


def notes(run: CohortRun) -> tuple[str, ...]:
    """Return what should be known of a run's source, as sentences."""
    return tuple(sentence(note) for note in run.found.rejected.get("notes", ()))


_QUALITY = {
    "explained": "Part of the differences that lies between cohorts",
    "silhouette": "Silhouette, -1 to 1",
    "smallest": "Part of the learners in the smallest cohort",
    "stability": "Stability under resampling, up to 1",
}


def facts(run: CohortRun) -> tuple[tuple[str, str], ...]:
    """Return what is known of a run, as names and values."""
    found, model = run.found, run.model
    rows = [
        ("Source", found.source),
        ("Run", f"{run.id}, {clock_time(run.at)}"),
        ("Learners", f"{found.learners:,}"),
        ("Events", f"{found.events:,}"),
        ("Window", f"{model.constants.weeks} weeks up to {moment(model.constants.as_of)}"),
        ("Took", precise(found.seconds.get("total", 0.0)) + _stages(found.seconds)),
        ("Rejected rows", _rejected(found.rejected)),
    ]
    rows += [(_QUALITY.get(name, name.capitalize()), f"{value:.3g}") for name, value in model.quality.items()]
    rows += [(f"Left out: {name.replace('_', ' ')}", why) for name, why in model.scaler.left_out.items()]
    return tuple(rows)


def _stages(seconds: Mapping[str, float]) -> str:
    stages = [f"{name} {precise(s)}" for name, s in seconds.items() if name != "total"]
    return f" ({', '.join(stages)})" if stages else ""


def _rejected(rejected: Mapping[str, Any]) -> str:
    if not rejected.get("rows"):
        return "none"
    reasons = "; ".join(f"{rows:,} {reason}" for reason, rows in rejected.get("reasons", {}).items())
    return f"{rejected['rows']:,}: {reasons}"


def moment(micros: int) -> str:
    """Say a time in microseconds since 1970 as "31 Oct 2025"."""
    at = dt.datetime.fromtimestamp(micros / 1e6, dt.UTC)
    return f"{at.day} {at:%b %Y}"


def run_label(run: CohortRun) -> str:
    """Say what a run is called in a list."""
    return f"{run.found.source} · {run.id}"


def wanted(known: Sequence[CohortRun], id_: str | None) -> CohortRun:
    """Return the run asked for if it exists, else the newest; there must be one."""
    return next((run for run in known if run.id == id_), known[0])


def spread_note(name: str) -> str:
    """Say how ridges are drawn."""
    trait = BY_NAME[name]
    return (
        f"{trait.label}: {trait.meaning}. Each ridge is one cohort, its height the square root of the part of the "
        "cohort that is there, so that small parts are seen."
    )

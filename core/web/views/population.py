"""All learners of a run as columns, and what is said of some of them against all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.delivery.words import percent
from core.web.views.density import HELD
from core.web.views.traits import FEATURES, Column, Trait


@dataclass(frozen=True)
class Population:
    """All learners of a run.

    Attributes:
        ids: shape (L,), sorted as text. values: of each trait float32, NaN where not known.
        cohort: int16, -1 for none. names: of the cohorts, by number.
        revenue, cost: float64, NaN where not told; None where the run has neither.
    """

    ids: pa.Array
    values: Mapping[str, Column]
    cohort: NDArray[np.int16]
    names: tuple[str, ...]
    revenue: NDArray[np.float64] | None = None
    cost: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return the number of learners."""
        return len(self.ids)

    @property
    def k(self) -> int:
        """Number of cohorts."""
        return len(self.names)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Learners by cohort, shape (k,)."""
        return np.bincount(self.cohort[self.cohort >= 0], minlength=self.k)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Numbers of the cohorts, the largest first."""
        return tuple(sorted(range(self.k), key=lambda number: (-int(self.sizes[number]), number)))

    @cached_property
    def all_means(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of each trait over all learners who have it."""
        return {name: mean_and_deviation(values) for name, values in self.values.items()}

    @cached_property
    def cohort_means(self) -> dict[str, NDArray[np.float64]]:
        """Mean of each trait by cohort, shape (k,); NaN where nobody has it."""
        means = {}
        for name, values in self.values.items():
            known = np.isfinite(values) & (self.cohort >= 0)
            count = np.bincount(self.cohort[known], minlength=self.k)
            total = np.bincount(self.cohort[known], weights=values[known], minlength=self.k)
            means[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return means


def mean_and_deviation(values: Column) -> tuple[float, float]:
    """Return mean and standard deviation of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    return float(known.mean(dtype=np.float64)), float(known.std(dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of some learners and of all."""

    label: str
    some: str
    all: str


@dataclass(frozen=True, slots=True)
class Part:
    """How many of some learners are in a cohort."""

    number: int
    name: str
    learners: int
    share: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is said of chosen learners: how many, figures of them and of all, and which cohorts they are in."""

    learners: int
    said: str
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]


def chosen(population: Population, inside: NDArray[np.bool_], x: Trait, y: Trait) -> Chosen:
    """Describe chosen learners: how many, their mean traits against all learners', their money, their cohorts."""
    number = int(inside.sum())
    traits = dict.fromkeys([x, y, *FEATURES])
    rows = [
        Row(
            trait.label,
            trait.say(mean_and_deviation(population.values[trait.name][inside])[0]),
            trait.say(population.all_means[trait.name][0]),
        )
        for trait in traits
    ]
    rows += _money(population, inside)
    sizes = np.bincount(population.cohort[inside & (population.cohort >= 0)], minlength=population.k)
    parts = sorted(
        (Part(i, population.names[i], int(size), size / max(number, 1)) for i, size in enumerate(sizes) if size),
        key=lambda part: -part.learners,
    )
    share = percent(number / max(len(population), 1))
    said = f"{number:,} learners, {share} of all {len(population):,}" if number else "Nobody is in this box"
    return Chosen(number, said, tuple(rows) if number else (), tuple(parts))


def _money(population: Population, inside: NDArray[np.bool_]) -> list[Row]:
    rows = []
    for label, values in (("Revenue a learner", population.revenue), ("Cost a learner", population.cost)):
        if values is not None and np.isfinite(values).any():
            rows.append(Row(label, _each(values[inside]), _each(values)))
            rows.append(Row("of learners told of", _told(values[inside]), _told(values)))
    if population.revenue is not None and population.cost is not None:
        some, everybody = (
            roi(population.revenue[inside], population.cost[inside]),
            roi(population.revenue, population.cost),
        )
        if everybody is not None:
            rows.append(Row("ROI, revenue / cost", "unknown" if some is None else f"{some:.3g}", f"{everybody:.3g}"))
    return rows


def _each(values: NDArray[np.float64]) -> str:
    known = values[np.isfinite(values)]
    return f"{known.mean():,.2f}" if known.size else "unknown"


def _told(values: NDArray[np.float64]) -> str:
    return f"{int(np.isfinite(values).sum()):,}"


def roi(revenue: NDArray[np.float64], cost: NDArray[np.float64]) -> float | None:
    """Return the ratio of totals, revenue / cost, over learners of whom both are known; None without any cost."""
    both = np.isfinite(revenue) & np.isfinite(cost)
    total = float(cost[both].sum())
    return float(revenue[both].sum()) / total if total > 0 else None


_MARKS = f"Diamonds are the cohorts' means; each outline is the smallest area that holds {percent(HELD)} of a cohort."


def caption(population: Population, x: Trait, y: Trait, drawn: int) -> str:
    """Say who is in a map, and who can't be and why: nobody is left out silently."""
    everybody = len(population)
    if drawn == everybody:
        return f"All {everybody:,} learners; a cell is a count. {_MARKS}"
    reasons = []
    events = population.values["events"]
    inactive = int((events <= 0).sum())
    if inactive:
        reasons.append(f"{inactive:,} have no event in the window")
    for trait in dict.fromkeys((x, y)):
        missing = int((~np.isfinite(trait.place(population.values[trait.name])) & (events > 0)).sum())
        if missing:
            why = f" ({trait.missing})" if trait.missing else ""
            reasons.append(f"{missing:,} have no {trait.label.lower()}{why}")
    return f"{drawn:,} of all {everybody:,} learners; a cell is a count. Not drawn: {'; '.join(reasons)}. {_MARKS}"

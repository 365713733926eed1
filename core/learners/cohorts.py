"""From traits to what k-means takes, and from what it gives to cohorts: features, robust scaling, names by rule."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled, cores, in_blocks
from core.learners.clustering import Labels, Matrix, distances, nearest, nearest_to, sampled, silhouette
from core.learners.traits import NOT_KNOWN

FEATURES = (
    "velocity",
    "concentration",
    "reuse_rate",
    "recency_weighted_reuse",
    "log_events_per_week",
    "responsiveness",
)
CLIP = 3.0
ARCHETYPE_ABOVE = 0.5
GENERALIST = "Generalist"


def features_of(table: NDArray[np.void]) -> Matrix:
    """Return the features of a traits table (dtype `traits.TRAITS`), shape (learners, len(FEATURES)), NaN for null."""
    features = np.empty((table.size, len(FEATURES)))
    in_blocks(lambda rows: _features(table[rows], features[rows]), table.size)
    return features


@dataclass(frozen=True, slots=True)
class Scaler:
    """Robust scaling fixed on one population: (x - median) / IQR, clipped to +-3.

    Attributes:
        columns: indices into FEATURES that are used.
        medians, spreads: one number a used column; the spread is the IQR, or the standard deviation where that is 0.
        left_out: why each feature that isn't used isn't, by its name.
    """

    columns: tuple[int, ...]
    medians: tuple[float, ...]
    spreads: tuple[float, ...]
    left_out: Mapping[str, str]

    def __call__(self, features: Matrix) -> Matrix:
        """Scale features of shape (n, len(FEATURES)) to (n, used); a null becomes the median, which is 0."""
        out = np.empty((len(features), len(self.columns)))
        columns = np.array(self.columns, dtype=np.int64)
        medians, spreads = np.array(self.medians), np.array(self.spreads)
        in_blocks(lambda rows: _scale(features[rows], columns, medians, spreads, out[rows]), len(features))
        return out

    def assign(self, table: NDArray[np.void], centroids: Matrix) -> Labels:
        """Return which of centroids (k, used) is nearest to each learner of a traits table; NOT_KNOWN without events.

        The same as one step after the other, but each learner's figures stay near the processor.
        """
        labels = np.empty(table.size, dtype=np.int64)
        columns, turned = np.array(self.columns, dtype=np.int64), np.ascontiguousarray(centroids.T)
        medians, spreads = np.array(self.medians), np.array(self.spreads)
        in_blocks(lambda rows: _assign(table[rows], columns, medians, spreads, turned, labels[rows]), table.size)
        return labels

    def imputed(self, features: Matrix) -> NDArray[np.bool_]:
        """Say for each row of features whether a null among those used was taken for the median."""
        return np.asarray(np.isnan(features[:, list(self.columns)]).any(axis=1))


def fit_scaler(features: Matrix) -> Scaler:
    """Fix medians and spreads on features of shape (n, len(FEATURES))."""
    columns: list[int] = []
    medians: list[float] = []
    spreads: list[float] = []
    left_out: dict[str, str] = {}
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(_median_and_spread, features.T))
    for column, (name, (known, median, spread)) in enumerate(zip(FEATURES, found, strict=True)):
        if 2 * known < features.shape[0] or not known:
            left_out[name] = f"known of {known:,} of {features.shape[0]:,} learners only"
        elif spread < 1e-12:
            left_out[name] = "the same for all learners"
        else:
            columns.append(column)
            medians.append(median)
            spreads.append(spread)
    return Scaler(tuple(columns), tuple(medians), tuple(spreads), left_out)


def _median_and_spread(values: Matrix) -> tuple[int, float, float]:
    """Return how many values are known, their median, and their IQR or, where that is 0, standard deviation."""
    known = values[~np.isnan(values)]
    if not known.size:
        return 0, 0.0, 0.0
    low, median, high = np.percentile(known, [25, 50, 75])
    return known.size, float(median), float(high - low) or float(known.std())


@compiled
def _features(table: NDArray[np.void], out: Matrix) -> None:
    for i in range(table.size):
        row = table[i]
        out[i, 0] = row["velocity"]
        out[i, 1] = row["concentration"]
        out[i, 2] = row["reuse_rate"]
        out[i, 3] = row["recency_weighted_reuse"]
        out[i, 4] = math.log1p(row["events_per_week"])
        out[i, 5] = row["responsiveness"]


@compiled
def _assign(
    table: NDArray[np.void], columns: Labels, medians: Matrix, spreads: Matrix, turned: Matrix, labels: Labels
) -> None:
    features, points = np.empty((table.size, len(FEATURES))), np.empty((table.size, columns.size))
    squared = np.empty(table.size)
    _features(table, features)
    _scale(features, columns, medians, spreads, points)
    nearest_to(points, turned, labels, squared)
    for i in range(table.size):
        if table[i]["events"] == 0:
            labels[i] = NOT_KNOWN


@compiled
def _scale(features: Matrix, columns: Labels, medians: Matrix, spreads: Matrix, out: Matrix) -> None:
    for i in range(features.shape[0]):
        for j in range(columns.size):
            x = (features[i, columns[j]] - medians[j]) / spreads[j]
            out[i, j] = 0.0 if np.isnan(x) else min(max(x, -CLIP), CLIP)


def quality_figures(points: Matrix, centroids: Matrix, inertia: float, seed: int) -> dict[str, float]:
    """Return how well cohorts hold together, by name.

    `explained`: share of the squared distances from the mean learner that lies between cohorts, 0 to 1; `silhouette`:
    mean over a sample, -1 to 1; `smallest`: share of learners in the smallest cohort.

    Args:
        points: scaled features (n, d). centroids: (k, d). inertia: sum of squared distances to the nearest one.
    """
    total = float((points.var(axis=0) * len(points)).sum())
    labels, _ = nearest(points, centroids)
    sizes = np.bincount(labels, minlength=len(centroids))
    return {
        "explained": 1 - inertia / total if total > 0 else 0.0,
        "silhouette": _silhouette(*sampled(points, labels, seed)),
        "smallest": float(sizes.min() / len(points)),
    }


def _silhouette(points: Matrix, labels: Labels) -> float:
    return silhouette(distances(points), labels)


@dataclass(frozen=True, slots=True)
class Cohort:
    """A cohort found: its name, why it has it, and how many learners it had when it was found.

    Attributes:
        number: index of its centroid. archetype: one of the five. name: the archetype, numbered where several have it.
        sentence: the rule that named it, with its figures. traits: mean of each feature over its learners.
    """

    number: int
    archetype: str
    name: str
    sentence: str
    learners: int
    traits: Mapping[str, float | None]


_ARCHETYPES = {
    "Fast Learner": ("velocity", ("velocity",)),
    "Specialist": ("concentration", ("concentration",)),
    "Power User": ("frequency", ("log_events_per_week",)),
    "Long-term Retainer": ("reuse", ("reuse_rate", "recency_weighted_reuse")),
}


def describe_cohorts(features: Matrix, labels: Labels, k: int, left_out: Mapping[str, str]) -> list[Cohort]:
    """Name each of k cohorts from its mean features in standard deviations from the population's mean.

    The highest of velocity, concentration, frequency and reuse names it, if above +0.5; else it is a generalist.
    """
    sums, squares, known = (np.zeros((k, len(FEATURES))) for _ in range(3))
    _add_up(features, labels, sums, known)
    mean = _divided(sums.sum(axis=0), known.sum(axis=0))
    _add_up((features - mean) ** 2, labels, squares, np.zeros_like(known))
    deviation = np.sqrt(_divided(squares.sum(axis=0), known.sum(axis=0)))
    deviation[deviation == 0] = np.nan
    sizes, centroids = np.bincount(labels, minlength=k), _divided(sums, known)
    named = [_archetype((centroid - mean) / deviation, left_out) for centroid in centroids]
    several = Counter(archetype for archetype, _ in named)
    rank: Counter[str] = Counter()
    names: dict[int, str] = {}
    for number in sorted(range(k), key=lambda number: (-sizes[number], number)):
        archetype = named[number][0]
        rank[archetype] += 1
        names[number] = archetype if several[archetype] == 1 else f"{archetype} {rank[archetype]}"
    return [
        Cohort(
            number=number,
            archetype=archetype,
            name=names[number],
            sentence=sentence,
            learners=int(sizes[number]),
            traits={
                name: None if np.isnan(value) else float(value)
                for name, value in zip(FEATURES, centroids[number], strict=True)
            },
        )
        for number, (archetype, sentence) in enumerate(named)
    ]


def _archetype(deviations: Matrix, left_out: Mapping[str, str]) -> tuple[str, str]:
    """Return the archetype of a centroid given in standard deviations, and the sentence that explains it."""
    heights: dict[str, float] = {}
    for archetype, (_, features) in _ARCHETYPES.items():
        used = [deviations[FEATURES.index(name)] for name in features if name not in left_out]
        if used and not np.isnan(used).any():
            heights[archetype] = float(np.mean(used))
    if not heights:
        return GENERALIST, "Generalist: no trait that names an archetype is known here."
    best = max(heights, key=lambda archetype: heights[archetype])
    trait, height = _ARCHETYPES[best][0], heights[best]
    if height > ARCHETYPE_ABOVE:
        return best, f"{best}: {trait} stands out most, {height:+.2f} standard deviations from the mean learner."
    return GENERALIST, (
        f"Generalist: nothing stands out; the highest trait, {trait}, is {height:+.2f} standard deviations from the "
        f"mean learner, not above {ARCHETYPE_ABOVE:+.1f}."
    )


def _divided(sums: Matrix, known: Matrix) -> Matrix:
    """Return means, NaN where nothing is known."""
    return np.asarray(np.divide(sums, known, out=np.full(sums.shape, np.nan), where=known > 0))


@compiled
def _add_up(values: Matrix, labels: Labels, sums: Matrix, known: Matrix) -> None:
    """Add to the sums and the numbers of known values of each cohort."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = values[i, j]
            there = value == value
            sums[labels[i], j] += value if there else 0.0
            known[labels[i], j] += there

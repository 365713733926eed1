"""From traits to cohorts: robust scaling, k-means, the number of cohorts, and a name for each by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

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

_SAMPLE = 20_000  # learners that the starts of k-means run on, before the polish on all
_SILHOUETTE_SAMPLE = 2_000  # the distances of so many learners fit in 32 MB


def features_of(table: NDArray[np.void]) -> Matrix:
    """Return the features of a traits table (dtype `traits.TRAITS`), shape (learners, len(FEATURES)), NaN for null."""
    columns = [
        np.log1p(table["events_per_week"]) if name == "log_events_per_week" else table[name].astype(np.float64)
        for name in FEATURES
    ]
    return np.column_stack(columns)


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
        scaled = (features[:, list(self.columns)] - self.medians) / np.asarray(self.spreads)
        return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0), -CLIP, CLIP))


def fit_scaler(features: Matrix) -> Scaler:
    """Fix medians and spreads on features of shape (n, len(FEATURES))."""
    columns: list[int] = []
    medians: list[float] = []
    spreads: list[float] = []
    left_out: dict[str, str] = {}
    for column, name in enumerate(FEATURES):
        known = features[:, column][~np.isnan(features[:, column])]
        if 2 * known.size < features.shape[0] or not known.size:
            left_out[name] = f"known of {known.size} of {features.shape[0]} learners only"
            continue
        low, median, high = np.percentile(known, [25, 50, 75])
        spread = float(high - low) or float(known.std())
        if spread < 1e-12:
            left_out[name] = "the same for all learners"
            continue
        columns.append(column)
        medians.append(float(median))
        spreads.append(spread)
    return Scaler(tuple(columns), tuple(medians), tuple(spreads), left_out)


def nearest(points: Matrix, centroids: Matrix) -> tuple[NDArray[np.int64], Matrix]:
    """Return for points (n, d) the index of the nearest of centroids (k, d), and the squared distance to it."""
    squared = (points**2).sum(axis=1)[:, None] - 2 * points @ centroids.T + (centroids**2).sum(axis=1)
    labels = squared.argmin(axis=1)
    return labels, np.maximum(squared[np.arange(len(points)), labels], 0.0)


def kmeans(points: Matrix, k: int, seed: int, starts: int = 8) -> tuple[Matrix, float]:
    """Return centroids (k, d) and inertia: k-means++ starts on a sample, the best one polished on all points.

    Deterministic by seed. [Arthur & Vassilvitskii 2007]
    """
    rng = np.random.default_rng(seed)
    sample = points if len(points) <= _SAMPLE else points[rng.choice(len(points), _SAMPLE, replace=False)]
    best = min((_lloyd(sample, _plus_plus(sample, k, rng)) for _ in range(starts)), key=lambda found: found[1])
    return _lloyd(points, best[0])


def _plus_plus(points: Matrix, k: int, rng: np.random.Generator) -> Matrix:
    """Choose k starting centroids, each with probability proportional to its squared distance to those before."""
    chosen = [points[rng.integers(len(points))]]
    distance = ((points - chosen[0]) ** 2).sum(axis=1)
    for _ in range(k - 1):
        total = distance.sum()
        at = rng.integers(len(points)) if total == 0 else np.searchsorted(np.cumsum(distance), rng.random() * total)
        chosen.append(points[min(int(at), len(points) - 1)])
        distance = np.minimum(distance, ((points - chosen[-1]) ** 2).sum(axis=1))
    return np.array(chosen)


def _lloyd(points: Matrix, centroids: Matrix, rounds: int = 200) -> tuple[Matrix, float]:
    k = len(centroids)
    previous = np.inf
    for _ in range(rounds):
        labels, distance = nearest(points, centroids)
        inertia = float(distance.sum())
        sizes = np.bincount(labels, minlength=k)
        sums = np.zeros((k, points.shape[1]))
        for column in range(points.shape[1]):
            sums[:, column] = np.bincount(labels, weights=points[:, column], minlength=k)
        centroids = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centroids)
        empty = np.flatnonzero(sizes == 0)
        if empty.size:  # an empty cohort moves to the points that are worst served
            centroids[empty] = points[np.argsort(distance)[::-1][: empty.size]]
        elif previous - inertia <= 1e-7 * inertia:
            break
        previous = inertia
    return centroids, inertia


def silhouette(points: Matrix, labels: NDArray[np.int64]) -> float:
    """Return the mean silhouette of points (n, d), -1 to 1; memory grows with n squared. [Rousseeuw 1987]"""
    clusters, labels = np.unique(labels, return_inverse=True)
    if clusters.size < 2:
        return 0.0
    squared = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squared[:, None] - 2 * points @ points.T + squared, 0.0))
    member = np.eye(clusters.size)[labels]
    sizes = member.sum(axis=0)
    total = distance @ member
    own = np.arange(len(points)), labels
    inside = total[own] / np.maximum(sizes[labels] - 1, 1)
    mean = total / sizes
    mean[own] = np.inf
    outside = mean.min(axis=1)
    width = np.where(sizes[labels] > 1, (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-300), 0.0)
    return float(width.mean())


def choose_k(points: Matrix, candidates: Sequence[int], seed: int) -> tuple[int, dict[int, float]]:
    """Return the number of cohorts with the best silhouette on a sample, and the silhouette of each candidate."""
    rng = np.random.default_rng(seed)
    sample = points
    if len(points) > _SILHOUETTE_SAMPLE:
        sample = points[rng.choice(len(points), _SILHOUETTE_SAMPLE, replace=False)]
    distinct = len(np.unique(sample, axis=0))
    scores = {
        k: silhouette(sample, nearest(sample, kmeans(sample, k, seed, starts=4)[0])[0])
        for k in candidates
        if 2 <= k <= distinct
    }
    return (max(scores, key=lambda k: scores[k]) if scores else 1), scores


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


def describe_cohorts(features: Matrix, labels: NDArray[np.int64], k: int, left_out: Mapping[str, str]) -> list[Cohort]:
    """Name each of k cohorts from its mean features in standard deviations from the population's mean.

    The highest of velocity, concentration, frequency and reuse names it, if above +0.5; else it is a generalist.
    """
    mean, deviation = _mean(features), _std(features)
    sizes = np.bincount(labels, minlength=k)
    centroids = [_mean(features[labels == number]) for number in range(k)]
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


def _mean(features: Matrix) -> Matrix:
    known = ~np.isnan(features)
    count = known.sum(axis=0)
    total = np.where(known, features, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _std(features: Matrix) -> Matrix:
    deviation = np.sqrt(_mean((features - _mean(features)) ** 2))
    return np.where(deviation > 0, deviation, np.nan)

"""k-means: starts on a sample, polish on all, compiled; how well cohorts hold together, and how many to have.

All of it is deterministic: the same points in the same order and the same seed give the same bits on any number of
threads, because sums are taken block by block, blocks added in their order, and all that is drawn is drawn first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.compiled import BLOCK, compiled, cores, in_blocks

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

STABLE = 0.75
"""Mean adjusted Rand index from which a number of cohorts counts as one that other samples would give, too."""

_SAMPLE = 20_000  # points that the starts of k-means run on, before the polish on all
_SILHOUETTE_SAMPLE = 2_000  # the distances of so many points fit in 32 MB
_RESAMPLES = 12
_ROUNDS = 300


def nearest(points: Matrix, centroids: Matrix) -> tuple[Labels, Matrix]:
    """Return for points (n, d) the index of the nearest of centroids (k, d), and the squared distance to it."""
    points = np.ascontiguousarray(points)
    labels, squared = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    turned = np.ascontiguousarray(centroids.T)
    in_blocks(lambda rows: nearest_to(points[rows], turned, labels[rows], squared[rows]), len(points))
    return labels, squared


def kmeans(points: Matrix, k: int, seed: int, starts: int = 8) -> tuple[Matrix, float]:
    """Return centroids (k, d) and inertia: k-means++ starts on a sample, the best of them polished on all points.

    [Arthur & Vassilvitskii 2007; Lloyd 1982]
    """
    rng = np.random.default_rng(seed)
    points = np.ascontiguousarray(points)
    sample = points if len(points) <= _SAMPLE else points[np.sort(rng.choice(len(points), _SAMPLE, replace=False))]
    draws = [(int(rng.integers(len(sample))), rng.random(k - 1)) for _ in range(starts)]
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(lambda draw: _lloyd(sample, _plus_plus(sample, *draw)), draws))
    best = min(found, key=lambda one: one[1])
    return best if sample is points else _polish(points, best[0])


def _polish(points: Matrix, centroids: Matrix) -> tuple[Matrix, float]:
    """Do what `_lloyd` does, on all cores."""
    k, blocks = len(centroids), -(-len(points) // BLOCK)
    previous = np.inf
    for _ in range(_ROUNDS):
        turned = np.ascontiguousarray(centroids.T)
        sums = np.zeros((blocks, k, points.shape[1]))
        sizes = np.zeros((blocks, k), dtype=np.int64)
        spent = np.zeros(blocks)

        def add(rows: slice, turned: Matrix = turned, to: tuple[Matrix, Labels, Matrix] = (sums, sizes, spent)) -> None:
            block = rows.start // BLOCK
            _add_to_nearest(points[rows], turned, to[0][block], to[1][block], to[2][block : block + 1])

        in_blocks(add, len(points))
        inertia = float(spent.sum())
        centroids, done = _moved(points, centroids, sums.sum(axis=0), sizes.sum(axis=0), previous, inertia)
        if done:
            break
        previous = inertia
    return centroids, inertia


@compiled
def _plus_plus(points: Matrix, first: int, draws: Matrix) -> Matrix:
    """Choose starting centroids, each with probability proportional to its squared distance to those before."""
    n, d = points.shape
    chosen = np.empty((draws.size + 1, d))
    chosen[0] = points[first]
    distance = np.full(n, np.inf)
    for c in range(draws.size):
        total = 0.0
        for i in range(n):
            squared = 0.0
            for j in range(d):
                squared += (points[i, j] - chosen[c, j]) ** 2
            distance[i] = min(distance[i], squared)
            total += distance[i]
        upto, at = 0.0, 0
        if total == 0:
            at = min(int(draws[c] * n), n - 1)
        else:
            for i in range(n):
                at = i
                upto += distance[i]
                if upto >= draws[c] * total:
                    break
        chosen[c + 1] = points[at]
    return chosen


@compiled
def _lloyd(points: Matrix, centroids: Matrix) -> tuple[Matrix, float]:
    """Move centroids (k, d) to the means of the points nearest to them until that gains nothing more."""
    previous = inertia = np.inf
    spent = np.zeros(1)
    for _ in range(_ROUNDS):
        sums, sizes = np.zeros(centroids.shape), np.zeros(centroids.shape[0], dtype=np.int64)
        _add_to_nearest(points, np.ascontiguousarray(centroids.T), sums, sizes, spent)
        inertia = spent[0]
        centroids, done = _moved(points, centroids, sums, sizes, previous, inertia)
        if done:
            break
        previous = inertia
    return centroids, inertia


@compiled
def _moved(
    points: Matrix, centroids: Matrix, sums: Matrix, sizes: Labels, previous: float, inertia: float
) -> tuple[Matrix, bool]:
    """Return the means, and whether the last move gained nothing more; an empty cohort moves to the worst served."""
    means = centroids.copy()
    empty = 0
    for c in range(sizes.size):
        empty += sizes[c] == 0
        if sizes[c]:
            means[c] = sums[c] / sizes[c]
    if not empty:
        return means, previous - inertia <= 1e-7 * inertia
    labels, squared = np.empty(points.shape[0], dtype=np.int64), np.empty(points.shape[0])
    nearest_to(points, np.ascontiguousarray(means.T), labels, squared)
    worst = np.argsort(-squared, kind="mergesort")
    if squared[worst[0]] == 0:  # there are fewer different points than cohorts
        return means, True
    for c in range(sizes.size):
        if sizes[c] == 0 and empty > 0:
            means[c] = points[worst[min(empty, worst.size) - 1]]
            empty -= 1
    return means, False


def distances(points: Matrix) -> Matrix:
    """Return the distances between points (n, d), shape (n, n)."""
    squared = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squared[:, None] - 2 * points @ points.T + squared, 0.0))
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)


def silhouette(distance: Matrix, labels: Labels) -> float:
    """Return the mean silhouette of points with these distances, -1 to 1. [Rousseeuw 1987]"""
    clusters, labels = np.unique(labels, return_inverse=True)
    if clusters.size < 2:
        return 0.0
    member = np.eye(clusters.size)[labels]
    sizes = member.sum(axis=0)
    total = distance @ member
    own = np.arange(len(labels)), labels
    inside = total[own] / np.maximum(sizes[labels] - 1, 1)
    mean = total / sizes
    mean[own] = np.inf
    outside = mean.min(axis=1)
    width = np.where(sizes[labels] > 1, (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-300), 0.0)
    return float(width.mean())


def sampled(points: Matrix, labels: Labels, seed: int) -> tuple[Matrix, Labels]:
    """Return so many points, and their labels, as a silhouette can be computed of."""
    if len(points) <= _SILHOUETTE_SAMPLE:
        return np.ascontiguousarray(points), labels
    rows = np.sort(np.random.default_rng(seed).choice(len(points), _SILHOUETTE_SAMPLE, replace=False))
    return points[rows], labels[rows]


def rand_index(one: Labels, other: Labels) -> float:
    """Return the adjusted Rand index of two labellings of shape (n,): 1 the same, 0 no better than chance.

    [Hubert & Arabie 1985]
    """
    table = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(table, (one, other), 1.0)

    def pairs(counts: Matrix) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, first, second = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = first * second / max(pairs(np.array([one.size])), 1.0)
    most = (first + second) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


@dataclass(frozen=True, slots=True)
class Tried:
    """What speaks for a number of cohorts.

    Attributes:
        silhouette: mean over a sample. stability: mean adjusted Rand index between the cohorts of the sample and those
            that bootstrap samples of it give. [Hennig 2007, with another index]
    """

    silhouette: float
    stability: float


def try_k(points: Matrix, candidates: Sequence[int], seed: int) -> dict[int, Tried]:
    """Return the evidence for each candidate that has enough different points in a sample."""
    rng = np.random.default_rng(seed)
    sample, _ = sampled(points, np.arange(len(points)), seed)
    distinct = len(np.unique(sample, axis=0))
    wanted = [k for k in candidates if 2 <= k <= distinct]
    again = [[rng.integers(len(sample), size=len(sample)) for _ in range(_RESAMPLES)] for _ in wanted]
    if not wanted:
        return {}
    apart = distances(sample)

    def evidence(k: int, resamples: list[Labels]) -> Tried:
        labels, _ = nearest(sample, kmeans(sample, k, seed, starts=4)[0])
        alike = [
            rand_index(labels, nearest(sample, kmeans(sample[rows], k, seed + number, starts=2)[0])[0])
            for number, rows in enumerate(resamples)
        ]
        return Tried(silhouette(apart, labels), float(np.mean(alike)))

    with ThreadPoolExecutor(cores()) as pool:
        return dict(zip(wanted, pool.map(evidence, wanted, again), strict=True))


def choose_k(tried: dict[int, Tried]) -> int:
    """Return the number of cohorts: of the stable ones the one with the best silhouette; of unstable ones the stablest.

    1 where nothing could be tried.
    """
    if not tried:
        return 1
    stable = [k for k, found in tried.items() if found.stability >= STABLE]
    if stable:
        return max(stable, key=lambda k: tried[k].silhouette)
    return max(tried, key=lambda k: tried[k].stability)


@compiled
def nearest_to(points: Matrix, turned: Matrix, labels: Labels, squared: Matrix) -> None:
    """`turned`: centroids with one row a feature."""
    d, k = turned.shape
    distance = np.empty(k)
    for i in range(points.shape[0]):
        for c in range(k):
            distance[c] = 0.0
        for j in range(d):
            x = points[i, j]
            for c in range(k):
                distance[c] += (x - turned[j, c]) ** 2
        best = 0
        for c in range(1, k):
            best = c if distance[c] < distance[best] else best
        labels[i] = best
        squared[i] = distance[best]


@compiled
def _add_to_nearest(points: Matrix, turned: Matrix, sums: Matrix, sizes: Labels, spent: Matrix) -> None:
    d, k = turned.shape
    distance = np.empty(k)
    total = 0.0
    for i in range(points.shape[0]):
        for c in range(k):
            distance[c] = 0.0
        for j in range(d):
            x = points[i, j]
            for c in range(k):
                distance[c] += (x - turned[j, c]) ** 2
        best = 0
        for c in range(1, k):
            best = c if distance[c] < distance[best] else best
        total += distance[best]
        sizes[best] += 1
        for j in range(d):
            sums[best, j] += points[i, j]
    spent[0] = total

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from core.compiled import BLOCK
from core.demo.population import make_population
from core.learners import find_cohorts, kernel
from core.learners.clustering import Tried, choose_k, distances, kmeans, nearest, rand_index, silhouette, try_k
from core.learners.cohorts import features_of, fit_scaler


def blobs(k: int, n: int = 200, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(np.eye(6)[i] * 8, 0.5, (n, 6)) for i in range(k)])


def test_kmeans_finds_planted_blobs_and_is_deterministic() -> None:
    points = blobs(4)
    first, second = kmeans(points, 4, seed=3), kmeans(points, 4, seed=3)
    assert np.array_equal(first[0], second[0])
    labels, _ = nearest(points, first[0])
    assert sorted(np.bincount(labels)) == [200] * 4
    tried = try_k(points, range(2, 8), seed=0)
    assert choose_k(tried) == 4
    assert tried == try_k(points, range(2, 8), seed=0)
    assert tried[4].stability == pytest.approx(1.0)
    assert tried[7].stability < 0.9


def test_many_points_are_polished_and_give_the_same_bits_again() -> None:
    points = np.random.default_rng(0).normal(size=(30_000, 5))
    assert len(points) > 2 * BLOCK
    one, two = kmeans(points, 5, seed=1), kmeans(points, 5, seed=1)
    assert one[0].tobytes() == two[0].tobytes()
    labels, squared = nearest(points, one[0])
    assert squared.sum() == pytest.approx(one[1], rel=1e-6)
    means = np.array([points[labels == c].mean(axis=0) for c in range(5)])
    assert np.abs(means - one[0]).max() < 0.01


@pytest.mark.parametrize("k", [3, 5, 8])
def test_inertia_is_that_of_the_best_of_ten_full_runs(k: int) -> None:
    events, _ = make_population(30_000)
    scanned = kernel.scan(events)
    features = features_of(kernel.finish(scanned, scanned.constants()))
    points = fit_scaler(features)(features)
    best = KMeans(k, init="k-means++", n_init=10, random_state=0, algorithm="lloyd").fit(points).inertia_
    ours = kmeans(points, k, seed=0)[1]
    assert ours <= 1.01 * best


def test_figures_are_those_of_scikit_learn() -> None:
    points = np.random.default_rng(0).normal(size=(500, 4))
    one, other = (nearest(points, kmeans(points, k, seed=0)[0])[0] for k in (3, 5))
    assert silhouette(distances(points), one) == pytest.approx(silhouette_score(points, one))
    assert rand_index(one, other) == pytest.approx(adjusted_rand_score(one, other))
    assert rand_index(one, one) == rand_index(np.zeros(5, int), np.zeros(5, int)) == 1.0
    theirs = KMeans(5, n_init=10, random_state=0).fit(blobs(5)).labels_
    ours = nearest(blobs(5), kmeans(blobs(5), 5, seed=0)[0])[0]
    assert rand_index(ours, theirs.astype(np.int64)) == 1.0


def test_silhouette_agrees_with_its_definition() -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    labels = np.arange(30) % 3
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    widths = []
    for i in range(30):
        mean = [distance[i, (labels == c) & (np.arange(30) != i)].mean() for c in range(3)]
        a, b = mean[labels[i]], min(mean[c] for c in range(3) if c != labels[i])
        widths.append((b - a) / max(a, b))
    assert silhouette(distances(points), labels) == pytest.approx(np.mean(widths))


def test_a_stable_number_of_cohorts_comes_before_a_better_looking_one() -> None:
    assert choose_k({3: Tried(0.4, 0.9), 4: Tried(0.5, 0.6), 5: Tried(0.45, 0.8)}) == 5
    assert choose_k({3: Tried(0.4, 0.3), 4: Tried(0.5, 0.6)}) == 4
    assert choose_k({}) == 1


@pytest.mark.parametrize("k", [1, 3, 10])
def test_identical_and_few_points(k: int) -> None:
    assert try_k(np.zeros((50, 6)), range(2, 8), seed=0) == {}
    centroids, inertia = kmeans(np.zeros((50, 6)), k, seed=0)
    assert inertia == 0
    assert np.array_equal(centroids, np.zeros((k, 6)))
    two = np.repeat([[0.0], [1.0]], 20, axis=0)
    assert kmeans(two, min(k, 2), seed=0)[1] == (10 if k == 1 else 0)


def test_the_evidence_is_kept() -> None:
    model, _ = find_cohorts(make_population(3000)[0])
    assert set(model.silhouettes) == set(model.stabilities) == set(range(3, 9))
    assert set(model.quality) == {"explained", "silhouette", "smallest", "stability"}
    assert 0.3 < model.quality["explained"] < 1
    given, _ = find_cohorts(make_population(3000)[0], k=4)
    assert set(given.silhouettes) == {4}
    assert len(given.cohorts) == 4

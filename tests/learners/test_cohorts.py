import numpy as np
import pytest

from core.learners.cohorts import FEATURES, choose_k, describe_cohorts, fit_scaler, kmeans, nearest, silhouette


def blobs(k: int, n: int = 200, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(np.eye(6)[i] * 8, 0.5, (n, 6)) for i in range(k)])


def test_kmeans_finds_planted_blobs_and_is_deterministic() -> None:
    points = blobs(4)
    first, second = kmeans(points, 4, seed=3), kmeans(points, 4, seed=3)
    assert np.array_equal(first[0], second[0])
    labels, _ = nearest(points, first[0])
    assert sorted(np.bincount(labels)) == [200] * 4
    assert choose_k(points, range(2, 8), seed=0)[0] == 4


def test_silhouette_agrees_with_its_definition() -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    labels = np.arange(30) % 3
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    widths = []
    for i in range(30):
        mean = [distance[i, (labels == c) & (np.arange(30) != i)].mean() for c in range(3)]
        a, b = mean[labels[i]], min(mean[c] for c in range(3) if c != labels[i])
        widths.append((b - a) / max(a, b))
    assert silhouette(points, labels) == pytest.approx(np.mean(widths))


def test_scaler_leaves_out_what_cannot_tell_learners_apart() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(100, len(FEATURES)))
    features[:, 0] = 3.0  # constant
    features[:60, 1] = np.nan  # more than half null
    features[:, 2] = 0.0
    features[:5, 2] = 1.0  # IQR 0, but not constant
    features[:10, 3] = np.nan
    features[50, 4] = 1e9
    scaler = fit_scaler(features)
    assert set(scaler.left_out) == {"velocity", "concentration"}
    scaled = scaler(features)
    assert scaled.shape == (100, len(FEATURES) - 2)
    assert np.all(scaled[:10, 1] == 0.0)
    assert np.abs(scaled).max() == 3.0


def test_cohorts_of_one_archetype_are_numbered_by_size() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 0.1, (60, len(FEATURES)))
    labels = np.repeat([0, 1, 2], [10, 20, 30])
    features[labels != 2, 0] += 5
    cohorts = describe_cohorts(features, labels, 3, {})
    assert [cohort.name for cohort in cohorts][:2] == ["Fast Learner 2", "Fast Learner 1"]
    assert "velocity stands out most" in cohorts[0].sentence
    assert cohorts[2].archetype != "Fast Learner"


def test_identical_learners_make_one_cohort() -> None:
    assert choose_k(np.zeros((50, 6)), range(2, 8), seed=0) == (1, {})
    centroids, inertia = kmeans(np.zeros((50, 6)), 1, seed=0)
    assert inertia == 0
    assert np.array_equal(centroids, np.zeros((1, 6)))

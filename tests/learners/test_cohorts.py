import numpy as np

from core.learners.cohorts import FEATURES, describe_cohorts, fit_scaler


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
    assert np.array_equal(scaler.imputed(features), np.arange(100) < 10)


def test_cohorts_of_one_archetype_are_numbered_by_size() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 0.1, (60, len(FEATURES)))
    labels = np.repeat([0, 1, 2], [10, 20, 30])
    features[labels != 2, 0] += 5
    cohorts = describe_cohorts(features, labels, 3, {})
    assert [cohort.name for cohort in cohorts][:2] == ["Fast Learner 2", "Fast Learner 1"]
    assert "velocity stands out most" in cohorts[0].sentence
    assert cohorts[2].archetype != "Fast Learner"

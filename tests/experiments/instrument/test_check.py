"""The check finds a good instrument good, and each way of being bad bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from core.experiments import DesignError, Loaded, Mean, Observations, Question, Rate, Ratio, Rejections, answer
from core.experiments.instrument import (
    State,
    as_json,
    check,
    check_instrument,
    check_requests,
    check_sentence,
    exact_interval,
    request_sentences,
    resplit,
    verdict,
)
from core.store import Sample, SampleFrame

ROI = Ratio(name="ROI", over="revenue", under="cost")
DONE = Rate(name="done", column="done")


def learners(n: int = 40_000, seed: int = 1, days: int = 1) -> Observations:
    """Return learners, with a row a day; a learner's days are alike."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.lognormal(0, 0.5, n // days), days)
    return Observations.of(
        rng.choice(["a", "b"], n),
        {
            "revenue": 20 * level * rng.lognormal(0, 0.2, n),
            "cost": 12 * rng.lognormal(0, 0.2, n),
            "done": rng.random(n) < 0.7,
        },
        {"region": rng.choice(["north", "south"], n), "learner": np.repeat(np.arange(n // days), days).astype(str)},
    )


@pytest.fixture(scope="module")
def good():
    return check_instrument(learners(), (ROI, DONE), segments=("region",), limit=0.005)


def test_a_good_instrument_is_fit(good):
    assert good.state is State.PASS, verdict(good)
    assert verdict(good).startswith("Fit for use: ")
    for one in good.checks:
        assert one.p_values.size == 1000
        assert one.low <= 0.05 <= one.high
        assert one.rate == pytest.approx((one.p_values < 0.05).mean())
        # How much the splits scatter is what the test's own formula says.
        assert one.smallest == pytest.approx(one.stated, rel=0.1)
        assert one.power > 0.85
    assert {(d.dimension, d.level) for d in good.drifts} == {("", ""), ("region", "north"), ("region", "south")}


def test_rows_of_one_learner_taken_for_learners_are_found_out():
    seen = learners(20_000, days=10)
    bad = check_instrument(seen, (ROI,), unit="learner")
    assert bad.checks[0].calibrated is State.FAIL
    assert bad.checks[0].rate > 0.2
    assert verdict(bad).startswith("Not fit for use: ROI comes out significant in ")
    assert any("without --cluster learner" in note for note in bad.notes)
    better = check_instrument(seen, (ROI,), cluster="learner")
    assert better.checks[0].calibrated is State.PASS
    assert better.units == 2_000


def test_a_test_that_is_too_sure_is_found_out():
    class Bold(Mean):
        def effect(self, control, treatment, alpha=0.05):
            found = super().effect(control, treatment, alpha)
            return replace(found, p_value=found.p_value / 2)

    bad = check_instrument(learners(5_000), (Bold(name="revenue", column="revenue"),))
    assert (bad.checks[0].calibrated, bad.checks[0].uniform) == (State.FAIL, State.FAIL)
    assert "p-values are not spread evenly" in verdict(bad)


def test_few_learners_do_not_see_two_per_cent():
    weak = check_instrument(learners(400), (ROI,), limit=1.0)
    assert weak.checks[0].sees is State.FAIL
    assert "an effect of 2 % is seen in " in verdict(weak)
    assert weak.checks[0].smallest > 0.05


def test_power_is_what_the_formula_says():
    found = check_instrument(learners(4_000), (DONE,), target=0.04, limit=1.0, seed=1).checks[0]
    se = found.stated / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert found.power == pytest.approx(stats.norm.cdf(0.04 / se - stats.norm.ppf(0.975)), abs=0.05)


def test_an_estimator_that_leans_is_found_out(monkeypatch):
    real = check._difference
    monkeypatch.setattr(check, "_difference", lambda *given: real(*given) + 0.01)
    leaning = check_instrument(learners(), (DONE,), segments=("region",), limit=0.005)
    assert leaning.drift is State.FAIL
    assert "done drifts by +1." in verdict(leaning)


def test_drift_that_cannot_be_told_says_how_many_splits_it_takes():
    unsure = check_instrument(learners(2_000), (DONE,), segments=("region",), splits=100, target=0.5)
    assert unsure.state is State.OPEN
    assert "it takes about" in verdict(unsure)
    assert verdict(unsure).startswith("Not known to be fit: ")


@pytest.mark.parametrize(
    ("mean", "error", "state"),
    [(0.0, 0.0001, State.PASS), (0.0009, 0.00001, State.PASS), (0.0009, 0.0002, State.OPEN),
     (0.002, 0.0001, State.FAIL), (-0.002, 0.0001, State.FAIL), (0.002, 0.001, State.OPEN),
     (np.nan, np.nan, State.OPEN)],
)  # fmt: skip
def test_drift_is_within_beyond_or_not_known(mean, error, state):
    assert check._drift_state(mean, error, 0.001, 3.0) is state


def test_a_metric_in_which_nothing_varies_is_not_judged():
    nothing = Observations.of(["a"] * 100, {"x": np.ones(100)})
    found = check_instrument(nothing, (Mean(name="x", column="x"),), splits=100)
    assert found.state is State.OPEN
    assert "nothing varies" in verdict(found)
    assert "nothing varies" in check_sentence(found.checks[0], 0.05, 0.02)


@pytest.mark.parametrize("clustered", [False, True])
def test_drift_is_that_of_the_estimator_itself(clustered):
    """`_difference` leaves out the intervals; its numbers are those of the metric's own effect."""
    metric = replace(ROI, covariate="done")
    metric = metric.in_clusters() if clustered else metric
    found = resplit(
        learners(2_000, days=5), (metric,), splits=64, cluster="learner" if clustered else None, by=("region",)
    )
    for cell in range(len(found.cells)):
        arms = [arm[cell] for arm in found.arms["ROI"]]
        assert check._difference(metric, *arms) == pytest.approx(metric.effect(*arms).difference, rel=1e-9)


def test_segments_with_a_level_a_learner_are_refused():
    with pytest.raises(DesignError, match=r"'learner' has 40,000 levels"):
        check_instrument(learners(), (DONE,), segments=("region", "learner"))


def test_arms_that_really_had_the_same(good):
    question = Question(paths=(), variant="v", control="a", metrics=("done=rate(done)",))

    def with_effect(size: float):
        seen = learners()
        numbers = seen.numbers.copy()
        rng = np.random.default_rng(0)
        numbers[2] = rng.random(len(seen)) < 0.7 + size * seen.variant.codes
        made = Observations(seen.variant, seen.columns, numbers, seen.labels)
        return replace(good, observed=answer(Loaded(made, len(made), Rejections(), {}), question))

    assert with_effect(0.0).found is State.PASS
    bad = with_effect(0.05)
    assert bad.found is State.FAIL
    assert bad.state is State.FAIL
    assert "done differs between arms that had the same (p = " in verdict(bad)


def test_uniformity_is_kolmogorovs_and_smirnovs():
    rng = np.random.default_rng(2)
    for p in (rng.random(1000), rng.random(200) ** 1.2, np.linspace(0.001, 0.999, 50)):
        assert check.uniformity(p) == pytest.approx(stats.kstest(p, "uniform").pvalue, abs=0.01)


def test_intervals_of_shares_are_clopper_and_pearsons():
    for count, of in ((950, 1000), (0, 20), (20, 20), (1, 3)):
        wanted = stats.binomtest(count, of).proportion_ci(0.95, method="exact")
        assert exact_interval(count, of) == pytest.approx((wanted.low, wanted.high))


def test_json_has_every_figure(good):
    document = as_json(good)
    assert document["fit"] is True
    assert [one["name"] for one in document["metrics"]] == ["ROI", "done"]
    assert document["drift"]["state"] == "pass"
    assert len(document["drift"]["cells"]) == 6


# --- Requests --------------------------------------------------------------------------------------------------------


def recorded(rng, bundle: int, looks: int = 400) -> SampleFrame:
    """Return samples of two versions whose requests come in bundles, a tenth of them the candidate's."""
    samples = []
    for look in range(looks):
        bundles = rng.poisson(200)
        new = rng.binomial(bundles, 0.1)
        for version, count in (("fast", new), ("original", bundles - new)):
            requests = int(count * bundle)
            samples.append(
                Sample(f"{look}-{version}", 30.0 * look, 30.0, version, requests=requests, errors=requests // 20)
            )
    return SampleFrame.of(samples)


@pytest.mark.parametrize("bundle", [1, 8])
def test_bundles_of_requests_are_over_dispersion(bundle):
    found = check_requests(recorded(np.random.default_rng(3), bundle), "fast", "original")
    assert found.looks == 400
    assert found.split is not None
    assert found.split.value == pytest.approx(bundle, rel=0.25)
    assert found.split.is_over is (bundle > 1)
    told = " ".join(request_sentences(found))
    assert ("too sure" in told) is (bundle > 1)


def test_no_samples_say_nothing():
    found = check_requests(SampleFrame.of([]), "fast", "original")
    assert (found.looks, found.split) == (0, None)
    assert "No span of time" in request_sentences(found)[0]

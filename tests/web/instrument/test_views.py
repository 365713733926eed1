"""What the Instrument page says and draws of a check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.experiments import Loaded, Mean, Observations, Question, Rate, Rejections, answer
from core.experiments.instrument import Instrument, State, check_instrument
from core.web.instrument import figures, html
from core.web.palette import DARK, LIGHT
from core.web.views import instrument
from core.web.views.marks import Tone

N = 60_000


@pytest.fixture(scope="module")
def observations() -> Observations:
    rng = np.random.default_rng(3)
    return Observations.of(
        rng.choice(["new", "old"], N),
        {"spend": rng.lognormal(3, 0.5, N), "done": rng.random(N) < 0.8, "fixed": np.ones(N)},
        {"region": rng.choice(["north", "south"], N)},
    )


@pytest.fixture(scope="module")
def found(observations) -> Instrument:
    metrics = (Mean(name="spend", column="spend"), Rate(name="done", column="done"))
    return check_instrument(observations, metrics, splits=400, segments=("region",), limit=0.01, seed=1)


def test_the_headline_says_whether_it_is_fit(found):
    view = instrument.headline(found)
    assert view.title == "Fit for use"
    assert view.mark.tone is Tone.GOOD
    assert view.detail.endswith("60,000 learners, split into random halves 400 times.")
    weak = replace(found, checks=tuple(replace(c, sees=State.FAIL, power=0.3) for c in found.checks))
    view = instrument.headline(weak)
    assert (view.title, view.mark.tone) == ("Not fit for use", Tone.BAD)
    assert "an effect of 2 % is seen in 30 % of the splits" in view.detail


def test_every_answer_has_a_word_and_its_numbers(found):
    spend, done = instrument.rows(found)
    assert (spend.name, done.method) == ("spend", "two-proportion z")
    assert "should be 5 %" in spend.positives[2]
    text = html.metrics((spend, done))
    assert text.count("pass</span>") == 6
    assert "a planted 2 % is found in" in text


def test_a_metric_in_which_nothing_varies(observations):
    nothing = check_instrument(observations, (Mean(name="fixed", column="fixed"),), splits=100)
    (row,) = instrument.rows(nothing)
    assert row.positives[1:] == ("–", "nothing varies in it")
    for drawing, told in (
        figures.p_values(nothing.checks[0], LIGHT),
        figures.drifts(instrument.drifts(nothing, "fixed"), nothing.limit, LIGHT),
    ):
        assert drawing["data"]
        assert "nan" not in told


def test_p_values_fill_their_bins(found):
    parts = instrument.spread(found.checks[0])
    assert parts.sum() == pytest.approx(1.0)
    low, high = instrument.band(found.checks[0])
    assert low < 0.05 < high
    drawing, told = figures.p_values(found.checks[0], DARK)
    assert sum(drawing["data"][0]["y"]) == pytest.approx(100)
    assert "over 400 splits" in told


def test_drifts_are_the_largest_first_and_within_the_picture(found):
    view = instrument.drifts(found, "spend")
    assert set(view.names) == {"all learners", "region: north", "region: south"}
    assert list(map(abs, view.mean)) == sorted(map(abs, view.mean), reverse=True)
    drawing, told = figures.drifts(view, found.limit, LIGHT)
    reach = drawing["layout"]["xaxis"]["range"][1]
    assert all(100 * (abs(m) + h) < reach for m, h in zip(view.mean, view.half, strict=True))
    assert "(pass)" in told


def test_smallest_effects_and_the_one_to_be_seen(found):
    drawing, told = figures.smallest(instrument.smallest(found), found.target, LIGHT)
    assert drawing["data"][0]["y"] == [name for name, _ in instrument.smallest(found)]
    assert "of 2 % to be seen" in told


def test_real_arms(found, observations):
    question = Question(paths=(), variant="v", control="old", metrics=("done=rate(done)",))
    same = replace(found, observed=answer(Loaded(observations, N, Rejections(), {}), question))
    rows = instrument.observed(same)
    assert [row[1] for row in rows] == ["Sizes of the arms", "done"]
    assert "after Holm" in rows[1][2]
    assert "Sizes of the arms" in html.observed(rows)
    assert instrument.observed(found) == ()

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.learners import CohortModel, find_cohorts, kernel, observe, recall_fit, traits_at, traits_of
from core.learners.events import DAY_US, Event, Events, from_events
from core.learners.recall import Recall, half_life, repetitions
from core.learners.recall_fit import fit_recall, recall_of

MODEL = Recall((1.2, 0.6, -0.2), (2.0, 0.5, -0.3), 0.25, 0.9, 1000)

scored = st.builds(
    Event,
    ts=st.integers(0, 90 * DAY_US) | st.integers(0, 90).map(lambda day: day * DAY_US),
    domain=st.just("d"),
    skill=st.sampled_from("abc"),
    score=st.none() | st.floats(0, 1) | st.sampled_from([0.0, 1.0]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(scored, min_size=1, max_size=30), min_size=1, max_size=4))
def test_compiled_half_lives_are_the_plain_ones(learners: list[list[Event]]) -> None:
    events = from_events({f"{i}": made for i, made in enumerate(learners)})
    window = events.as_of - 84 * DAY_US
    found = kernel.scan(events, recall=MODEL).half_lives
    for index, half in enumerate(found):
        plain = half_life([event for event in events.of_learner(index) if event.ts > window], MODEL)
        assert (None if np.isnan(half) else half) == (None if plain is None else pytest.approx(plain, rel=1e-9))


def test_a_repetition_is_a_score_more_than_a_day_after_one() -> None:
    rows = [(0.0, 1.0), (0.5, 0.25), (1.5, None), (3.0, 0.5), (4.0, 0.0)]
    found, now = repetitions([Event(int(day * DAY_US), "d", "s", score=score) for day, score in rows])
    assert [(one.days, one.right, one.wrong, one.score) for one in found] == [(2.5, 1.25, 0.75, 0.5)]
    assert now == {"s": (1.75, 2.25)}
    assert half_life([Event(0, "d", "s", score=1.0)], MODEL) is None


def planted(learners: int, spread: float, seed: int, half_life_days: float = 8.0) -> tuple[Events, np.ndarray]:
    """Make up learners whose scores are coin tosses with the model's chance; return them and each one's e^u."""
    rng = np.random.default_rng(seed)
    own = np.exp(rng.normal(0, spread, learners))
    made = {}
    for learner in range(learners):
        now: dict[int, tuple[float, float, float]] = {}
        events, day = [], 0.0
        for _ in range(40):
            day += rng.exponential(1.5)
            skill = int(rng.integers(4))
            right, wrong, last = now.get(skill, (0.0, 0.0, day))
            accuracy = 1 / (1 + math.exp(-(1.5 + 0.4 * math.log(1 + right) - 0.2 * math.log(1 + wrong))))
            days = half_life_days * (1 + right) ** 0.5 * (1 + wrong) ** -0.2 * own[learner]
            score = float(rng.random() < accuracy * 2 ** (-(day - last) / days))
            events.append(Event(int(day * DAY_US), "d", f"s{skill}", score=score))
            now[skill] = (right + score, wrong + 1 - score, day)
        made[f"{learner:05}"] = events
    return from_events(made), own


@pytest.mark.parametrize("half_life_days", [3.0, 8.0, 20.0])
def test_planted_half_lives_are_recovered(half_life_days: float) -> None:
    """Learners alike: each coefficient within 0.15, the half-life of a new skill within 15 %."""
    events, _ = planted(3000, 0.0, seed=1, half_life_days=half_life_days)
    model = recall_of(events, events.as_of, 20)
    assert model is not None
    assert np.exp(model.log_half_life[0]) == pytest.approx(half_life_days, rel=0.15)
    assert model.accuracy == pytest.approx((1.5, 0.4, -0.2), abs=0.2)
    assert model.log_half_life[1:] == pytest.approx((0.5, -0.2), abs=0.15)
    assert model.dispersion == pytest.approx(1.0, abs=0.03)
    assert model.spread < 0.05


def test_learners_who_forget_faster_have_shorter_half_lives() -> None:
    events, own = planted(2000, 0.7, seed=2)
    model = recall_of(events, events.as_of, 20)
    assert model is not None
    assert 0.2 < model.spread < 0.7  # 0.49 was planted
    found = kernel.scan(events, weeks=20, recall=model).half_lives
    assert np.corrcoef(np.log(found), np.log(own))[0, 1] > 0.75
    fast, slow = own < np.quantile(own, 0.25), own > np.quantile(own, 0.75)
    assert np.median(found[fast]) < 0.5 * np.median(found[slow])


def test_too_few_repetitions_give_no_model() -> None:
    assert fit_recall(np.ones((recall_fit.ENOUGH - 1, 5))) is None
    events, _ = planted(3, 0.0, seed=0)
    assert recall_of(events, events.as_of, 20) is None
    model, table = find_cohorts(events, weeks=20)
    assert model.constants.recall is None
    assert np.isnan(table["recall_half_life_days"]).all()


def test_the_model_is_stored_and_new_learners_are_scored_with_it() -> None:
    events, _ = planted(300, 0.3, seed=3)
    model, table = find_cohorts(events, weeks=20)
    again = CohortModel.from_json(model.to_json())
    assert again.constants == model.constants
    assert again.constants.recall is not None
    for index in range(0, 300, 37):
        alone = kernel.finish(kernel.scan_one(events, index, again.constants), again.constants)
        assert alone["recall_half_life_days"][0] == table["recall_half_life_days"][index]
        plain = traits_of(observe(events.of_learner(index), events.as_of, 20), again.constants)
        assert plain.recall_half_life_days == pytest.approx(traits_at(table, index, ("d",)).recall_half_life_days)

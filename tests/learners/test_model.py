import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.demo.population import make_population, window_weeks
from core.learners import CohortModel, find_cohorts, observe, read_events, traits_at, traits_of
from core.learners.events import Event, Events, EventsError, from_events

OULAD = Path(__file__).parents[3] / "shared" / "data" / "oulad"


def assert_both_analyzers_agree(events: Events, model: CohortModel, table: np.ndarray, learners: range) -> None:
    labels = model.assign(table)
    constants = model.constants
    for index in learners:
        plain = traits_of(observe(events.of_learner(index), constants.as_of, constants.weeks), constants)
        fast = traits_at(table, index, events.domains)
        assert dataclasses.asdict(fast) == pytest.approx(dataclasses.asdict(plain), abs=1e-6)
        cohort = model.cohort_of(plain)
        assert labels[index] == (-1 if cohort is None else cohort.number)


def test_planted_behaviours_are_found_and_the_model_survives_json() -> None:
    events, kinds = make_population(3000)
    model, table = find_cohorts(events, k=5)
    again = CohortModel.from_json(model.to_json())
    assert again.to_json() == model.to_json()
    assert {cohort.archetype for cohort in model.cohorts} == {
        "Fast Learner",
        "Specialist",
        "Power User",
        "Long-term Retainer",
        "Generalist",
    }
    specialist = next(cohort.number for cohort in model.cohorts if cohort.archetype == "Specialist")
    found = model.assign(table) == specialist
    assert (found & (kinds == "specialist")).sum() > 0.8 * (kinds == "specialist").sum()
    assert_both_analyzers_agree(events, again, table, range(0, 3000, 50))


@pytest.mark.skipif(not OULAD.exists(), reason="needs the OULAD tables in ../shared/data")
def test_oulad_gives_the_same_answers_from_both() -> None:
    events = read_events(OULAD)
    weeks = window_weeks(events, 12)
    model, table = find_cohorts(events, weeks=weeks)
    assert (table["events"] > 0).mean() >= 0.5
    assert "responsiveness" in model.scaler.left_out  # there is no feedback in it
    assert_both_analyzers_agree(events, model, table, range(0, 23_369, 97))


def test_one_learner_is_a_population_too() -> None:
    model, _ = find_cohorts(from_events({"only": [Event(0, "A", "s")]}))
    assert [cohort.learners for cohort in model.cohorts] == [1]
    with pytest.raises(EventsError, match="no events"):
        find_cohorts(from_events({}))

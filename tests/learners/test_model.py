from pathlib import Path

import numpy as np
import pytest

from core.demo.population import make_population, window_weeks
from core.learners import CohortModel, find_cohorts, observe, read_events, traits_at, traits_of
from core.learners.events import DAY_US, Event, Events, EventsError, from_events

OULAD = Path(__file__).parents[3] / "shared" / "data" / "oulad"


def assert_both_analyzers_agree(events: Events, model: CohortModel, table: np.ndarray, step: int = 1) -> None:
    """Compare every `step`-th learner's traits and cohort to 1e-6."""
    constants = model.constants
    chosen = range(0, events.learners.size, step)
    plain = [traits_of(observe(events.of_learner(i), constants.as_of, constants.weeks), constants) for i in chosen]
    fast = table[::step]
    for name in table.dtype.names or ():
        if table.dtype[name].kind == "f":
            values = [getattr(one, name) for one in plain]
            expected = np.array([np.nan if value is None else value for value in values])
            np.testing.assert_allclose(fast[name], expected, rtol=0, atol=1e-6, err_msg=name)
    for i, one in enumerate(plain):
        same = traits_at(fast, i, events.domains)
        for name in ("events", "older", "trend", "top_domain", "affinity", "trajectory"):
            assert getattr(same, name) == getattr(one, name), (i, name)
    labels = model.assign(fast)
    for i in range(0, len(plain), 20):
        cohort = model.cohort_of(plain[i])
        assert labels[i] == (-1 if cohort is None else cohort.number)


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
    assert_both_analyzers_agree(events, again, table, 50)


@pytest.mark.skipif(not OULAD.exists(), reason="needs the OULAD tables in ../shared/data")
def test_oulad_gives_the_same_answers_from_both() -> None:
    events = read_events(OULAD)
    weeks = window_weeks(events, 12)
    model, table = find_cohorts(events, weeks=weeks)
    assert (table["events"] > 0).mean() >= 0.5
    assert "responsiveness" in model.scaler.left_out  # there is no feedback in it
    assert_both_analyzers_agree(events, model, table)


def test_more_cohorts_than_different_learners_are_not_made() -> None:
    alike = {f"{n}": [Event(0, "A", "s"), Event(DAY_US, "AB"[n % 2], "s")] for n in range(6)}
    model, table = find_cohorts(from_events(alike), k=5)
    assert sorted(cohort.learners for cohort in model.cohorts) == [3, 3]
    assert sorted(set(model.assign(table).tolist())) == [0, 1] == [cohort.number for cohort in model.cohorts]
    [only] = find_cohorts(from_events({who: [Event(0, "A", "s")] for who in "ab"}), k=7)[0].cohorts
    assert only.learners == 2


def test_one_learner_is_a_population_too() -> None:
    model, _ = find_cohorts(from_events({"only": [Event(0, "A", "s")]}))
    assert [cohort.learners for cohort in model.cohorts] == [1]
    with pytest.raises(EventsError, match="no events"):
        find_cohorts(from_events({}))


@pytest.mark.slow
def test_both_analyzers_agree_on_100_000_made_up_learners() -> None:
    events, _ = make_population(100_000)
    model, table = find_cohorts(events, k=5)
    assert model.constants.recall is not None
    assert_both_analyzers_agree(events, model, table)

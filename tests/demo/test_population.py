import numpy as np

from core.demo.population import DOMAINS, SKILLS, WEEKS, make_population, window_weeks
from core.learners import DAY_US, WEEK_US, Event, from_events


def test_population_is_as_stated_and_seeded() -> None:
    events, kinds = make_population(2000, seed=3)
    again, _ = make_population(2000, seed=3)
    assert np.array_equal(events.ts, again.ts)
    assert events.learners.size == kinds.size == 2000
    assert 55 < len(events) / 2000 < 63
    assert events.domains == DOMAINS
    assert len(events.skills) == SKILLS
    assert events.ts.max() - events.ts.min() < WEEKS * WEEK_US
    assert events.learners[0] == "demo-000000"


def test_window_grows_until_half_of_the_learners_are_in_it() -> None:
    tail = {f"old{i}": [Event(0, "a", "s")] for i in range(6)} | {
        f"new{i}": [Event(300 * DAY_US, "a", "s")] for i in range(4)
    }
    weeks = window_weeks(from_events(tail), 12)
    assert (weeks - 1) * 7 <= 300 < weeks * 7
    assert window_weeks(from_events({"a": [Event(0, "a", "s")]}), 12) == 12

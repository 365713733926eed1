import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.learners import kernel, reference
from core.learners.constants import population_constants
from core.learners.events import DAY_US, Event, Events, from_events
from core.learners.traits import Traits, traits_at

event = st.builds(
    Event,
    ts=st.integers(0, 100 * DAY_US) | st.integers(0, 100).map(lambda day: day * DAY_US),
    domain=st.sampled_from("ABCDEF"),
    skill=st.integers(0, 9).map(str),
    type=st.sampled_from(["training", "feedback"]),
    score=st.none() | st.integers(0, 20).map(lambda twentieths: twentieths / 20) | st.floats(0, 1),
    acted=st.none() | st.booleans(),
)
population = st.dictionaries(
    st.text("xyz", min_size=1, max_size=3), st.lists(event, min_size=1, max_size=40), min_size=1, max_size=6
)


def reference_table(events: Events, as_of: int, weeks: int) -> tuple[list[Traits], object]:
    seen = [reference.observe(one, as_of, weeks) for _, one in events.rows()]
    active = [o for o in seen if o.events]
    constants = population_constants(
        as_of,
        weeks,
        np.bincount([g for o in active for g in o.gains.values()], minlength=1),
        [o.events_per_week for o in active],
        sum(o.uses for o in active),
        sum(o.later_uses for o in active),
    )
    return [reference.traits_of(o, constants) for o in seen], constants


def assert_same(plain: Traits, fast: Traits) -> None:
    assert dataclasses.asdict(fast) == pytest.approx(dataclasses.asdict(plain), abs=1e-6)


def compare(events: Events, as_of: int, weeks: int) -> None:
    plain, constants = reference_table(events, as_of, weeks)
    scanned = kernel.scan(events, as_of, weeks)
    assert dataclasses.astuple(scanned.constants()) == pytest.approx(dataclasses.astuple(constants), nan_ok=True)
    table = kernel.finish(scanned, scanned.constants())
    for index, one in enumerate(plain):
        assert_same(one, traits_at(table, index, events.domains))
        alone = kernel.finish(kernel.scan_one(events, index, scanned.constants()), scanned.constants())
        assert np.array_equal(alone[0].tolist(), table[index].tolist(), equal_nan=True) or alone[
            0
        ].item() == pytest.approx(table[index].item(), nan_ok=True)


@settings(max_examples=300, deadline=None)
@given(population, st.sampled_from([1, 3, 12]), st.integers(-10, 0))
def test_fast_analyzer_gives_the_reference_answers(learners: dict[str, list[Event]], weeks: int, days: int) -> None:
    events = from_events(learners)
    compare(events, events.as_of + days * DAY_US, weeks)


def test_threads_make_no_difference() -> None:
    events = from_events(
        {f"l{i:05}": [Event(i * 1000, "A", "s"), Event(i * DAY_US // 100, "B", "r")] for i in range(9000)}
    )
    one, two = (kernel.scan(events, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.gains, two.gains)
    assert one.sums.tobytes() == two.sums.tobytes()


def test_a_learner_without_events_in_the_window_has_only_nulls() -> None:
    events = from_events({"gone": [Event(0, "A", "s")], "here": [Event(200 * DAY_US, "A", "s")]})
    scanned = kernel.scan(events)
    gone = traits_at(kernel.finish(scanned, scanned.constants()), 0, events.domains)
    assert gone == Traits(events=0, older=1)
    assert math.isnan(scanned.constants().repeat)

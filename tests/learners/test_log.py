"""Events that nobody has sorted give the answers of sorted ones, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.demo.population import make_population
from core.learners import Log, kernel, recall_of, recall_of_log, scan_log
from core.learners.events import DAY_US, Event, Events, EventsError, from_events
from tests.learners.test_recall import MODEL

times = st.integers(0, 90).map(lambda day: day * DAY_US)
event = st.builds(
    Event, times, domain=st.sampled_from("ab"), skill=st.sampled_from("pqr"), score=st.none() | st.floats(0, 1)
)


def assert_same(one: kernel.Scan, other: kernel.Scan) -> None:
    assert one.as_of == other.as_of
    assert one.sums.tobytes() == other.sums.tobytes()
    assert np.array_equal(one.gains, other.gains)
    assert one.half_lives.tobytes() == other.half_lives.tobytes()


def stable_shuffle(events: Events, rng: np.random.Generator) -> np.ndarray:
    """Return the rows in any order, but those of one learner at one time in theirs."""
    order = rng.permutation(len(events))
    learners = np.repeat(np.arange(events.learners.size), np.diff(events.offsets))
    keys = np.unique(np.column_stack([learners, events.ts]), axis=0, return_inverse=True)[1].ravel()[order]
    return order[np.lexsort((order, keys))[np.argsort(np.argsort(keys, kind="stable"))]]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text("xyz", min_size=1, max_size=2), st.lists(event, min_size=1, max_size=90), min_size=1),
    st.sampled_from([1, 3]),
    st.integers(0, 2**32),
)
def test_any_order_gives_the_bits_of_sorted_events(learners: dict[str, list[Event]], threads: int, seed: int) -> None:
    events = from_events(learners)
    log = Log.of(events, stable_shuffle(events, np.random.default_rng(seed)))
    assert_same(scan_log(log, threads=threads, recall=MODEL), kernel.scan(events, recall=MODEL))


@pytest.mark.parametrize("by_time", [True, False])
def test_many_groups(by_time: bool) -> None:
    events, _ = make_population(6000)
    order = np.argsort(events.ts, kind="stable") if by_time else stable_shuffle(events, np.random.default_rng(2))
    log = Log.of(events, order)
    model = recall_of(events, events.as_of, 12)
    assert model is not None
    assert recall_of_log(log) == model
    assert_same(scan_log(log, recall=model), kernel.scan(events, recall=model))
    assert_same(scan_log(log, log.as_of - 30 * DAY_US, 2), kernel.scan(events, events.as_of - 30 * DAY_US, 2))


def test_learners_without_events_and_nothing_at_all() -> None:
    events = from_events({"a": [Event(0, "d", "s")], "c": [Event(DAY_US, "d", "s")]})
    log = replace(Log.of(events, np.array([1, 0])), learners=np.array(["a", "b", "c"]), who=np.array([2, 0], np.int32))
    assert scan_log(log).sums["events"].tolist() == [1, 0, 1]
    nothing = replace(log, **{name: getattr(log, name)[:0] for name in ("who", "ts", "domain", "skill", "type")})
    with pytest.raises(EventsError, match="no events"):
        scan_log(nothing)

"""The split of the learners, look by look: what counts, what holds, and what a person has let go on."""

from dataclasses import replace

import pytest

from core.delivery.assignment import assignment_finding, counted, settles_s
from core.delivery.model import Assigned, FigureState, Seen
from core.delivery.scene import Scene
from tests.delivery import recordings

NONE = Seen(0, 0, 0)


def finding(assigned, share=0.1, baseline=recordings.NOTHING):
    empty = recordings.NOTHING
    scene = Scene(
        plan=recordings.PLAN, candidate=empty, baseline=baseline, now=3600.0, started=0.0, ended=False, ends=7200.0,
        heard_since=0.0, business={}, has_baseline=True, open_incidents=None, before=(empty, empty), places={},
        since_resumed=0.0, segments=None, share=share, assigned=assigned,
    )  # fmt: skip
    found = assignment_finding(scene)
    assert found is not None
    return found


@pytest.mark.parametrize(("known", "then"), [(False, "hold"), (True, "")])
def test_only_a_mismatch_that_was_known_then_is_let_go_on(known, then):
    before = counted(Assigned(NONE, settled=NONE), Seen(290, 2110, 0), settled=True, resumed_at=1000.0, known=known)
    found = finding(replace(before, now=Seen(653, 4747, 0)))
    assert (found.state, found.then) == (FigureState.FAIL, then)


def test_what_was_let_go_on_takes_new_learners_to_hold_again():
    known = counted(Assigned(NONE, settled=NONE), Seen(653, 4747, 0), settled=True, resumed_at=1000.0, known=True)
    later = counted(known, Seen(663, 4837, 0), settled=True, resumed_at=1000.0, known=True)
    assert later.resumed == Seen(653, 4747, 0)
    assert finding(later).then == ""
    assert finding(replace(later, now=Seen(1653, 9747, 0))).then == "hold"


def test_a_move_to_the_candidate_is_not_new_and_a_move_back_weighs_twice():
    assert Seen(15, 90, 5).since(Seen(10, 90, 0)) == (0, 0)
    assert Seen(20, 95, 5).since(Seen(10, 90, 0)) == (5, 5)


ZERO = recordings.series(recordings.steady(20, version="original", requests=0), "original")
OTHERWISE = recordings.series(recordings.steady(20, version="original"), "original")


@pytest.mark.parametrize("baseline", [recordings.NOTHING, OTHERWISE])
def test_where_one_service_alone_tells_learners_there_is_nothing_to_compare(baseline):
    found = finding(Assigned(Seen(5000, 0, 0), settled=NONE), baseline=baseline)
    assert (found.state, found.then, found.p_value) == (FigureState.NOT_MEASURED, "", None)
    assert found.sentence.startswith("split of the learners: learners of fast alone are told; ")


def test_a_version_that_is_known_to_get_nobody_or_gets_nobody_any_more_is_a_mismatch():
    assert finding(Assigned(Seen(5000, 0, 0), settled=NONE), baseline=ZERO).then == "hold"
    assert finding(Assigned(Seen(5000, 90, 0), settled=Seen(10, 90, 0))).then == "hold"


def test_learners_count_after_ten_samples_and_a_minute_on_the_wall():
    plan = recordings.PLAN
    assert settles_s(plan) == 300.0
    assert settles_s(replace(plan, sample_s=1.0)) == 60.0
    assert settles_s(plan, speed=40.0) == 2400.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.web.views.density import CELLS, HELD, SAMPLE, Box, by_cohort, density, sample_of, span_of
from core.web.views.traits import BY_NAME, TRAITS

VELOCITY, CONCENTRATION, RATE = BY_NAME["velocity"], BY_NAME["concentration"], BY_NAME["events_per_week"]
NAN = np.float32(np.nan)


def values(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)


def some(number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cohort = rng.integers(0, 3, number)
    x = np.clip(rng.normal(0.2 + 0.3 * cohort, 0.06), 0, 1).astype(np.float32)
    y = np.clip(rng.normal(0.5, 0.1, number), 0, 1).astype(np.float32)
    return x, y, cohort


def test_everybody_is_counted() -> None:
    x, y, cohort = some(20_000)
    plane = density(VELOCITY, CONCENTRATION, x, y, cohort, 3)
    assert plane.counts.shape == (CELLS[1], CELLS[0])
    assert plane.counts.sum() == plane.drawn == 20_000


def test_the_ends_of_a_scale_are_on_it() -> None:
    x = y = values(0.0, 1.0, 1.0)
    plane = density(VELOCITY, CONCENTRATION, x, y, np.zeros(3, int), 1)
    assert plane.counts[0, 0] == 1
    assert plane.counts[-1, -1] == 2


def test_only_those_without_a_trait_are_not_drawn() -> None:
    x, y = values(0.1, NAN, 0.3, 0.4), values(0.5, 0.5, NAN, 0.5)
    plane = density(VELOCITY, CONCENTRATION, x, y, np.array([0, 0, 0, -1]), 1)
    assert plane.drawn == plane.counts.sum() == 2
    np.testing.assert_allclose(plane.centres[0], [0.1, 0.5], rtol=1e-6)  # of members only


def test_a_logarithmic_scale_shows_the_largest_too() -> None:
    rate = values(0.25, 1.0, 4_000.0)
    span = span_of(RATE, RATE.place(rate))
    assert (10**span.low, 10**span.high) == pytest.approx((0.25, 4_000.0), rel=1e-5)
    places, words = RATE.ticks(span.low, span.high)
    assert words == ["1", "10", "100", "1,000"]
    assert places == [0, 1, 2, 3]


def test_an_outline_holds_what_it_says() -> None:
    x, y, cohort = some(60_000)
    plane = density(VELOCITY, CONCENTRATION, x, y, cohort, 3)
    assert [outline.number for outline in plane.outlines] == [0, 1, 2]
    for outline in plane.outlines:
        # Each member by the density of the cell that they are in: what the contour at the level encloses.
        member = cohort == outline.number
        across = np.abs(outline.x[None, :] - x[member][:, None]).argmin(axis=1)
        up = np.abs(outline.y[None, :] - y[member][:, None]).argmin(axis=1)
        held = (outline.density[up, across] >= outline.level).mean()
        assert held == pytest.approx(HELD, abs=0.05)
        assert outline.density[[0, -1]].max() < outline.level  # it closes
        assert outline.density[:, [0, -1]].max() < outline.level


def test_an_empty_cohort_has_no_outline_and_no_centre() -> None:
    plane = density(VELOCITY, CONCENTRATION, values(0.5, 0.6), values(0.5, 0.6), np.array([0, 2]), 3)
    assert [outline.number for outline in plane.outlines] == [0, 2]
    assert np.isnan(plane.centres[1]).all()


def test_nobody_and_all_alike_are_drawn_without_a_word() -> None:
    nobody = density(VELOCITY, RATE, values(), values(), np.array([], int), 2)
    assert (nobody.drawn, nobody.outlines) == (0, ())
    alike = density(RATE, RATE, values(3, 3), values(3, 3), np.zeros(2, int), 1)
    assert alike.counts.max() == 2


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.floats(0, 1, width=32)] * 4))
def test_a_box_holds_exactly_those_in_it(seed: int, ends: tuple[float, float, float, float]) -> None:
    x, y, _ = some(200, seed)
    box = Box(min(ends[:2]), max(ends[:2]), min(ends[2:]), max(ends[2:]))
    counted = sum(box.x0 <= float(a) <= box.x1 and box.y0 <= float(b) <= box.y1 for a, b in zip(x, y, strict=True))
    assert int(box.holds(x, y).sum()) == counted
    assert not box.holds(values(NAN), values(0.5)).any()


def test_a_sample_is_of_those_inside_and_each_once() -> None:
    inside = np.arange(10_000) % 2 == 0
    rows = sample_of(inside)
    assert rows.size == SAMPLE == np.unique(rows).size
    assert inside[rows].all()
    np.testing.assert_array_equal(rows, sample_of(inside))
    np.testing.assert_array_equal(sample_of(inside[:50]), np.arange(0, 50, 2))


def test_ridges_are_parts_of_a_cohort() -> None:
    x, _, cohort = some(5_000)
    for trait in TRAITS[:1]:
        middles, parts = by_cohort(trait, x, cohort, 4)
        assert parts.shape == (4, middles.size)
        np.testing.assert_allclose(parts.sum(axis=1), [1, 1, 1, 0])


@pytest.mark.parametrize("trait", TRAITS, ids=lambda trait: trait.name)
def test_every_trait_can_be_said(trait: object) -> None:
    assert BY_NAME["velocity"].say(None) == "unknown"
    assert trait.say(0.4321)  # type: ignore[attr-defined]
    assert trait.value(float(trait.place(values(0.5))[0])) == pytest.approx(0.5, rel=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 2000, ["1", "10", "100", "1,000"]),
        (0.5, 20, ["0.5", "1", "2", "5", "10", "20"]),
        (2400, 3650, ["2,400", "2,600", "2,800", "3,000", "3,200", "3,400", "3,600"]),
        (3.1, 3.4, ["3.1", "3.15", "3.2", "3.25", "3.3", "3.35", "3.4"]),
        (4, 11, ["4", "6", "8", "10"]),
    ],
)
def test_a_logarithmic_scale_has_ticks_however_short(low: float, high: float, words: list[str]) -> None:
    places, told = BY_NAME["half_life_days"].ticks(float(np.log10(low)), float(np.log10(high)))
    assert told == words
    assert [f"{10**place:,.6g}" for place in places] == words

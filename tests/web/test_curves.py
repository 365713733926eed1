from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import Figure
from core.store import Sample, SampleFrame, histogram
from core.web.views.curves import CAPACITY, DRAWN, Bins

ORIGIN = 1_761_912_000.0


def sample(i: int, requests: int, errors: int = 0, latency_ms: float = 20.0, version: str = "new") -> Sample:
    counts = histogram.counts_of(np.full(requests, latency_ms))
    return Sample(
        f"{version}{i}",
        ORIGIN + 30.0 * i,
        30.0,
        version,
        requests=requests,
        errors=errors,
        latency=histogram.encode(counts),
    )


def bins(samples: list[Sample]) -> Bins:
    out = Bins(("new", "old"), ORIGIN, 30.0)
    out.add(SampleFrame.of(samples))
    return out


@given(
    st.lists(st.tuples(st.integers(0, 3 * CAPACITY), st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=60)
)
def test_making_points_fewer_loses_no_request(told: list[tuple[int, int, int]]) -> None:
    samples = [sample(i, n, min(n, bad)) for i, n, bad in told]
    together, one_by_one = bins(samples), Bins(("new", "old"), ORIGIN, 30.0)
    for one in samples:
        one_by_one.add(SampleFrame.of([one]))
    for made in (together, one_by_one):
        assert made.used <= CAPACITY
        assert made.sums["requests"].sum() == sum(s.requests for s in samples)
        assert made.sums["errors"].sum() == sum(s.errors for s in samples)
        assert made.latency.sum() == sum(s.requests for s in samples)
    assert together.width_s == one_by_one.width_s
    np.testing.assert_array_equal(together.sums["requests"], one_by_one.sums["requests"])


def test_a_rate_is_a_ratio_of_sums_over_the_window() -> None:
    made = bins([sample(0, 100, 10), sample(1, 300, 0), sample(2, 100, 0), sample(3, 100, 5)])
    curve = made.curve(Figure.ERROR_RATE, "new", window_s=60.0, minimum=100)
    assert curve.value.tolist() == pytest.approx([10 / 100, 10 / 400, 0.0, 5 / 200])
    assert curve.trials.tolist() == [100, 400, 400, 200]
    assert curve.at[0] == ORIGIN + 30.0


def test_a_window_grows_back_until_it_holds_enough() -> None:
    made = bins([sample(i, 10, 1 if i == 0 else 0) for i in range(12)])
    curve = made.curve(Figure.ERROR_RATE, "new", window_s=30.0, minimum=50)
    assert np.isnan(curve.value[:4]).all()
    assert curve.trials[4:].tolist() == [50] * 8
    assert curve.value[4:].tolist() == pytest.approx([1 / 50] + [0.0] * 7)


def test_p99_is_of_the_pooled_histogram() -> None:
    made = bins([sample(0, 980, latency_ms=20.0), sample(1, 20, latency_ms=400.0)])
    curve = made.curve(Figure.LATENCY_P99, "new", window_s=60.0, minimum=300)
    assert curve.value[0] == pytest.approx(20.0, rel=0.02)
    assert curve.value[1] == pytest.approx(400.0, rel=0.02)


def test_silence_is_a_gap_not_a_line() -> None:
    curve = bins([sample(0, 200), sample(3, 200)]).curve(Figure.ERROR_RATE, "new", 60.0, 100)
    assert np.isfinite(curve.value).tolist() == [True, False, False, True]


def test_of_nothing_comes_nothing() -> None:
    made = bins([])
    for figure in DRAWN:
        curve = made.curve(figure, "old", 60.0, 100)
        assert len(curve.at) == 0
        assert not curve.drawn
    assert made.newest("new") is None
    assert made.rate("new").value.size == 0


def test_what_comes_after_until_is_left_out() -> None:
    made = bins([sample(i, 200) for i in range(10)])
    assert len(made.curve(Figure.ERROR_RATE, "new", 60.0, 100, until=ORIGIN + 120.0).at) == 4
    assert made.newest("new") == ORIGIN + 300.0


def test_others_and_the_past_are_ignored() -> None:
    made = bins([sample(0, 10, version="third"), Sample("x", ORIGIN - 30, 30.0, "new", requests=5)])
    assert made.used == 0


def test_a_figure_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="revenue"):
        bins([]).curve(Figure.REVENUE, "new", 60.0, 100)

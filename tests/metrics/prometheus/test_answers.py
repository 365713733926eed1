"""Answers are typed, counters and buckets are added up, and what is no figure never becomes one. No server needed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import Figure
from core.metrics import GAUGES, Answer, NoData, QueryState, Series, parse_sources
from core.metrics.prometheus.answer import parse
from core.metrics.prometheus.asking import ask
from core.metrics.prometheus.buckets import counts_of
from core.metrics.prometheus.counters import LOOKBACK_S, rises
from core.metrics.prometheus.states import NotANumber, WrongShape
from core.metrics.prometheus.template import duration, fill, is_selector, read_template
from core.store import histogram
from core.yamlmarks import Misread

SPANS = [(0.0, 30.0), (30.0, 60.0), (60.0, 90.0)]


def series(*points: tuple[float, float]) -> Series:
    return Series({}, points)


def success(kind: str, result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, success("vector", [{"metric": {}, "histogram": [1, {}]}]), QueryState.WRONG_SHAPE),
        (200, success("table", []), QueryState.WRONG_SHAPE),
        (200, success("vector", [{"value": [1, "x"]}]), QueryState.BAD_QUERY),
        (200, success("vector", [{"metric": {}, "value": ["NaN", "1"]}]), QueryState.BAD_QUERY),
        (200, b"<html>a login page</html>", QueryState.BAD_QUERY),
        (200, b"[" * 100_000, QueryState.BAD_QUERY),
        (200, b'{"status": "success"}', QueryState.BAD_QUERY),
        (404, b"404 page not found", QueryState.BAD_QUERY),
        (400, b'{"status":"error","errorType":"bad_data","error":"parse error"}', QueryState.BAD_QUERY),
        (422, b'{"status":"error","errorType":"execution","error":"too many samples"}', QueryState.BAD_QUERY),
        (503, b'{"status":"error","errorType":"timeout","error":"query timed out"}', QueryState.UNREACHABLE),
        (503, b"Service Unavailable", QueryState.UNREACHABLE),
        (502, b"<html>bad gateway</html>", QueryState.UNREACHABLE),
        (429, b"", QueryState.UNREACHABLE),
        (401, b"", QueryState.DENIED),
        (403, b"{}", QueryState.DENIED),
    ],
)
def test_what_is_no_answer_has_a_type(status: int, body: bytes, state: QueryState) -> None:
    with pytest.raises(NoData) as caught:
        parse(status, body)
    assert caught.value.state is state
    assert str(caught.value)


def test_a_vector_is_read() -> None:
    answer = parse(200, success("vector", [{"metric": {"a": "b"}, "value": [7.5, "NaN"]}]))
    ((at, value),) = answer.series[0].points
    assert (answer.kind, answer.series[0].labels, at, math.isnan(value)) == ("vector", {"a": "b"}, 7.5, True)


def test_each_rise_is_counted_in_the_span_of_the_scrape_that_saw_it() -> None:
    assert rises(series((-5, 100), (10, 103), (25, 103), (40, 110), (55, 110), (70, 111)), SPANS) == [3, 7, 1]


def test_a_restart_begins_at_zero() -> None:
    assert rises(series((-5, 100), (10, 4), (40, 6)), SPANS) == [4, 2, None]


def test_a_span_without_a_scrape_is_not_zero() -> None:
    assert rises(series((-5, 100), (70, 100)), SPANS) == [None, None, 0]


def test_the_first_sample_of_a_series_says_nothing() -> None:
    assert rises(series((10, 5_000), (40, 5_001)), SPANS) == [None, 1, None]


def test_what_lies_too_far_apart_is_not_compared() -> None:
    assert rises(series((90 - LOOKBACK_S - 1, 0), (90, 1_000_000)), SPANS) == [None, None, None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_counter_that_is_none(value: float) -> None:
    with pytest.raises(NotANumber):
        rises(series((-5, 1), (10, value)), SPANS)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=40), st.integers(1, 20))
def test_nothing_is_lost_or_counted_twice_between_spans(steps: list[tuple[int, bool]], every: int) -> None:
    value, points, rose = 0, [(0.0, 0.0)], 0
    for number, (gain, restarts) in enumerate(steps, 1):
        value = gain if restarts else value + gain
        rose += gain if not restarts or value >= points[-1][1] else value
        if restarts and value >= points[-1][1]:
            rose += value - int(points[-1][1]) - gain  # a restart that nobody can see
        points.append((float(number), float(value)))
    spans = [(float(at), float(at + every)) for at in range(0, len(steps) + 1, every)]
    assert sum(filter(None, rises(Series({}, tuple(points)), spans))) == rose


def test_buckets_keep_what_their_boundaries_say() -> None:
    counts = counts_of({"0.1": 50, "0.2": 90, "0.25": 95, "+Inf": 100}, "s")
    assert counts.sum() == 100
    for limit, above in ((100, 50), (200, 10), (250, 5)):
        assert histogram.count_above(counts, limit) == above
    assert histogram.quantile(counts, 0.9) == pytest.approx(200, rel=0.03)


def test_within_a_bucket_requests_are_spread_evenly_as_histogram_quantile_does() -> None:
    counts = counts_of({"100": 0, "200": 1000, "+Inf": 1000}, "ms")
    for q in (0.1, 0.5, 0.9):
        assert histogram.quantile(counts, q) == pytest.approx(100 + 100 * q, rel=0.03)


@given(st.lists(st.floats(0.0001, 500), min_size=1, max_size=12, unique=True), st.data())
def test_no_request_is_lost_on_the_way_into_our_buckets(bounds: list[float], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.floats(0, 1e6), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    cumulative = np.cumsum(steps)
    by_le = dict(zip([*map(repr, sorted(bounds)), "+Inf"], cumulative.tolist(), strict=True))
    counts = counts_of(by_le, "s")
    assert counts.min() >= 0
    assert counts.sum() == round(cumulative[-1])


@pytest.mark.parametrize("by_le", [{}, {"0.1": 5}, {"x": 1, "+Inf": 2}])
def test_buckets_that_are_none(by_le: dict[str, float]) -> None:
    with pytest.raises(WrongShape):
        counts_of(by_le, "s")


def test_blanks_are_filled_and_quoted() -> None:
    query = 'a{v="{{version}}"}[{{ span }}]'
    assert fill(query, 'x"y\\', 30.0) == 'a{v="x\\"y\\\\"}[30s]'
    assert (is_selector(query), is_selector('a{v="{{version}}"}')) == (False, True)
    assert duration(0.75) == "750ms"
    for wrong in ("", "{{vresion}}", "{{range}}", "x" * 1000):
        with pytest.raises(Misread):
            read_template(wrong)


def test_gauges_are_figures_that_a_plan_can_name() -> None:
    assert set(GAUGES) <= {str(figure) for figure in Figure}


class Canned:
    """Answers every question with the same range vector."""

    def __init__(self, *found: Series) -> None:
        self.answer = Answer("matrix", found)

    def instant(self, *_: Any) -> Answer:
        return self.answer

    def series(self, *asked: Any) -> Answer:
        raise AssertionError(asked)


def at_target(instance: str, code: str, *points: tuple[float, float]) -> Series:
    return Series({"job": "j", "instance": instance, "code": code}, points)


def counted(*found: Series) -> list[Any]:
    text = "prometheus: [{name: a, url: 'http://p', flag: f, figures: {requests: r, errors: e}}]"
    (source,) = parse_sources(text, environment={})
    asked = ask(Canned(*found), source, source.figures[0], "fast", SPANS)
    return [None if isinstance(reading, NoData) else reading["", ""] for reading in asked.readings]


def test_a_series_born_at_a_target_that_was_there_counts_from_zero() -> None:
    steady = at_target("a", "200", (-5, 10), (10, 12), (40, 15), (70, 15))
    assert counted(steady, at_target("a", "500", (40, 3), (70, 4))) == [2, 3 + 3, 1]


def test_a_target_that_is_new_or_comes_back_counts_from_its_first_value() -> None:
    steady = at_target("a", "200", (-5, 10), (10, 12), (40, 15), (70, 15))
    back = [at_target("b", code, (40, 5_000), (70, 5_001)) for code in ("200", "500")]
    assert counted(steady, *back) == [2, 3, 2]


def test_of_a_sum_over_targets_no_birth_can_be_told() -> None:
    whole = Series({"code": "200"}, ((-5, 10), (10, 12), (40, 15)))
    assert counted(whole, Series({"code": "500"}, ((40, 5_000),))) == [2, 3, None]

"""Figures as people read them: rounded, but never to a certainty that isn't there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import words
from core.delivery.plan import Figure, Limit


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0180023, "1.8 %"),
        (0.00074, "0.074 %"),
        (0.999583, "99.958 %"),
        (0.5, "50 %"),
        (0.1527, "15.3 %"),
        (-0.034, "-3.4 %"),
    ],
)
def test_percent(fraction, said):
    assert words.percent(fraction) == said


def test_a_sign_where_it_is_a_difference():
    assert words.percent(0.0037, signed=True) == "+0.37 %"
    assert words.percent(0.0, signed=True) == "0 %"


@given(st.floats(1e-9, 1 - 1e-9))
def test_neither_nothing_nor_everything_is_claimed(fraction):
    assert words.percent(fraction) not in {"0 %", "100 %", "-0 %"}


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.0, "p < 1e-300"), (3e-12, "p = 3.0e-12"), (0.034, "p = 0.034"), (0.5, "p = 0.5"), (1.0, "p = 1")],
)
def test_a_p_value_is_never_nought(p, said):
    assert words.probability(p) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(150.2, "2 min 30 s"), (7200, "2 h"), (0, "0 s"), (1.26, "1 s"), (59.9, "1 min")]
)
def test_duration(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(2275, "38 min"), (17, "20 s"), (90000, "25 h"), (120, "2 min")])
def test_estimates_are_rounded_up(seconds, said):
    assert words.roughly(seconds) == said


def test_limits_are_said_exactly():
    assert words.limit(Limit(Figure.AVAILABILITY, ">", 0.9995)) == "over 99.95 %"
    assert words.limit(Limit(Figure.LATENCY_P99, "<", 200.0)) == "under 200 ms"
    assert words.limit(Limit(Figure.INCIDENTS, "==", 0.0)) == "exactly 0"
    assert words.limit(Limit(Figure.MEMORY, "<", 1e9)) == "under 1 GB"

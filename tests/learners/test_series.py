import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.learners.series import LIMIT, exp_, log_, log_1p


@settings(deadline=None)  # the first call compiles
@given(st.floats(-60, 60) | st.floats(-800, 800))
def test_exp(x: float) -> None:
    true = math.exp(min(max(x, -LIMIT), LIMIT))
    assert abs(exp_(x) - true) <= 1e-11 * true


@settings(deadline=None)
@given(st.floats(0, 70) | st.floats(0, 1e9))
def test_log(x: float) -> None:
    assert abs(log_1p(x) - math.log1p(x)) <= 1e-11


@settings(deadline=None)
@given(st.floats(1e-300, 1e300) | st.floats(1e-6, 1))
def test_log_of_any_number(x: float) -> None:
    assert abs(log_(x) - math.log(x)) <= 1e-11


def test_on_a_grid() -> None:
    for x in np.linspace(-LIMIT, LIMIT, 20_001):
        assert abs(exp_(x) / math.exp(x) - 1) < 1e-11
    for x in np.linspace(0, 65, 20_001):
        assert abs(log_1p(x) - math.log1p(x)) < 1e-11

"""exp and log for inner loops: a table and a short series, to 1e-11, without a call.

Good enough where answers are held to 1e-6, and for bounded arguments only, which is why they aren't everywhere.
"""

from __future__ import annotations

import math

import numpy as np

from core.compiled import compiled

LIMIT = 40.0
"""Arguments of `exp_` beyond it, either way, are taken for it."""

_PER_UNIT = 8
_POWERS = np.exp(np.arange(-LIMIT, LIMIT + 1, 1 / _PER_UNIT))

_STEPS = 16
_ENDS = 64
_POINTS = 1 + np.arange(_STEPS * _ENDS) / _STEPS
_LOGS, _INVERSES = np.log(_POINTS), 1 / _POINTS


@compiled
def exp_(x: float) -> float:
    """Return e^x, to a relative error below 1e-11."""
    x = min(max(x, -LIMIT), LIMIT)
    step = int((x + LIMIT) * _PER_UNIT)
    r = x - (step / _PER_UNIT - LIMIT)  # below 1/8
    tail = 1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320))))
    return float(_POWERS[np.uint64(step)]) * (1 + r * (1 + r * (0.5 + r * (1 / 6 + r * tail))))


@compiled
def log_1p(x: float) -> float:
    """Return log(1 + x) of x >= 0, to an absolute error below 1e-11."""
    step = int(x * _STEPS)
    if step >= _STEPS * _ENDS:
        return math.log(1 + x)
    r = (x - step / _STEPS) * float(_INVERSES[np.uint64(step)])  # below 1/16
    tail = 1 / 5 - r * (1 / 6 - r * (1 / 7 - r * (1 / 8 - r * (1 / 9))))
    return float(_LOGS[np.uint64(step)]) + r * (1 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4 - r * tail))))

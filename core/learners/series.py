"""exp and log for inner loops: arithmetic alone, to 1e-11, so that the compiler does several at a time.

Good enough where answers are held to 1e-6, and for bounded arguments only, which is why they aren't everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from core.compiled import compiled

LIMIT = 700.0
"""Arguments of `exp_` beyond it, either way, are taken for it."""

_PER_LOG_2 = 1 / math.log(2)
_LOG_2_HEAD = 0.693147180369123816490  # the first 33 bits: times a small whole number it is exact
_LOG_2_TAIL = 1.90821492927058770002e-10
_LOG_2 = math.log(2)
_ROUND = 1.5 * 2.0**52  # added to a number below 2^51, it leaves the whole part in the lowest bits
_FRACTION = (1 << 52) - 1
_BIAS = 1023
_ONE = _BIAS << 52  # the bits of 1.0
_WHOLE = 2.0**52
_WHOLE_BITS = (_BIAS + 52) << 52
_ROOT = math.sqrt(2)


def _same_bits(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    return builder.bitcast(given[0], context.get_value_type(signature.return_type))


def _to_bits(_context: Any, _number: Any) -> tuple[Any, Callable[..., Any]]:
    return types.int64(types.float64), _same_bits


def _to_number(_context: Any, _bits: Any) -> tuple[Any, Callable[..., Any]]:
    return types.float64(types.int64), _same_bits


# The bits of a float64 as an int64, and the other way round.
_bits: Any = intrinsic(_to_bits)
_number: Any = intrinsic(_to_number)


@compiled
def exp_(x: float) -> float:
    """Return e^x, to a relative error below 1e-11."""
    x = min(max(x, -LIMIT), LIMIT)
    whole = x * _PER_LOG_2 + _ROUND
    times = whole - _ROUND
    r = (x - times * _LOG_2_HEAD) - times * _LOG_2_TAIL  # within half of log 2
    tail = 1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800))))
    power = 1 + r * (1 + r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * tail)))))
    return float(power * _number((_bits(whole) << 52) + _ONE))


@compiled
def log_(x: float) -> float:
    """Return log x of x > 0, to an absolute error below 1e-11."""
    bits = _bits(x)
    m = _number((bits & _FRACTION) | _ONE)  # x = m 2^times, 1 <= m < 2
    times = _number((bits >> 52) | _WHOLE_BITS) - (_WHOLE + _BIAS)
    large = m > _ROOT
    m = 0.5 * m if large else m
    times = times + 1 if large else times
    s = (m - 1) / (m + 1)  # log m = 2 (s + s^3 / 3 + s^5 / 5 ...), s below 0.172
    q = s * s
    tail = 1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15)))
    return float(times * _LOG_2 + 2 * s * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * tail)))))


@compiled
def log_1p(x: float) -> float:
    """Return log(1 + x) of x >= 0, to an absolute error below 1e-11."""
    return float(log_(1 + x))

"""A quantity of which more or less is known, and how it is written: "5.8 % (5.4 % to 6.3 %)", "180 K + 25 K + 10 K".

One way of writing serves the file, the page and the link. What `written` says, `read` understands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.yamlmarks import Misread

LEVEL = 0.95
"""What an interval in brackets holds, as those of `canary experiment` do."""
_Z = float(special.ndtri(0.5 + LEVEL / 2))

_NUMBER = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?"
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_PER_CENT = re.compile(rf"({_NUMBER})\s*%")
_SCALED = re.compile(rf"({_NUMBER})\s*([KMBkmb])?")
_ESTIMATE = re.compile(r"([^()]+)\(([^()]+)\)")
_SCALES = {"": Decimal(1), "K": Decimal(10**3), "M": Decimal(10**6), "B": Decimal(10**9)}
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


class Unit(StrEnum):
    """What a number counts. Shares are fractions: 0.058 is written "5.8 %"."""

    COUNT = "count"
    MONEY = "money"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A quantity: exact, an estimate with its 95 % interval, or anything between two ends.

    Attributes:
        value: the estimate; of a range its middle.
        low, high: ends of the interval or of the range; None of what is exact.
        even: every value between the ends is as likely as any other, and none outside.
    """

    value: float
    low: float | None = None
    high: float | None = None
    even: bool = False

    @property
    def exact(self) -> bool:
        """Whether there is nothing uncertain about it."""
        return self.low is None or self.high is None or self.low == self.high

    def quantiles(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantiles at `u` (0 to 1, both excluded), of the same shape.

        An estimate's median is the estimate, and its 2.5 % and 97.5 % quantiles are the ends of the interval; the two
        sides are halves of normal distributions, of different widths where the interval is lopsided.
        """
        if self.low is None or self.high is None:
            return np.full(u.shape, self.value)
        if self.even:
            return self.low + u * (self.high - self.low)
        z: NDArray[np.float64] = special.ndtri(u) / _Z
        return self.value + z * np.where(z < 0, self.value - self.low, self.high - self.value)

    def ends(self) -> tuple[float, float]:
        """Return the 2.5 % and 97.5 % quantiles."""
        low, high = self.quantiles(np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
        return float(low), float(high)


def read(text: str, unit: Unit) -> Uncertain:
    """Read a quantity: "5.8 %", "180 K + 25 K", "5.8 % (5.4 % to 6.3 %)", "50 % to 100 %"; "$" and "," are skipped.

    Raises:
        Misread: saying what was expected.
    """
    estimate = _ESTIMATE.fullmatch(text)
    if estimate is not None:
        value, (low, high) = _sum(estimate[1], unit), _range(estimate[2], unit)
        if not low <= value <= high:
            raise Misread(
                f"an estimate that lies in its interval: {written(Uncertain(value, low, high), unit)} does not"
            )
        return Uncertain(value, low, high)
    if re.search(r"\sto\s", text):
        low, high = _range(text, unit)
        return Uncertain((low + high) / 2, low, high, even=True)
    return Uncertain(_sum(text, unit))


def _range(text: str, unit: Unit) -> tuple[float, float]:
    ends = re.split(r"\s+to\s+", text.strip())
    if len(ends) != 2:
        raise Misread(f"two ends, such as {_EXAMPLES[unit][1]}")
    low, high = (_sum(end, unit) for end in ends)
    if low > high:
        raise Misread("the smaller end first")
    return low, high


def _sum(text: str, unit: Unit) -> float:
    terms = re.split(r"(?<=[0-9%KMBkmb])\s*\+\s*", text.strip())
    return float(sum((_number(term, unit) for term in terms), Decimal(0)))


_EXAMPLES = {
    Unit.COUNT: ("500,000", '"450,000 to 550,000"'),
    Unit.MONEY: ("2.4 M", '"180 K to 260 K"'),
    Unit.SHARE: ("5.8 %", '"5.4 % to 6.3 %"'),
}


def _number(text: str, unit: Unit) -> Decimal:
    plain = _THOUSANDS.sub("", text.strip().replace("−", "-"))
    if unit is Unit.SHARE:
        match = _PER_CENT.fullmatch(plain)
        if match is not None:
            return Decimal(match[1]) / 100
        raise Misread(f'a percentage such as "{_EXAMPLES[unit][0]}"')
    if unit is Unit.MONEY:
        plain = re.sub(r"^([+-]?)\s*[$€£]\s*", r"\1", plain)
    match = _SCALED.fullmatch(plain)
    if match is None:
        what = "an amount" if unit is Unit.MONEY else "a number"
        raise Misread(f'{what} such as "{_EXAMPLES[unit][0]}"')
    return Decimal(match[1]) * _SCALES[(match[2] or "").upper()]


def written(quantity: Uncertain, unit: Unit) -> str:
    """Write a quantity so that `read` gives it again."""
    if quantity.low is None or quantity.high is None:
        return _written(quantity.value, unit)
    ends = f"{_written(quantity.low, unit)} to {_written(quantity.high, unit)}"
    return ends if quantity.even else f"{_written(quantity.value, unit)} ({ends})"


def _written(number: float, unit: Unit) -> str:
    exact = Decimal(repr(number))
    if unit is Unit.SHARE:
        return f"{_plain(exact * 100)} %"
    for name, least in (("M", 10**6), ("K", 10**4)):
        if unit is Unit.MONEY and abs(exact) >= least:
            return f"{_plain(exact / _SCALES[name])} {name}"
    return _plain(exact)


def _plain(number: Decimal) -> str:
    text = f"{number:,.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def money(amount: float, currency: str) -> str:
    """Say an amount to a person, to four digits: "$72.6 M", "-$180 K", "1.2 M CHF"."""
    sign, size, scale = "-" if amount < 0 else "", abs(amount), ""
    for name, least in (("B", 10**9), ("M", 10**6), ("K", 10**4)):
        if size >= 0.99995 * least:
            size, scale = size / float(_SCALES[name]), f" {name}"
            break
    decimals = max(0, 4 - len(f"{size:.0f}")) if scale else 0 if size >= 100 or size == round(size) else 2
    number = f"{size:,.{decimals}f}"
    if scale and "." in number:
        number = number.rstrip("0").rstrip(".")
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}{scale}" if symbol else f"{sign}{number}{scale} {currency}"

"""Quantities: what is written is read again, and what is drawn is what was written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.experiments.business_case import FIELD, FIELDS, Inputs, Uncertain, Unit, money, written
from core.yamlmarks import Misread


@pytest.mark.parametrize(
    ("name", "text", "value", "ends"),
    [
        ("learners", "500,000", 500_000, None),
        ("learners", "0.5 M", 500_000, None),
        ("costs", "$180 K + $25 K + $10 K", 215_000, None),
        ("costs", "180K+25k", 205_000, None),
        ("savings", "-2.4 M", -2_400_000, None),
        ("savings", "−$2.4 M", -2_400_000, None),
        ("lift", "5.8 % (5.4 % to 6.3 %)", 0.058, (0.054, 0.063)),
        ("lift", "-1% (-2% to 0.5%)", -0.01, (-0.02, 0.005)),
        ("churn_counted", "50 % to 100 %", 0.75, (0.5, 1.0)),
    ],
)
def test_it_reads(name, text, value, ends):
    found = FIELD[name].read(text)
    assert found.value == value
    assert (found.low, found.high) == (ends or (None, None))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lift", "5.8", 'a percentage such as "5.8 %"'),
        ("lift", "9 % (5 % to 6 %)", "lies in its interval"),
        ("lift", "6 % to 5 %", "the smaller end first"),
        ("lift", "6 % to", "percentage"),
        ("lift", "2000 %", "from -100 % to 1,000 %"),
        ("learners", "0", "from 1 to 10,000,000,000"),
        ("learners", "many", 'a number such as "500,000"'),
        ("learners", "1,00", "a number"),
        ("learners", "nan", "a number"),
        ("learners", "1e5", "a number"),
        ("costs", "10 K + ", "an amount"),
        ("costs", "10 Q", 'an amount such as "2.4 M"'),
        ("costs", "-1", "from 0 to 1,000,000 M"),
        ("churn_counted", "50 % to 150 %", "from 0 % to 100 %"),
        ("revenue", "", "an amount"),
    ],
)
def test_what_it_does_not_read_says_what_was_expected(name, text, expected):
    with pytest.raises(Misread) as caught:
        FIELD[name].read(text)
    assert expected in caught.value.expected


_whole = st.integers(-(10**9), 10**9)


@given(st.sampled_from(list(Unit)), st.tuples(_whole, _whole, _whole), st.sampled_from(["exact", "estimate", "range"]))
def test_what_is_written_is_read_again(unit, thousandths, form):
    from core.experiments.business_case.uncertain import read

    low, value, high = sorted(n / (10**5 if unit is Unit.SHARE else 1000) for n in thousandths)
    quantity = {
        "exact": Uncertain(value),
        "estimate": Uncertain(value, low, high),
        "range": Uncertain((low + high) / 2, low, high, even=True),
    }[form]
    again = read(written(quantity, unit), unit)
    assert (again.low, again.high, again.even) == (quantity.low, quantity.high, quantity.even)
    assert again.value == pytest.approx(quantity.value, rel=1e-12, abs=1e-12)


def test_an_estimates_quantiles_are_its_interval():
    lopsided = Uncertain(0.058, 0.054, 0.063)
    assert lopsided.quantiles(np.array([0.025, 0.5, 0.975])) == pytest.approx([0.054, 0.058, 0.063], abs=1e-12)
    # Halves of normal distributions: 1.96 standard deviations to the end, half of the draws within 0.674 of them.
    assert lopsided.quantiles(np.array([0.75]))[0] == pytest.approx(0.058 + 0.005 * 0.67448975 / 1.95996398, rel=1e-8)
    assert lopsided.ends() == pytest.approx((0.054, 0.063))


def test_a_range_is_even():
    assert Uncertain(0.75, 0.5, 1.0, even=True).quantiles(np.array([0.1, 0.5, 0.9])) == pytest.approx(
        [0.55, 0.75, 0.95]
    )
    assert Uncertain(3.0).exact
    assert Uncertain(3.0, 3.0, 3.0).exact


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (72_600_000, "$72.6 M"), (217_800_000, "$217.8 M"), (215_000, "$215 K"), (2_400, "$2,400"), (150, "$150"),
        (12.5, "$12.50"), (0, "$0"), (-180_000, "-$180 K"), (999_999.9, "$1 M"), (1.5e9, "$1.5 B"), (9_999, "$9,999"),
    ],
)  # fmt: skip
def test_amounts_are_said(amount, said):
    assert money(amount, "USD") == said


def test_other_currencies_are_named():
    assert money(1_500_000, "CHF") == "1.5 M CHF"
    assert money(1_500_000, "EUR") == "€1.5 M"


def test_every_field_is_an_input():
    assert [field.name for field in FIELDS] == list(Inputs.__dataclass_fields__)

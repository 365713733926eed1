"""What a business case is computed from: each input, what it means, within which bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.experiments.business_case.uncertain import Uncertain, Unit, read, written
from core.yamlmarks import Misread


@dataclass(frozen=True, slots=True)
class Field:
    """One input.

    Attributes:
        name: in files, links and `Inputs`. label: for people. about: what it is, to follow the label.
        least, most: bounds; draws beyond them are moved to them.
        default: as it is written, where it may be left out; None where it must be there.
    """

    name: str
    label: str
    unit: Unit
    about: str
    least: float
    most: float
    default: str | None = None

    def read(self, text: str) -> Uncertain:
        """Read the input.

        Raises:
            Misread: it is no quantity of this unit, or out of bounds.
        """
        found = read(text, self.unit)
        for number in (found.value, found.low, found.high):
            if number is not None and not self.least <= number <= self.most:
                bounds = [written(Uncertain(bound), self.unit) for bound in (self.least, self.most)]
                raise Misread(f"from {bounds[0]} to {bounds[1]}")
        return found


FIELDS = (
    Field("learners", "Learners", Unit.COUNT, "who will have the new version", 1, 1e10),
    Field("revenue", "Revenue a month", Unit.MONEY, "of one learner", 0, 1e9),
    Field("lift", "Lift", Unit.SHARE, "by how much that revenue rises, as the experiment found", -1, 10),
    Field(
        "churn_saved",
        "Churn saved",
        Unit.SHARE,
        "fewer learners lost in a year, in points of all learners",
        -1,
        1,
        "0 %",
    ),
    Field("churn_counted", "Part of it counted", Unit.SHARE, "of the learners saved, for caution", 0, 1, "100 %"),
    Field("lifetime_value", "Lifetime value", Unit.MONEY, "of a learner who is not lost", 0, 1e9, "0"),
    Field("savings", "Savings a year", Unit.MONEY, "in operations; below zero where they cost more", -1e12, 1e12, "0"),
    Field("costs", "Costs", Unit.MONEY, "spent once, before and during the roll-out", 0, 1e12, "0"),
    Field("discount", "Discount rate", Unit.SHARE, "a year, for the three-year value", 0, 1, "0 %"),
)
FIELD = {field.name: field for field in FIELDS}


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a case, one an attribute; see `FIELDS` for what they mean."""

    learners: Uncertain
    revenue: Uncertain
    lift: Uncertain
    churn_saved: Uncertain
    churn_counted: Uncertain
    lifetime_value: Uncertain
    savings: Uncertain
    costs: Uncertain
    discount: Uncertain

    def __iter__(self) -> Iterator[tuple[Field, Uncertain]]:
        """Yield each field with its quantity, in the order of `FIELDS`."""
        for field in FIELDS:
            yield field, getattr(self, field.name)

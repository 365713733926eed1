"""An experiment's learners in memory: numbers, and labels as codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.experiments.aggregates import Floats

MISSING = "(missing)"
"""The level of rows that have no label."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A column of words.

    Attributes:
        codes: for each row the place of its word in `names`, int32.
        names: each word once.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, words: Iterable[object]) -> Labels:
        """Return labels of words; None is a level of its own."""
        told = np.asarray([MISSING if word is None else str(word) for word in words], dtype=object)
        names, codes = np.unique(told.astype(str), return_inverse=True) if len(told) else (told, np.zeros(0, int))
        return cls(codes.astype(np.int32), tuple(map(str, names)))


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Rows, a learner each.

    Attributes:
        variant: which version each learner was given.
        columns: names of the numbers.
        numbers: shape (columns, rows), float64; NaN where a value is missing.
        labels: segments, day, cluster, learner, by name.
    """

    variant: Labels
    columns: tuple[str, ...]
    numbers: Floats
    labels: Mapping[str, Labels] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        variant: Iterable[object],
        numbers: Mapping[str, ArrayLike],
        labels: Mapping[str, Iterable[object]] | None = None,
    ) -> Observations:
        """Return observations from columns of any kind."""
        arms = Labels.of(variant)
        matrix = np.empty((len(numbers), len(arms.codes)))
        for i, values in enumerate(numbers.values()):
            matrix[i] = np.asarray(values, dtype=np.float64)
        return cls(arms, tuple(numbers), matrix, {name: Labels.of(words) for name, words in (labels or {}).items()})

    def __len__(self) -> int:
        return len(self.variant.codes)

    def column(self, name: str) -> Floats:
        """Return a column of numbers."""
        found: Floats = self.numbers[self.columns.index(name)]
        return found

    def where(self, rows: NDArray[np.bool_]) -> Observations:
        """Return some of the rows."""
        labels = {name: Labels(label.codes[rows], label.names) for name, label in self.labels.items()}
        return Observations(
            Labels(self.variant.codes[rows], self.variant.names), self.columns, self.numbers[:, rows], labels
        )

    def levels(self, label: str) -> Sequence[str]:
        """Return a label's levels; raises KeyError for a label that isn't there."""
        return self.labels[label].names

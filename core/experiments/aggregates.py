"""Count, means and products of several columns over learners: all that an estimator ever sees, and they add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """What is known of k columns over n learners, in one cell or in an array of cells.

    Leading axes are cells (segments, days, arms, splits); estimators work on all of them at once. `a + b` is what the
    learners of both give together [Chan, Golub & LeVeque 1983], so files, days, regions can be read apart.

    Attributes:
        columns: names of the k columns.
        n: learners (or clusters of learners), shape (...).
        mean: shape (..., k); zero where n is.
        product: sums over learners of products of two columns' deviations from their means, shape (..., k, k).
    """

    columns: tuple[str, ...]
    n: Floats
    mean: Floats
    product: Floats

    @classmethod
    def of(cls, columns: Sequence[str], values: ArrayLike) -> Aggregates:
        """Return the aggregates of rows in memory.

        Args:
            values: shape (n, k), without missing values.
        """
        rows = np.asarray(values, dtype=np.float64).reshape(-1, len(columns))
        mean = rows.mean(axis=0) if len(rows) else np.zeros(len(columns))
        deviations = rows - mean
        return cls(tuple(columns), np.asarray(float(len(rows))), mean, deviations.T @ deviations)

    @classmethod
    def from_sums(cls, columns: Sequence[str], n: ArrayLike, sums: ArrayLike, products: ArrayLike) -> Aggregates:
        """Return the aggregates that plain sums give.

        Plain sums cancel where values lie far from zero for their spread; keep them shifted by a typical value, and
        add that to the mean.

        Args:
            n: shape (...). sums: of each column, shape (..., k). products: of each pair, shape (..., k, k).
        """
        n, sums = np.asarray(n, dtype=np.float64), np.asarray(sums, dtype=np.float64)
        mean = sums / np.maximum(n, 1)[..., None]
        product = np.asarray(products, dtype=np.float64) - sums[..., :, None] * mean[..., None, :]
        diagonal = np.einsum("...ii->...i", product)
        np.maximum(diagonal, 0, out=diagonal)
        return cls(tuple(columns), n, mean, product)

    @classmethod
    def zeros(cls, columns: Sequence[str], shape: tuple[int, ...] = ()) -> Aggregates:
        """Return the aggregates of no learner at all."""
        k = len(columns)
        return cls(tuple(columns), np.zeros(shape), np.zeros((*shape, k)), np.zeros((*shape, k, k)))

    def __add__(self, other: Aggregates) -> Aggregates:
        if self.columns != other.columns:
            raise ValueError(f"aggregates of {self.columns} and of {other.columns} don't add")
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        step = other.mean - self.mean
        mean = self.mean + step * share[..., None]
        between = step[..., :, None] * step[..., None, :] * (self.n * share)[..., None, None]
        return Aggregates(self.columns, n, mean, self.product + other.product + between)

    def __getitem__(self, cells: Any) -> Aggregates:
        """Return some cells, as numpy would of the leading axes."""
        return Aggregates(self.columns, self.n[cells], self.mean[cells], self.product[cells])

    def total(self, axis: int = 0) -> Aggregates:
        """Return what all cells along a leading axis give together."""
        n = self.n.sum(axis=axis)
        mean = (self.mean * self.n[..., None]).sum(axis=axis) / np.maximum(n, 1)[..., None]
        step = self.mean - np.expand_dims(mean, axis)
        between = step[..., :, None] * step[..., None, :] * self.n[..., None, None]
        return Aggregates(self.columns, n, mean, (self.product + between).sum(axis=axis))

    def cumulative(self) -> Aggregates:
        """Return, for each cell along the first axis, what it and all before it give together."""
        sums = [self[0]]
        for i in range(1, len(self.n)):
            sums.append(sums[-1] + self[i])
        return Aggregates(
            self.columns, *(np.stack([getattr(part, name) for part in sums]) for name in ("n", "mean", "product"))
        )

    def average(self, column: str) -> Floats:
        """Return a column's mean."""
        return self.mean[..., self.columns.index(column)]

    def covariance(self, left: str, right: str) -> Floats:
        """Return the covariance of two columns between learners (divisor n - 1); NaN of fewer than two learners."""
        product = self.product[..., self.columns.index(left), self.columns.index(right)]
        return product / np.where(self.n > 1, self.n - 1, np.nan)

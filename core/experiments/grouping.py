"""Learners -> aggregates of all metrics, overall and for each level of each dimension, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.experiments.aggregates import Aggregates, Floats
from core.experiments.metrics import Metric, Rate
from core.experiments.observations import MISSING, Labels, Observations

OVERALL = ""
"""The dimension of which all learners are one level."""

EXTREMES = 10
"""How many of the largest values of a metric are kept of each arm."""

_CANCELLED = 1e6
"""A squared distance between a cell's mean and the shift, in variances of the cell, from which digits would be lost."""

_PER_THREAD = 1 << 16

_Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The aggregates of an experiment: cells x arms for each metric; tables of parts add.

    Attributes:
        arms: the versions, in order of the arms' axis.
        cells: (dimension, level) of each cell; the first is (`OVERALL`, "").
        learners: rows in each cell and arm, whatever is missing in them, shape (cells, arms).
        units: what was randomised there: clusters where there are some, else rows.
        metrics: by name of the metric, aggregates of shape (cells, arms).
        extremes: by name, the values farthest from the mean in each arm, farthest first, shape (arms, `EXTREMES`), NaN
            where there are fewer: what an outlier's weight is judged from. Empty for clusters.
    """

    arms: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]
    learners: Floats
    units: Floats
    metrics: Mapping[str, Aggregates]
    extremes: Mapping[str, Floats]

    def of(self, dimension: str) -> tuple[int, ...]:
        """Return the places of a dimension's cells."""
        return tuple(i for i, cell in enumerate(self.cells) if cell[0] == dimension)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions but `OVERALL`, in order."""
        return tuple(name for name in dict.fromkeys(cell[0] for cell in self.cells) if name != OVERALL)

    def __add__(self, other: Table) -> Table:
        arms = tuple(dict.fromkeys((*self.arms, *other.arms)))
        cells = tuple(dict.fromkeys((*self.cells, *other.cells)))
        left, right = self._within(arms, cells), other._within(arms, cells)
        return Table(
            arms,
            cells,
            left.learners + right.learners,
            left.units + right.units,
            {name: found + right.metrics[name] for name, found in left.metrics.items()},
            {name: self._farthest(right, name, found) for name, found in left.extremes.items()},
        )

    def _farthest(self, other: Table, name: str, values: Floats) -> Floats:
        both = np.concatenate([values, other.extremes[name]], axis=1)
        middle = (self.metrics[name][0].total() + other.metrics[name][0].total()).mean[0]
        order = np.argsort(-np.abs(np.nan_to_num(both - middle)), axis=1, kind="stable")
        return np.take_along_axis(both, order, axis=1)[:, :EXTREMES]

    def in_order(self) -> Table:
        """Return the table with its arms, and each dimension's levels, in alphabetical order, the missing last."""
        dimensions = list(dict.fromkeys(cell[0] for cell in self.cells))
        order = sorted(self.cells, key=lambda cell: (dimensions.index(cell[0]), cell[1] == MISSING, cell[1]))
        return self._within(tuple(sorted(self.arms)), tuple(order))

    def _within(self, arms: tuple[str, ...], cells: tuple[tuple[str, str], ...]) -> Table:
        """Return the table with more arms and cells, of which it knows nothing."""
        if arms == self.arms and cells == self.cells:
            return self
        at = np.ix_([cells.index(cell) for cell in self.cells], [arms.index(arm) for arm in self.arms])

        def spread(values: Floats) -> Floats:
            wide = np.zeros((len(cells), len(arms), *values.shape[2:]))
            wide[at] = values
            return wide

        def farther(values: Floats) -> Floats:
            wide = np.full((len(arms), EXTREMES), np.nan)
            wide[at[1][0]] = values
            return wide

        return Table(
            arms,
            cells,
            spread(self.learners),
            spread(self.units),
            {
                name: Aggregates(found.columns, spread(found.n), spread(found.mean), spread(found.product))
                for name, found in self.metrics.items()
            },
            {name: farther(values) for name, values in self.extremes.items()},
        )


def aggregate(
    observations: Observations, metrics: Sequence[Metric], by: Sequence[str] = (), cluster: str | None = None
) -> Table:
    """Return the aggregates of metrics, overall and by each level of each label.

    A learner counts for a metric if none of the columns that it needs is missing.

    Args:
        metrics: with caps that are values, not quantiles (`Metric.settled`).
        by: labels of the observations: segments, day.
        cluster: a label whose levels were randomised as a whole; the aggregates are then over clusters.
    """
    arms = observations.variant.names
    groupings = [(OVERALL, Labels(np.zeros(len(observations), np.int32), ("",)))]
    groupings += [(name, observations.labels[name]) for name in by]
    cells = tuple((name, level) for name, labels in groupings for level in labels.names)
    firsts = np.cumsum([0, *(len(labels.names) for _, labels in groupings)])[:-1]
    rows = _Rows(observations, np.stack([labels.codes for _, labels in groupings]), firsts, (len(cells), len(arms)))
    if cluster is not None:
        learners, units, found = _clustered(rows, metrics, observations.labels[cluster])
        return Table(arms, cells, learners, units, found, {})
    learners, found, extremes = _summed(rows, metrics)
    return Table(arms, cells, learners, learners, found, extremes)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows and the cells that they are in.

    Attributes:
        codes: levels, shape (dimensions, rows). firsts: each dimension's first cell. shape: (cells, arms).
    """

    observations: Observations
    codes: NDArray[np.int32]
    firsts: _Codes
    shape: tuple[int, int]

    def places(self, dimension: int) -> _Codes:
        """Return for each row its cell and arm as one number."""
        cells = self.codes[dimension].astype(np.int64) + self.firsts[dimension]
        return np.asarray(cells * self.shape[1] + self.observations.variant.codes)

    def within(self, cell: int, arm: int) -> NDArray[np.bool_]:
        """Return which rows are in a cell and arm."""
        dimension = int(np.searchsorted(self.firsts, cell, side="right")) - 1
        return np.asarray(self.places(dimension) == cell * self.shape[1] + arm)


def _summed(rows: _Rows, metrics: Sequence[Metric]) -> tuple[Floats, dict[str, Aggregates], dict[str, Floats]]:
    # Not at the top: what compiles code takes half a second to load, and the judge needs none of it.
    from core.experiments import kernel

    observations, shape = rows.observations, rows.shape
    needed = [(observations.columns.index(name), metric.cap_of(name)) for metric in metrics for name in metric.columns]
    picks = np.array([place for place, _ in needed], dtype=np.int64)
    caps = np.array([cap for _, cap in needed], dtype=np.float64)
    starts = np.cumsum([0, *(len(metric.columns) for metric in metrics)])
    means = {i: kernel.mean(observations.numbers[i]) for i in set(picks.tolist())}
    # Counts of yes stay whole numbers, and so exact.
    counted = [isinstance(metric, Rate) and name == metric.numerator for metric in metrics for name in metric.columns]
    shifts = np.minimum([0.0 if c else means[i] for i, c in zip(picks.tolist(), counted, strict=True)], caps)
    sums, extremes = _in_parts(rows, picks, caps, shifts, starts)
    found, farthest, at = {}, {}, 1
    for m, metric in enumerate(metrics):
        k = len(metric.columns)
        width = 1 + k + k * (k + 1) // 2
        block = sums[:, at : at + width].reshape(*shape, width)
        at += width
        products = np.empty((*shape, k, k))
        left, right = np.triu_indices(k)
        products[..., left, right] = products[..., right, left] = block[..., 1 + k :]
        shift = shifts[starts[m] : starts[m + 1]]
        shifted = Aggregates.from_sums(metric.columns, block[..., 0], block[..., 1 : 1 + k], products)
        mean = np.where(shifted.n[..., None] > 0, shifted.mean + shift, 0.0)
        sure = Aggregates(metric.columns, shifted.n, mean, shifted.product)
        found[metric.name] = _again(rows, metric, shifted, sure)
        farthest[metric.name] = extremes[:, m]
    return sums[:, 0].reshape(shape), found, farthest


def _in_parts(rows: _Rows, picks: _Codes, caps: Floats, shifts: Floats, starts: _Codes) -> tuple[Floats, Floats]:
    """Add up on all cores, a stretch of rows each."""
    from core.compiled import cores
    from core.experiments import kernel

    observations, (cells, arms) = rows.observations, rows.shape
    sizes = np.diff(starts)
    width = 1 + int((1 + sizes + sizes * (sizes + 1) // 2).sum())
    threads = max(1, min(cores(), len(observations) // _PER_THREAD))
    bounds = np.linspace(0, len(observations), threads + 1).astype(np.int64)

    def work(part: int) -> tuple[Floats, Floats]:
        sums = np.zeros((cells * arms, width))
        extremes = np.full((arms, sizes.size, EXTREMES), np.nan)
        given = (observations.numbers, picks, caps, shifts, starts, rows.codes, observations.variant.codes, rows.firsts)
        kernel.add(*given, int(bounds[part]), int(bounds[part + 1]), sums, extremes)
        return sums, extremes

    if threads == 1:
        return work(0)
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(work, range(threads)))
    total: Floats = np.sum([sums for sums, _ in parts], axis=0)
    both = np.concatenate([extremes for _, extremes in parts], axis=2)
    far = np.abs(np.nan_to_num(both - shifts[starts[:-1]][:, None]))
    order = np.argsort(-far, axis=2, kind="stable")[..., :EXTREMES]
    return total, np.take_along_axis(both, order, axis=2)


def _again(rows: _Rows, metric: Metric, shifted: Aggregates, found: Aggregates) -> Aggregates:
    """Return the aggregates, those of cells that lie too far from the overall mean added up anew about their own."""
    spread = np.einsum("...ii->...i", shifted.product) / np.maximum(shifted.n, 1)[..., None]
    lost = ((shifted.n > 0)[..., None] & (shifted.mean**2 > _CANCELLED * spread) & (shifted.mean != 0)).any(axis=-1)
    if not lost.any():
        return found
    n, mean, product = found.n.copy(), found.mean.copy(), found.product.copy()
    values = metric.values(rows.observations)
    whole = ~np.isnan(values).any(axis=1)
    for cell, arm in np.argwhere(lost):
        part = Aggregates.of(metric.columns, values[whole & rows.within(cell, arm)])
        n[cell, arm], mean[cell, arm], product[cell, arm] = part.n, part.mean, part.product
    return Aggregates(found.columns, n, mean, product)


def _clustered(rows: _Rows, metrics: Sequence[Metric], cluster: Labels) -> tuple[Floats, Floats, dict[str, Aggregates]]:
    """Add up the totals of clusters, one after another: a cluster is one unit in each cell that it has learners in."""
    size, shape = len(cluster.names), rows.shape
    learners, units = np.zeros(shape), np.zeros(shape)
    found = {m.name: Aggregates.zeros(m.columns, shape) for m in metrics}
    values = {m.name: m.values(rows.observations) for m in metrics}
    for dimension in range(len(rows.firsts)):
        place = rows.places(dimension)
        learners += np.bincount(place, minlength=units.size).reshape(shape)
        keys, units_of = np.unique(place * size + cluster.codes, return_inverse=True)
        units += np.bincount(keys // size, minlength=units.size).reshape(shape)
        for metric in metrics:
            own = values[metric.name]
            whole = ~np.isnan(own).any(axis=1)
            some = np.bincount(units_of[whole], minlength=len(keys)) > 0
            totals = np.stack(
                [np.bincount(units_of[whole], weights=column[whole], minlength=len(keys)) for column in own.T], axis=1
            )
            for cell in np.unique(keys // size):
                part = Aggregates.of(metric.columns, totals[(keys // size == cell) & some])
                at = divmod(int(cell), shape[1])
                for name in ("n", "mean", "product"):
                    getattr(found[metric.name], name)[at] = getattr(part, name)
    return learners, units, found

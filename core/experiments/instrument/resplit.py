"""Learners, all treated alike -> aggregates of two arms that chance made, for many splits at once.

Which arm a learner is in depends on the learner's id, the seed and the number of the split alone: rows of one learner
go together, and neither the order of the rows nor the number of threads changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from core.experiments.aggregates import Aggregates, Floats
from core.experiments.grouping import OVERALL
from core.experiments.metrics import Metric
from core.experiments.observations import Labels, Observations

_WORD = 64
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, eq=False)
class Resplit:
    """The arms of every split.

    Attributes:
        splits: how many. cells: (dimension, level); the first is (`OVERALL`, "").
        units: learners (or clusters) in each cell, shape (cells,).
        arms: by metric, both arms' aggregates, each of shape (cells, splits).
    """

    splits: int
    cells: tuple[tuple[str, str], ...]
    units: Floats
    arms: Mapping[str, tuple[Aggregates, Aggregates]]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What is summed: one column a number that some metric needs, shared between metrics.

    Attributes:
        values: shape (units, width). at: by metric, the places of its count, of its columns and of their products.
        shifts: by metric, what was taken from its columns before.
    """

    values: Floats
    at: Mapping[str, tuple[int, tuple[int, ...], tuple[int, ...]]]
    shifts: Mapping[str, Floats]


def resplit(
    observations: Observations,
    metrics: Sequence[Metric],
    *,
    splits: int = 1000,
    by: Sequence[str] = (),
    unit: str | None = None,
    cluster: str | None = None,
    seed: int = 0,
) -> Resplit:
    """Split learners into halves at random, again and again, and add each half up.

    Args:
        metrics: with caps that are values (`settled`); in clusters where there is a `cluster`.
        by: labels by whose levels to add up, too.
        unit: the label of what is assigned: a learner's id. Default: each row by itself.
        cluster: the label of what is assigned as a whole; its totals are then the units.
    """
    rows = {metric.name: metric.values(observations) for metric in metrics}
    labels = {name: observations.labels[name] for name in by}
    if cluster is not None:
        whole = observations.labels[cluster]
        rows = {name: _totals(values, whole) for name, values in rows.items()}
        # A cluster with learners in several levels is counted in the level of its first.
        first = np.unique(whole.codes, return_index=True)[1]
        labels = {name: Labels(label.codes[first], label.names) for name, label in labels.items()}
        keys = _keys(Labels(whole.codes[first], whole.names), seed)
    elif unit is not None:
        keys = _keys(observations.labels[unit], seed)
    else:
        keys = _mixed(np.arange(len(observations), dtype=np.uint64), seed)
    columns = _columns(metrics, rows)
    everybody = Labels(np.zeros(len(keys), np.int32), ("",))
    groupings = list(labels.items()) or [(OVERALL, everybody)]
    second, total = [], []
    for _, label in groupings:
        sums, whole_sums = _summed(columns.values, label, keys, splits)
        second.append(sums)
        total.append(whole_sums)
    if labels:  # all learners are all levels of any dimension
        second.insert(0, second[0].sum(axis=0, keepdims=True))
        total.insert(0, total[0].sum(axis=0, keepdims=True))
        groupings.insert(0, (OVERALL, everybody))
    treated, everything = np.concatenate(second), np.concatenate(total)[:, None, :]
    cells = tuple((name, level) for name, label in groupings for level in label.names)
    counts = np.concatenate([np.bincount(label.codes, minlength=len(label.names)) for _, label in groupings])
    arms = {
        metric.name: (_arm(metric, columns, everything - treated), _arm(metric, columns, treated)) for metric in metrics
    }
    return Resplit(splits, cells, counts.astype(np.float64), arms)


def _columns(metrics: Sequence[Metric], rows: Mapping[str, Floats]) -> _Columns:
    made: dict[tuple[object, ...], tuple[int, Floats]] = {}
    at, shifts = {}, {}

    def place(key: tuple[object, ...], values: Floats) -> int:
        if key not in made:
            made[key] = (len(made), values)
        return made[key][0]

    for metric in metrics:
        values = rows[metric.name]
        whole = np.asarray(~np.isnan(values).any(axis=1))
        # Metrics share what is the same for both: a column, where neither leaves anybody out.
        owner = "" if whole.all() else metric.name
        shift = values[whole].mean(axis=0) if whole.any() else np.zeros(values.shape[1])
        shifted: Floats = np.where(whole[:, None], values - shift, 0.0)
        names = [(owner, column, metric.cap_of(column)) for column in metric.columns]
        count = place((owner,), whole.astype(np.float64))
        own = tuple(place(name, shifted[:, j]) for j, name in enumerate(names))
        pairs = zip(*np.triu_indices(len(names)), strict=True)
        products = tuple(place((names[i], names[j]), shifted[:, i] * shifted[:, j]) for i, j in pairs)
        at[metric.name], shifts[metric.name] = (count, own, products), shift
    return _Columns(np.ascontiguousarray(np.stack([values for _, values in made.values()], axis=1)), at, shifts)


def _summed(values: Floats, label: Labels, keys: NDArray[np.uint64], splits: int) -> tuple[Floats, Floats]:
    """Return the sums of the second arm, shape (levels, splits, width), and those of all, shape (levels, width)."""
    # Not at the top: what compiles code takes half a second to load, and the judge needs none of it.
    from core.compiled import cores
    from core.experiments.instrument import kernel

    order = np.argsort(label.codes, kind="stable")
    values, keys = values[order], keys[order]
    levels, width = len(label.names), values.shape[1]
    sizes = np.bincount(label.codes, minlength=levels)
    starts, cells = _groups(sizes, kernel.AT_ONCE)
    threads = max(1, min(cores(), len(cells) // 1024))
    bounds = np.linspace(0, len(cells), threads + 1).astype(np.int64)

    def work(part: int) -> Floats:
        sums = np.zeros((levels, -(-splits // _WORD) * _WORD, width))
        kernel.accumulate(values, keys, starts, cells, bounds[part], bounds[part + 1], sums)
        return sums

    if threads == 1:
        sums = work(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            first, *rest = pool.map(work, range(threads))
            sums = sum(rest, first)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    total = np.stack([values[ends[i] : ends[i + 1]].sum(axis=0) for i in range(levels)])
    return sums[:, :splits], total


def _groups(sizes: NDArray[np.int64], at_once: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where groups begin, and the end, and the level of each: no group has learners of two levels."""
    starts, cells, at = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for level, size in enumerate(sizes.tolist()):
        begins = np.arange(at, at + size, at_once, dtype=np.int64)
        starts.append(begins)
        cells.append(np.full(len(begins), level, np.int64))
        at += size
    return np.concatenate([*starts, [at]]), np.concatenate(cells)


def _arm(metric: Metric, columns: _Columns, sums: Floats) -> Aggregates:
    count, own, products = columns.at[metric.name]
    k = len(own)
    product = np.empty((*sums.shape[:-1], k, k))
    for (i, j), place in zip(zip(*np.triu_indices(k), strict=True), products, strict=True):
        product[..., i, j] = product[..., j, i] = sums[..., place]
    shifted = Aggregates.from_sums(metric.columns, sums[..., count].round(), sums[..., list(own)], product)
    mean = np.where(shifted.n[..., None] > 0, shifted.mean + columns.shifts[metric.name], 0.0)
    return Aggregates(metric.columns, shifted.n, mean, shifted.product)


def _totals(values: Floats, cluster: Labels) -> Floats:
    """Return the totals of clusters over rows that miss nothing; NaN of clusters without one."""
    whole = ~np.isnan(values).any(axis=1)
    size = len(cluster.names)
    rows = np.bincount(cluster.codes[whole], minlength=size)
    sums = [np.bincount(cluster.codes[whole], weights=column[whole], minlength=size) for column in values.T]
    present = np.bincount(cluster.codes, minlength=size) > 0
    totals = np.stack(sums, axis=1).astype(np.float64)
    totals[rows == 0] = np.nan
    return totals[present]


def _keys(label: Labels, seed: int) -> NDArray[np.uint64]:
    """Return a hash of each row's word."""
    hashed = [blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in label.names]
    of_names = np.frombuffer(b"".join(hashed), dtype="<u8") if hashed else np.zeros(0, np.uint64)
    return _mixed(of_names[label.codes], seed)


def _mixed(keys: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Return keys as the seed turns them: `kernel.mix`, of arrays."""
    with np.errstate(over="ignore"):
        keys = keys.astype(np.uint64) + np.uint64((seed * _GOLDEN) % 2**64)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(keys ^ (keys >> np.uint64(31)), dtype=np.uint64)

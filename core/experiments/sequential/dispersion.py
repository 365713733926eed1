"""Do counts vary more than chance? And the comparison that stands it: a confidence sequence over per-look differences.

The e-process of counts.py takes requests to fail independently of each other. Bursts that hit one version and not the
other break that: 30 related failures are one toss of a coin, not thirty. How much they do is measured on looks in which
nothing was different (an A/A run, the time before), or by how the split scatters around its own mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from core.experiments.sequential.counts import Direction, RatioTest
from core.experiments.sequential.means import mean_evidence

Floats = NDArray[np.float64]

MIN_BLOCKS = 10
"""Blocks of looks below which nothing is said about dispersion."""

EXPECTED = 5.0
"""Bad events a block is expected to hold in either version: looks are joined until they do."""

_FIRST = 30  # looks before which the confidence sequence says nothing: it is valid for many

_LAGS = 10  # looks over which differences may depend on each other, where nothing is known from before
_MEMORY_LAGS = 20  # looks of the time before over which bursts may last
_MEMORY_MARGIN = 1.3  # its estimate is from some hundred looks, and too low rather than too high
_LEVEL = 0.99


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much counts vary, in multiples of what chance makes of them: 1 is chance.

    Attributes:
        value: the estimate. low: its one-sided 99 % bound from below. blocks: of looks that it is from.
        memory: by how much more a long sum of looks varies than if each were on its own: over 1 where bursts last.
    """

    value: float
    low: float
    blocks: int
    memory: float = 1.0

    @property
    def is_over(self) -> bool:
        """Whether they surely vary more than chance."""
        return self.low > 1.0


def split_dispersion(
    bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike
) -> Dispersion | None:
    """Estimate dispersion from how the split between two versions scatters around its mean; all of shape (looks,).

    A rate that both share may drift; a ratio of the two that stays as it is does no harm, so that a run in which the
    candidate is worse serves as well as an A/A run. Pearson's X^2 over blocks / its degrees of freedom.

    Returns:
        None where there are too few bad events for `MIN_BLOCKS` blocks.
    """
    x, n, y, m = (np.asarray(a, dtype=np.float64) for a in (bad, trials, base_bad, base_trials))
    if not x.sum() or not y.sum() or not n.sum() or not m.sum():
        return None
    ratio = (x.sum() / n.sum()) / (y.sum() / m.sum())
    expected = (x + y) * n * ratio / np.maximum(n * ratio + m, 1e-300)
    smaller = np.minimum(expected, x + y - expected)
    block = _blocks(smaller)
    blocks = int(block.max()) + 1
    if blocks < MIN_BLOCKS:
        return None
    events, mean, seen = (np.bincount(block, a, blocks) for a in (x + y, expected, x))
    variance = mean * (events - mean) / np.maximum(events, 1e-300)
    chi = float(((seen - mean) ** 2 / np.maximum(variance, 1e-300)).sum())
    return _dispersion(chi, blocks - 1, blocks, (x - expected) / np.sqrt(np.maximum(expected, 1e-300)))


def rate_dispersion(bad: ArrayLike, trials: ArrayLike) -> Dispersion | None:
    """Estimate dispersion from one version alone: how much neighbouring blocks of looks differ; shape (looks,) each.

    For the time before a candidate. A rate that drifts slowly does little harm; one that jumps counts as dispersion,
    though a common jump wouldn't hurt the comparison: it errs on the side of not acting.

    Returns:
        None where there are too few bad events for 2 x `MIN_BLOCKS` blocks.
    """
    x, n = np.asarray(bad, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if not x.sum() or not n.sum():
        return None
    block = _blocks(n * x.sum() / n.sum())
    blocks = (int(block.max()) + 1) // 2 * 2
    if blocks < 2 * MIN_BLOCKS:
        return None
    events, of = (np.bincount(block, a, blocks)[:blocks] for a in (x, n))
    (x1, x2), (n1, n2) = events.reshape(-1, 2).T, of.reshape(-1, 2).T
    share = (x1 + x2) / (n1 + n2)
    variance = share * (1 - share) * (1 / n1 + 1 / n2)
    told = variance > 0
    terms = (x1 / n1 - x2 / n2)[told] ** 2 / variance[told]
    of_looks = (x - n * x.sum() / n.sum()) / np.sqrt(np.maximum(n, 1.0))
    return _dispersion(float(terms.sum()), int(told.sum()), int(told.sum()), of_looks)


def lesser_dispersion(
    bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike
) -> Dispersion | None:
    """Return the lesser of `split_dispersion` and `rate_dispersion` of the baseline: what both of them see.

    A rate that both versions share may jump without harm to the comparison, which only the second takes for
    dispersion; a candidate that went wrong half-way only the first.

    Returns:
        None while either can't be told.
    """
    split, rate = split_dispersion(bad, trials, base_bad, base_trials), rate_dispersion(base_bad, base_trials)
    return None if split is None or rate is None else min(split, rate, key=lambda found: found.low)


def difference_evidence(
    test: RatioTest,
    bad: ArrayLike,
    trials: ArrayLike,
    base_bad: ArrayLike,
    base_trials: ArrayLike,
    *,
    planned: float,
    memory: float = 1.0,
) -> Floats:
    """Return the log evidence at each look, shape (..., looks), that stands bursts of either version.

    In each look the candidate's bad events are compared with what they would be at the margin, given both versions'
    requests: a difference whose mean is 0 at the margin, however the events are bundled. Over looks, that mean has an
    asymptotic confidence sequence (means.py); its variance counts dependence over up to ten looks. 0 in the first
    thirty looks.

    Args:
        test: what is asked.
        bad, trials, base_bad, base_trials: shape (..., looks), oldest first.
        planned: looks that the phase has; the sequence is tightest there.
        memory: how bursts last, from looks before (`Dispersion.memory`): thirty looks can't tell that by themselves.
    """
    differences = _differences(test.margin, bad, trials, base_bad, base_trials) * test.direction.sign
    z, looks = _standardised(differences, memory)
    seen = mean_evidence(z, looks / planned, test.alpha)
    return np.asarray(np.where(looks >= _FIRST, seen, 0.0), dtype=np.float64)


def difference_bounds(
    test: RatioTest,
    bad: ArrayLike,
    trials: ArrayLike,
    base_bad: ArrayLike,
    base_trials: ArrayLike,
    *,
    planned: float,
    memory: float = 1.0,
) -> tuple[float | None, float | None]:
    """Return the ratios that `difference_evidence` excludes at the last of looks of shape (looks,); see
    `RatioState.bounds`.
    """
    ratios = test.margin * np.geomspace(1 / 20, 20, 161)
    differences = _differences(ratios[:, None], bad, trials, base_bad, base_trials)
    if differences.shape[-1] < _FIRST:
        return None, None
    z, looks = _standardised(differences, memory)
    at_end = z[:, -1]
    out: list[float | None] = []
    for direction in (Direction.HIGHER, Direction.LOWER):
        beyond = mean_evidence(direction.sign * at_end, looks[-1] / planned, test.alpha) >= test.threshold
        place = -1 if direction is Direction.HIGHER else 0
        out.append(float(ratios[np.flatnonzero(beyond)[place]]) if beyond.any() else None)
    return out[0], out[1]


def _differences(
    margin: float | Floats, bad: ArrayLike, trials: ArrayLike, base_bad: ArrayLike, base_trials: ArrayLike
) -> Floats:
    x, n, y, m = (np.asarray(a, dtype=np.float64) for a in (bad, trials, base_bad, base_trials))
    both = margin * n + m
    said = (n > 0) & (m > 0)
    return np.asarray(np.where(said, (m * x - margin * n * y) / np.where(both > 0, both, 1.0), 0.0), dtype=np.float64)


def _standardised(differences: Floats, memory: float) -> tuple[Floats, Floats]:
    """Return the sum of differences up to each look over its standard error, and the numbers of looks.

    The variance is Newey and West's (Bartlett weights), and no less than `memory` times that of independent looks.
    """
    looks = np.arange(1, differences.shape[-1] + 1, dtype=np.float64)
    total = np.cumsum(differences, axis=-1)
    mean = total / looks
    own = np.maximum(np.cumsum(differences**2, axis=-1) / looks - mean**2, 0.0)
    variance = own.copy()
    for lag in range(1, min(_LAGS, differences.shape[-1] - 1) + 1):
        products = np.zeros_like(differences)
        products[..., lag:] = differences[..., lag:] * differences[..., :-lag]
        variance += 2 * (1 - lag / (_LAGS + 1)) * (np.cumsum(products, axis=-1) / looks - mean**2)
    if memory > 1:  # from few looks that depend on each other even their own variance comes out too small
        own *= memory * (1 + memory / looks) ** 2
    variance = np.maximum(variance, own)
    z = np.divide(total, np.sqrt(looks * variance), out=np.zeros_like(total), where=variance > 0)
    return z, looks


def _blocks(expected: Floats) -> NDArray[np.int64]:
    """Number consecutive looks so that each block is expected to hold `EXPECTED`; what is left joins the last one."""
    upto = np.cumsum(expected)
    block = np.floor((upto - expected / 2) / EXPECTED).astype(np.int64)
    block = np.unique(block, return_inverse=True)[1].reshape(-1)
    if upto[-1] % EXPECTED < EXPECTED / 2 and block.max() > 0:
        block = np.minimum(block, block.max() - (1 if expected[block == block.max()].sum() < EXPECTED / 2 else 0))
    return np.asarray(block, dtype=np.int64)


def _dispersion(chi: float, freedom: int, blocks: int, residuals: Floats) -> Dispersion | None:
    if freedom < MIN_BLOCKS - 1:
        return None
    return Dispersion(chi / freedom, chi / float(special.chdtri(freedom, 1 - _LEVEL)), blocks, _memory(residuals))


def _memory(residuals: Floats) -> float:
    """Long-run variance of looks over their own variance, on the safe side; 1 where that is hardly more."""
    d = residuals - residuals.mean()
    own = float((d**2).mean())
    if d.size <= 2 * _MEMORY_LAGS or own <= 0:
        return 1.0
    lags = np.arange(1, _MEMORY_LAGS + 1)
    products = np.array([(d[lag:] * d[:-lag]).sum() for lag in lags]) / d.size
    ratio = 1 + 2 * float(((1 - lags / (_MEMORY_LAGS + 1)) * products).sum()) / own
    return _MEMORY_MARGIN * ratio if ratio > 1.5 else 1.0

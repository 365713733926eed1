"""By how much may counts vary, at most, as far as can be told at each look? Where little is known from before.

Bad events that come in bundles (a dependency that fails for ten seconds, one client that retries) vary more than
chance, and an e-process that takes them for independent is too sure of itself. Where nothing from before tells how they
come, the looks themselves do: four neighbouring blocks of looks scatter around what they have in common by as much as
chance makes of them, or by more. Blocks of one look tell of bursts, and so, later, do longer ones of bursts that last.

Two things are looked at, and the lesser counts: the baseline alone (which a candidate that goes wrong half-way can't
spoil) and the split of the bad events between the versions (which a rate that both share can't). Neither tells anything
where the baseline hardly ever fails; there, how the candidate's own bad events scatter does. What is said is a bound
from above, so it is large while there is little to go by, and falls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

BURN_IN = 32
"""Looks of the baseline before which nothing is said: two windows of the third scale."""

KNOWN_LOOKS = 240
"""Looks from before a phase that it takes to know how counts vary; fewer miss bursts that last for minutes."""

FEW = 30
"""Bad events of the baseline below which they don't tell whether others come in bundles."""

_SCALES = (1, 2, 4, 8, 16)  # looks a block: bursts that last longer than the longest pass for a worse version
_WINDOW = 4  # blocks that are compared with each other
_OWN = 2.0  # bursts of two versions make a difference vary twice as much, at most, as those of one
_WINDOWS = 2  # of a scale, from which on it counts


def dispersion_bound(
    level: float,
    bad: ArrayLike,
    trials: ArrayLike,
    base_bad: ArrayLike,
    base_trials: ArrayLike,
    *,
    earlier_bad: ArrayLike = (),
    earlier_trials: ArrayLike = (),
) -> Floats:
    """Return at each look by how much counts may vary, at most, in multiples of chance; shape (..., looks).

    The largest of the scales' upper bounds, 1 at least. inf in the first `BURN_IN` looks of the baseline, or, while it
    has fewer than `FEW` bad events, of the candidate (which `KNOWN_LOOKS` of the baseline before spare).

    Args:
        level: chance that one scale's bound is too low, were bad events bundled at random.
        bad, trials, base_bad, base_trials: of the candidate and of the baseline, shape (..., looks), oldest first.
        earlier_bad, earlier_trials: of the baseline in the looks before these, shape (..., earlier looks).
    """
    x, n, y, m = (np.asarray(a, dtype=np.float64) for a in np.broadcast_arrays(bad, trials, base_bad, base_trials))
    before = [np.asarray(a, dtype=np.float64) for a in (earlier_bad, earlier_trials)]
    before = [np.broadcast_to(a, (*y.shape[:-1], a.shape[-1])) for a in before]
    base, of = np.concatenate([before[0], y], axis=-1), np.concatenate([before[1], m], axis=-1)
    looks, earlier = x.shape[-1], before[0].shape[-1]
    upto = np.arange(1, looks + 1)
    # Bursts weigh the more, the more requests they can hit: the smaller baseline's scatter is scaled up.
    larger = np.maximum(1.0, np.cumsum(n, axis=-1) / np.maximum(np.cumsum(m, axis=-1), 1.0))
    most = np.full(x.shape, np.inf)
    for scale in _SCALES:
        of_baseline = _as_of(_upper(level, *_rate_scatter(_windows(base, scale), _windows(of, scale))), scale, base)
        of_split = _as_of(_upper(level, *_split_scatter(*(_windows(a, scale) for a in (x, n, y, m)))), scale, x)
        bound = np.minimum(1 + larger * (of_baseline[..., earlier:] - 1), of_split)
        most = _with_scale(most, bound, scale, earlier + upto >= _WINDOWS * _WINDOW * scale)
    enough = np.cumsum(base, axis=-1)[..., earlier:] >= FEW
    most = np.where(enough & (earlier + upto >= BURN_IN), most, np.inf)
    is_known = np.count_nonzero(before[1], axis=-1)[..., None] >= KNOWN_LOOKS
    own = np.where(is_known | (upto >= BURN_IN), _own_bound(level, x, n), np.inf)
    return np.asarray(np.minimum(most, own), dtype=np.float64)


def _own_bound(level: float, bad: Floats, trials: Floats) -> Floats:
    """Return the bound that the candidate's own scatter gives; inf before `_WINDOWS` windows with bad events.

    Windows without one are no sign that bad events come evenly, and so don't make a longer scale count.
    """
    most = np.full(bad.shape, np.inf)
    for scale in _SCALES:
        squares, expected = _rate_scatter(_windows(bad, scale), _windows(trials, scale), rare=True)
        lacking = np.where(np.cumsum(expected > 0, axis=-1) < _WINDOWS, np.inf, 0.0)
        bound = 1 + _OWN * (_as_of(_upper(level, squares, expected), scale, bad) - 1)
        most = _with_scale(most, bound, scale, np.isfinite(_as_of(lacking, scale, bad)))
    return most


def _with_scale(most: Floats, bound: Floats, scale: int, counts: NDArray[np.bool_]) -> Floats:
    """Return the larger bound where a scale counts; the first scale's is the first there is."""
    return np.where(counts, bound if scale == _SCALES[0] else np.maximum(most, bound), most)


def _windows(values: Floats, scale: int) -> Floats:
    """Return the sums of blocks, shape (..., windows, blocks); looks that fill no window are left out."""
    windows = values.shape[-1] // (scale * _WINDOW)
    kept = values[..., : windows * scale * _WINDOW]
    return np.asarray(kept.reshape(*values.shape[:-1], windows, _WINDOW, scale).sum(axis=-1), dtype=np.float64)


def _rate_scatter(bad: Floats, trials: Floats, *, rare: bool = False) -> tuple[Floats, Floats]:
    """Return of each window the sum of squares of its blocks around their own rate, and what chance makes of it.

    `rare`: as of rare events, of which chance makes the most: so that there is a scatter where all requests fail.
    """
    both = np.maximum(trials.sum(axis=-1, keepdims=True), 1.0)
    share = bad.sum(axis=-1, keepdims=True) / both
    squares = (bad - share * trials) ** 2
    others = 1.0 if rare else 1 - share
    return squares.sum(axis=-1), (trials * share * others * (1 - trials / both)).sum(axis=-1)


def _split_scatter(x: Floats, n: Floats, y: Floats, m: Floats) -> tuple[Floats, Floats]:
    """The same of how the bad events of each block are split, around the ratio of the rates in its window."""
    ratio = _over(x.sum(axis=-1, keepdims=True) * m.sum(axis=-1, keepdims=True),
                  y.sum(axis=-1, keepdims=True) * n.sum(axis=-1, keepdims=True))  # fmt: skip
    share = _over(n * ratio, n * ratio + m)
    variance = (x + y) * share * (1 - share)
    part = _over(variance, variance.sum(axis=-1, keepdims=True))
    off = x - (x + y) * share
    off -= part * off.sum(axis=-1, keepdims=True)
    return (off**2).sum(axis=-1), (variance * (1 - part)).sum(axis=-1)


def _upper(level: float, squares: Floats, expected: Floats) -> Floats:
    """Return the upper bound of the dispersion after each window, shape (..., windows); inf where nothing happened."""
    seen, chance = np.cumsum(squares, axis=-1), np.cumsum(expected, axis=-1)
    # Windows weigh by what is expected of them; a sum of squares of few events, or bundles of them, varies more than
    # chi-square: of one outage nobody knows how large the next one is.
    times = np.maximum(_over(seen, chance), 1.0)
    freedom = _over(chance**2, np.cumsum(expected**2, axis=-1) / (_WINDOW - 1) + times * chance / 2)
    quantile = 2 * special.gammaincinv(freedom / 2, level)
    told = quantile > 1e-9
    factor = np.where(told, freedom / np.where(told, quantile, 1.0), np.inf)
    return np.asarray(times * factor, dtype=np.float64)


def _as_of(bounds: Floats, scale: int, looks: Floats) -> Floats:
    """Lay bounds of windows out by look: each holds from its window's last look on, inf before the first one."""
    before = np.full((*bounds.shape[:-1], 1), np.inf)
    at = np.arange(1, looks.shape[-1] + 1) // (scale * _WINDOW)
    return np.concatenate([before, bounds], axis=-1)[..., at]


def _over(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b > 0)

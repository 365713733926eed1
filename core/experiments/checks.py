"""What makes a result doubtful: few learners who carry it, metrics that never vary, values missing unevenly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from core.experiments.estimates import Effect
from core.experiments.grouping import EXTREMES, Table
from core.experiments.metrics import Metric, Rate
from core.experiments.words import number, percent, probability

TINY = 100
"""Units of an arm or a segment below which its figures say little, and might point at people."""

_RARE = 10
_UNEVEN = 0.001
_FAR = 0.5


def warnings(table: Table, metric: Metric, control: int, treatment: int, effect: Effect) -> Iterator[str]:
    """Yield sentences about one metric in two arms."""
    yield from _missing(table, metric, control, treatment)
    found = table.metrics[metric.name][0]
    spread = found.covariance(metric.numerator, metric.numerator)[[control, treatment]]
    units = found.n[[control, treatment]]
    if units.min() == 0:
        yield f"{metric.name}: there is no value in an arm, so there is nothing to compare"
        return
    if metric.denominator is not None and not np.isfinite(effect.difference):
        yield f"{metric.name}: the total of {metric.denominator} is zero in an arm, so there is no ratio"
        return
    if metric.denominator is None and units.min() > 1 and spread.sum() == 0:
        yield f"{metric.name}: is {number(float(effect.control))} for every learner, so there is nothing to compare"
        return
    if isinstance(metric, Rate) and not metric.clustered:
        counts = [float(arm.average(metric.column) * arm.n) for arm in (found[control], found[treatment])]
        rest = [float(found.n[arm]) - x for arm, x in zip((control, treatment), counts, strict=True)]
        if min(*counts, *rest) < _RARE:
            yield (
                f"{metric.name}: fewer than {_RARE} learners in an arm "
                f"{'did' if min(counts) < _RARE else 'did not'}; the z test is rough there"
            )
    if metric.covariate is not None:
        yield from _covariate(table, metric, control, treatment)
    if metric.name in table.extremes and not isinstance(metric, Rate):
        yield from _outliers(table, metric, (control, treatment), effect.alpha)


def _missing(table: Table, metric: Metric, control: int, treatment: int) -> Iterator[str]:
    units = table.units[0, [control, treatment]]
    lost = units - table.metrics[metric.name].n[0, [control, treatment]]
    if not lost.sum():
        return
    arms = [table.arms[arm] for arm in (control, treatment)]
    told = ", ".join(
        f"{arm} {int(n):,} ({percent(n / total) if total else '0 %'})"
        for arm, n, total in zip(arms, lost, units, strict=True)
    )
    columns = " or ".join(name for name in metric.columns if not name.startswith("("))
    yield f"{metric.name}: left out for a missing {columns}: {told}"
    share = lost.sum() / units.sum()
    if 0 < share < 1 and units.min() > 0:
        z = (lost[1] / units[1] - lost[0] / units[0]) / np.sqrt(share * (1 - share) * (1 / units).sum())
        p = float(2 * special.ndtr(-abs(z)))
        if p < _UNEVEN:
            yield (
                f"{metric.name}: more is missing in one arm than in the other ({probability(p)}), so who is left "
                "differs; the effect may come from that alone"
            )


def _covariate(table: Table, metric: Metric, control: int, treatment: int) -> Iterator[str]:
    arms = [table.metrics[metric.name][0][arm] for arm in (control, treatment)]
    name = str(metric.covariate)
    if metric.clustered or min(float(arm.n) for arm in arms) < 2:
        return
    means = [float(arm.average(name)) for arm in arms]
    variance = sum(float(arm.covariance(name, name) / arm.n) for arm in arms)
    if variance > 0:
        p = float(2 * special.ndtr(-abs(means[1] - means[0]) / np.sqrt(variance)))
        if p < _UNEVEN:
            yield (
                f"{metric.name}: the covariate {name} differs between the arms ({probability(p)}); is it from before "
                "the experiment, and was the split random?"
            )


def _outliers(table: Table, metric: Metric, arms: tuple[int, int], alpha: float) -> Iterator[str]:
    """Compare the column's means with and without the farthest values of each arm."""
    kept, trimmed = [], []
    shares = []
    for arm in arms:
        found = table.metrics[metric.name][0][arm]
        n, mean = float(found.n), float(found.average(metric.numerator))
        squares = float(found.covariance(metric.numerator, metric.numerator)) * (n - 1)
        far = table.extremes[metric.name][arm]
        far = far[~np.isnan(far)]
        if n < 10 * EXTREMES or not far.size or squares <= 0:
            return
        left = n - far.size
        without = (n * mean - far.sum()) / left
        rest = squares - ((far - mean) ** 2).sum() - left * (without - mean) ** 2
        kept.append((mean, squares / (n - 1) / n))
        trimmed.append((without, max(rest, 0.0) / (left - 1) / left))
        shares.append(1 - max(rest, 0.0) / squares)

    def z(pair: list[tuple[float, float]]) -> float:
        (one, v0), (other, v1) = pair
        return (other - one) / np.sqrt(v0 + v1) if v0 + v1 > 0 else 0.0

    critical = float(special.ndtri(1 - alpha / 2))
    before, after = z(kept), z(trimmed)
    changed = (abs(before) > critical) != (abs(after) > critical) or (before * after < 0 and abs(after) > critical)
    differences = [number(pair[1][0] - pair[0][0], signed=True) for pair in (kept, trimmed)]
    if changed:
        yield (
            f"{metric.name}: few learners carry the result: without the {EXTREMES} farthest values of each arm the "
            f"difference is {differences[1]} instead of {differences[0]}, and "
            f"{'is no longer' if abs(before) > critical else 'becomes'} distinguishable from none; state a cap"
        )
    elif max(shares) > _FAR:
        yield (
            f"{metric.name}: {EXTREMES} values make up {percent(max(shares))} of an arm's variance; a cap, stated "
            "before, would show smaller effects"
        )

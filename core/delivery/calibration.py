"""Calibration on healthy records: how far beyond its own everyday a service may go before it is an alarm. Pure.

For sources that give one value a sample (quantiles, availabilities) there is nothing to pool, and limits that suit one
service kill healthy releases of another. So each figure is put on the service's own scale, z = (x - median) / (95th
percentile - median) of healthy samples, counted so that more is worse. A sample's *excess* is z - 1, at least 0, at
most `MOST`: beyond everyday, and however far, no more than a second sample can add. The *score* is the sum of the
excesses of the last `WINDOW` samples; the alarm is the worst figure's score over a limit, which is the least under
which no more than a stated share of the healthy spells that it was calibrated on would have been stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from core.delivery import words
from core.delivery.plan import Figure
from core.delivery.series import Series
from core.metrics import Group

Floats = NDArray[np.float64]

WINDOW = 5
"""Samples that a score looks back on."""
MOST = 2.0
"""The most that one sample adds."""
SPELL = 12
"""Samples of a spell: an hour of five-minute rows."""
ALLOW = 0.05
"""Share of healthy spells that may be stopped."""
FEWEST = 5
"""Spells, under which nothing is calibrated."""

CALIBRATED = (Figure.ERROR_RATE, Figure.AVAILABILITY, Figure.LATENCY_P95, Figure.LATENCY_P99)
"""Figures that are looked at, where a record gives them. Availability is counted as what is missing to 1."""

NAIVE_AVAILABILITY, NAIVE_P99_MS, NAIVE_QUORUM = 0.99, 1000.0, 2


class CalibrationError(ValueError):
    """A record that nothing can be calibrated on; the text says why."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A figure's everyday: its median, and how far the 95th percentile is above it; both such that more is worse."""

    figure: Figure
    middle: float
    spread: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is everyday, and the score that is not any more.

    Attributes:
        limit: of the score. spells: healthy ones that it was found on. allowed: how many of them it stops at most.
        left_out: figures that don't vary, so that nothing is beyond their everyday.
    """

    scales: tuple[Scale, ...]
    limit: float
    spells: int
    allowed: int
    left_out: tuple[Figure, ...] = ()

    def scores(self, values: Mapping[Figure, Floats]) -> Floats:
        """Return the worst figure's score after each sample, shape (n,); a sample without a value adds nothing."""
        return np.asarray(np.max([_score((values[s.figure] - s.middle) / s.spread) for s in self.scales], axis=0))

    def worst(self, values: Mapping[Figure, Floats]) -> Figure:
        """Return the figure whose score rose highest."""
        tops = [_score((values[s.figure] - s.middle) / s.spread).max() for s in self.scales]
        return self.scales[int(np.argmax(tops))].figure


@dataclass(frozen=True, slots=True)
class Caught:
    """What the alarm did with one record of a fault. `after`: samples until it went off; None: it did not."""

    name: str
    after: int | None
    score: float
    figure: Figure
    naive: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """One limit of the trade-off: healthy spells it stops, faults it catches."""

    limit: float
    stopped: int
    caught: int


@dataclass(frozen=True, slots=True)
class Trial:
    """An alarm tried on what it was not calibrated on.

    Attributes:
        spells: healthy ones of the second half. stopped: of these, by the alarm; naive_stopped: by the naive rule.
        faults: one each. curve: every limit that changes anything, from strict to lax.
    """

    alarm: Alarm
    spells: int
    stopped: int
    naive_stopped: int
    faults: tuple[Caught, ...]
    curve: tuple[Point, ...]

    @property
    def caught(self) -> int:
        """How many faults the alarm went off at."""
        return sum(f.after is not None for f in self.faults)

    @property
    def naive_caught(self) -> int:
        """How many faults the naive rule went off at."""
        return sum(f.naive is not None for f in self.faults)

    def stopped_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the exact interval of the share of healthy spells stopped. [Clopper & Pearson 1934]"""
        return interval(self.stopped, self.spells, level)


def interval(events: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a share. [Clopper & Pearson 1934]"""
    if not trials:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else float(stats.beta.ppf(tail, events, trials - events + 1))
    high = 1.0 if events == trials else float(stats.beta.ppf(1 - tail, events + 1, trials - events))
    return low, high


def values_of(series: Series, figures: Sequence[Figure] = CALIBRATED) -> dict[Figure, Floats]:
    """Return each figure's value of every sample, NaN where there is none, such that more is worse; shape (n,) each."""
    found: dict[Figure, Floats] = {}
    for figure in figures:
        counts = series.counts(figure, math.inf, None) if figure.quantile is None else None
        if counts is not None and counts[1].sum() > 0:
            events, trials = counts
            share = np.where(trials > 0, events / np.maximum(trials, 1), np.nan)
        elif figure.value in series.gauges:
            share = series.gauges[figure.value]
        else:
            continue
        found[figure] = 1 - share if figure is Figure.AVAILABILITY else np.asarray(share, dtype=np.float64)
    return found


def calibrate(healthy: Mapping[Figure, Floats], *, spell: int = SPELL, allow: float = ALLOW) -> Alarm:
    """Find the everyday and the limit on healthy samples.

    Args:
        healthy: each figure's values, as `values_of` gives them. spell: samples a spell has.
        allow: share of the healthy spells that may be stopped.

    Raises:
        CalibrationError: too short a record, or no figure that varies.
    """
    if not healthy:
        raise CalibrationError("none of error rate, availability, p95 and p99 latency is in the healthy record")
    rows = len(next(iter(healthy.values())))
    if rows < FEWEST * spell:
        raise CalibrationError(
            f"{rows} healthy samples to calibrate on are too few: {FEWEST} spells of {spell} samples are needed"
        )
    scales = [_scale(figure, values) for figure, values in healthy.items()]
    used = tuple(s for s in scales if s.spread > 0)
    if not used:
        raise CalibrationError("no figure of the healthy record varies: a constant series is not evidence")
    alarm = Alarm(used, math.inf, 0, 0, tuple(s.figure for s in scales if s.spread <= 0))
    tops = np.sort(_tops(alarm, healthy, spell))[::-1]
    allowed = int(allow * tops.size + 1e-9)
    return Alarm(used, float(tops[allowed]), tops.size, allowed, alarm.left_out)


def try_alarm(
    healthy: Mapping[Figure, Floats],
    faults: Mapping[str, Mapping[Figure, Floats]],
    *,
    spell: int = SPELL,
    allow: float = ALLOW,
) -> Trial:
    """Calibrate on the first half of a healthy record; judge the second half, and every record of a fault.

    Raises:
        CalibrationError: see `calibrate`; or a fault's record lacks a figure.
    """
    half = len(next(iter(healthy.values()), np.empty(0))) // 2
    alarm = calibrate({f: v[:half] for f, v in healthy.items()}, spell=spell, allow=allow)
    rest = {f: v[half:] for f, v in healthy.items()}
    tops = _tops(alarm, rest, spell)
    told = []
    for name, values in faults.items():
        missing = [s.figure for s in alarm.scales if s.figure not in values]
        if missing:
            raise CalibrationError(f"{name} has no {missing[0].label}, which the healthy record has")
        scores = alarm.scores(values)
        told.append(
            Caught(name, _first(scores > alarm.limit), float(scores.max()), alarm.worst(values), _naive(values))
        )
    naive_stopped = sum(
        _naive({f: v[i : i + spell] for f, v in rest.items()}) is not None for i in _starts(tops.size, spell)
    )
    limits = sorted({alarm.limit, *(float(t) for t in tops), *(f.score for f in told)}, reverse=True)
    curve = tuple(Point(at, int((tops > at).sum()), sum(f.score > at for f in told)) for at in (*limits, 0.0))
    return Trial(alarm, tops.size, int((tops > alarm.limit).sum()), naive_stopped, tuple(told), curve)


def _scale(figure: Figure, values: Floats) -> Scale:
    told = values[~np.isnan(values)]
    if not told.size:
        return Scale(figure, math.nan, 0.0)
    middle, high = np.quantile(told, [0.5, 0.95])
    return Scale(figure, float(middle), float(high - middle))


def _score(z: Floats) -> Floats:
    excess = np.clip(np.nan_to_num(z, nan=0.0) - 1, 0.0, MOST)
    summed = np.concatenate([[0.0], np.cumsum(excess)])
    last = np.arange(1, summed.size)
    return np.asarray(summed[last] - summed[np.maximum(last - WINDOW, 0)])


def _starts(spells: int, spell: int) -> range:
    return range(0, spells * spell, spell)


def _tops(alarm: Alarm, values: Mapping[Figure, Floats], spell: int) -> Floats:
    """Return the highest score of each spell; each begins anew, as a canary does."""
    rows = len(next(iter(values.values())))
    return np.array(
        [alarm.scores({f: v[i : i + spell] for f, v in values.items()}).max() for i in _starts(rows // spell, spell)]
    )


def _first(gone_off: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(gone_off)) + 1 if gone_off.any() else None


def _naive(values: Mapping[Figure, Floats]) -> int | None:
    """Return after how many samples the naive rule stops: availability < 99 % or p99 > 1,000 ms in 2 of 5 samples."""
    bad = np.zeros(len(next(iter(values.values()))), dtype=bool)
    if Figure.AVAILABILITY in values:
        bad |= values[Figure.AVAILABILITY] > 1 - NAIVE_AVAILABILITY
    if Figure.LATENCY_P99 in values:
        bad |= values[Figure.LATENCY_P99] > NAIVE_P99_MS
    counted = np.cumsum(bad)
    before = np.concatenate([np.zeros(min(WINDOW, bad.size), dtype=int), counted[: max(0, bad.size - WINDOW)]])
    return _first(counted - before >= NAIVE_QUORUM)


def try_records(healthy: Group, faults: Sequence[Group] = (), *, spell: int = SPELL, allow: float = ALLOW) -> Trial:
    """Try an alarm on recorded metrics: `healthy` is halved, each group of `faults` is one record of a fault.

    Raises:
        CalibrationError: see `try_alarm`.
    """
    return try_alarm(
        values_of(_series(healthy)),
        {group.value or "fault": values_of(_series(group)) for group in faults},
        spell=spell,
        allow=allow,
    )


def document(trial: Trial) -> dict[str, object]:
    """Return a trial as what `json.dumps` takes."""
    low, high = trial.stopped_interval()
    return {
        "alarm": {
            "limit": trial.alarm.limit,
            "window": WINDOW,
            "most": MOST,
            "spells": trial.alarm.spells,
            "allowed": trial.alarm.allowed,
            "everyday": {
                str(s.figure): {"median": _said(s.figure, s.middle), "p95": _said(s.figure, s.middle + s.spread)}
                for s in trial.alarm.scales
            },
            "left_out": [str(f) for f in trial.alarm.left_out],
        },
        "healthy": {"spells": trial.spells, "stopped": trial.stopped, "share_ci": [low, high]},
        "faults": [
            {"name": f.name, "after": f.after, "score": f.score, "figure": str(f.figure), "naive_after": f.naive}
            for f in trial.faults
        ],
        "caught": trial.caught,
        "naive": {"caught": trial.naive_caught, "stopped": trial.naive_stopped},
        "curve": [{"limit": p.limit, "stopped": p.stopped, "caught": p.caught} for p in trial.curve],
    }


def everyday(scale: Scale) -> tuple[str, str]:
    """Return a figure's median and 95th worst percentile in words, as the figure is written."""
    at = (scale.middle, scale.middle + scale.spread)
    middle, high = (words.figure(scale.figure, _said(scale.figure, value)) for value in at)
    return middle, high


def _said(figure: Figure, value: float) -> float:
    return 1 - value if figure is Figure.AVAILABILITY else value


def _series(group: Group) -> Series:
    version = str(group.frame.version[0]) if len(group.frame) else ""
    return Series.of(group.frame, version, group.untold)

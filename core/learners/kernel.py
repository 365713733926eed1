"""The fast analyzer: the traits of `reference` in one compiled pass over sorted events.

`scan` reads each event once and leaves a few sums a learner; `finish` turns them into traits with the population's
constants. The compiled code is kept in NUMBA_CACHE_DIR, in CANARY_HOME/cache/numba, or beside this file, so that
compiling is paid for once.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from core.learners import traits as t
from core.learners.constants import Constants, population_constants
from core.learners.events import DAY_US, WEEK_US, Events

_config: Any = numba.config
if not _config.CACHE_DIR and os.environ.get("CANARY_HOME"):
    _config.CACHE_DIR = str(Path(os.environ["CANARY_HOME"]).resolve() / "cache" / "numba")

_F = TypeVar("_F", bound=Callable[..., object])


def _compiled(function: _F) -> _F:
    # No fastmath: the answers must match the reference's.
    return cast(_F, numba.njit(cache=True, nogil=True)(function))


_SUMS = np.dtype(
    [
        ("events", np.int64),
        ("older", np.int64),
        ("first_week", np.int64),
        ("domains", np.int64),
        ("entropy", np.float64),
        ("top_domain", np.int64),
        ("top_count", np.int64),
        ("later_domains", np.int64),
        ("new_domains", np.int64),
        ("skills", np.int64),
        ("reused", np.int64),
        ("weight", np.float64),
        ("weight_again", np.float64),
        ("uses", np.int64),
        ("later_uses", np.int64),
        ("last_third", np.int64),
        ("span", np.int64),
        ("asked", np.int64),
        ("acted", np.int64),
    ]
)
_BLOCK = 4096  # learners a thread takes at a time


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over the events leaves.

    Attributes:
        sums: one row a learner. gains: skills advanced, shape (learners, weeks), -1 in weeks without an event.
        as_of: end of the window, microseconds since 1970.
    """

    sums: NDArray[np.void]
    gains: NDArray[np.int32]
    as_of: int

    def constants(self) -> Constants:
        """Return the constants of this population."""
        seen = self.sums[self.sums["events"] > 0]
        return population_constants(
            self.as_of,
            self.gains.shape[1],
            self.gains[self.gains >= 0],
            seen["events"] / (seen["first_week"] + 1),
            int(seen["uses"].sum()),
            int(seen["later_uses"].sum()),
        )


def scan(events: Events, as_of: int | None = None, weeks: int = t.WEEKS, threads: int | None = None) -> Scan:
    """Read all events once, on `threads` threads (default: one a core)."""
    end = events.as_of if as_of is None else as_of
    learners = events.learners.size
    sums = np.zeros(learners, dtype=_SUMS)
    gains = np.full((learners, weeks), -1, dtype=np.int32)

    def block(first: int) -> None:
        _scan(
            events.offsets[first : min(first + _BLOCK, learners) + 1],
            events.ts,
            events.domain,
            events.skill,
            events.type,
            events.score,
            events.acted,
            end,
            len(events.domains),
            len(events.skills),
            events.feedback_code,
            sums[first : first + _BLOCK],
            gains[first : first + _BLOCK],
        )

    starts = range(0, learners, _BLOCK)
    workers = threads or os.cpu_count() or 1
    if workers == 1 or len(starts) < 2:
        for first in starts:
            block(first)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(block, starts))
    return Scan(sums, gains, end)


def scan_one(events: Events, index: int, constants: Constants) -> Scan:
    """Read one learner's events; what the service does at each request."""
    sums = np.zeros(1, dtype=_SUMS)
    gains = np.full((1, constants.weeks), -1, dtype=np.int32)
    _scan(
        events.offsets[index : index + 2],
        events.ts,
        events.domain,
        events.skill,
        events.type,
        events.score,
        events.acted,
        constants.as_of,
        len(events.domains),
        len(events.skills),
        events.feedback_code,
        sums,
        gains,
    )
    return Scan(sums, gains, constants.as_of)


def finish(scanned: Scan, constants: Constants) -> NDArray[np.void]:
    """Return the traits, dtype `traits.TRAITS`, one row a learner; learners without events in the window are null."""
    out = np.zeros(scanned.sums.size, dtype=t.TRAITS)
    _finish(scanned.sums, scanned.gains, constants.gain, constants.frequency, constants.repeat, out)
    return out


@_compiled
def _scan(
    offsets: NDArray[np.int64],
    ts: NDArray[np.int64],
    domain: NDArray[np.int32],
    skill: NDArray[np.int32],
    type_: NDArray[np.int32],
    score: NDArray[np.float64],
    acted: NDArray[np.int8],
    as_of: int,
    domains: int,
    skills: int,
    feedback: int,
    sums: NDArray[np.void],
    gains: NDArray[np.int32],
) -> None:
    weeks = gains.shape[1]
    # State of each domain and skill of the learner at hand; only the entries touched are cleared for the next one.
    domain_count = np.zeros(domains, dtype=np.int64)
    domain_first = np.zeros(domains, dtype=np.bool_)
    domain_later = np.zeros(domains, dtype=np.bool_)
    first_week = np.full(skills, -1, dtype=np.int64)
    last_week = np.zeros(skills, dtype=np.int64)
    advanced_week = np.zeros(skills, dtype=np.int64)
    reused = np.zeros(skills, dtype=np.bool_)
    best = np.full(skills, np.nan)
    best_before = np.full(skills, np.nan)

    for learner in range(sums.size):
        row = sums[learner]
        gain = gains[learner]
        begin, end = offsets[learner], offsets[learner + 1]
        total = end - begin
        while begin < end and as_of - ts[begin] >= weeks * WEEK_US:
            begin += 1
        while end > begin and ts[end - 1] > as_of:
            end -= 1
        n = end - begin
        row["events"] = n
        row["older"] = total - n
        if n == 0:
            continue

        half = begin + n // 2
        first_ts = ts[begin]
        span = as_of - first_ts
        row["span"] = span
        row["first_week"] = span // WEEK_US
        weight_all = 0.0
        weight_again = 0.0
        for e in range(begin, end):
            ago = as_of - ts[e]
            week = ago // WEEK_US
            if gain[week] < 0:
                gain[week] = 0
            d = domain[e]
            domain_count[d] += 1
            if e < half:
                domain_first[d] = True
            else:
                domain_later[d] = True

            s = skill[e]
            if first_week[s] < 0:
                first_week[s] = last_week[s] = advanced_week[s] = week
                gain[week] += 1
                row["skills"] += 1
            elif last_week[s] != week:
                last_week[s] = week
                best_before[s] = best[s]
                if not reused[s]:
                    reused[s] = True
                    row["reused"] += 1
            value = score[e]
            if not np.isnan(value):
                if not best[s] >= value:  # also where there is no best yet
                    best[s] = value
                # A comparison with NaN is false: no rise over a week that has no score before it.
                if advanced_week[s] != week and best[s] - best_before[s] >= t.SCORE_RISE - t.TOLERANCE:
                    advanced_week[s] = week
                    gain[week] += 1

            weight = math.exp(-t.DECAY_PER_DAY * ago / DAY_US)
            weight_all += weight
            if week < first_week[s]:
                weight_again += weight
                row["later_uses"] += 1
            if week >= 1:
                row["uses"] += 1
            if 3 * (ts[e] - first_ts) >= 2 * span:
                row["last_third"] += 1
            if type_[e] == feedback and acted[e] >= 0:
                row["asked"] += 1
                row["acted"] += acted[e]
        row["weight"] = weight_all
        row["weight_again"] = weight_again

        entropy = 0.0
        top_domain = -1
        for d in range(domains):
            count = domain_count[d]
            if count == 0:
                continue
            row["domains"] += 1
            share = count / n
            entropy -= share * math.log2(share)
            if top_domain < 0 or count > domain_count[top_domain]:
                top_domain = d
            if domain_later[d]:
                row["later_domains"] += 1
                if not domain_first[d]:
                    row["new_domains"] += 1
        row["entropy"] = entropy
        row["top_domain"] = top_domain
        row["top_count"] = domain_count[top_domain]

        for e in range(begin, end):
            d, s = domain[e], skill[e]
            domain_count[d] = 0
            domain_first[d] = domain_later[d] = False
            first_week[s] = -1
            reused[s] = False
            best[s] = best_before[s] = np.nan


@_compiled
def _finish(
    sums: NDArray[np.void],
    gains: NDArray[np.int32],
    gain: float,
    frequency: float,
    repeat: float,
    out: NDArray[np.void],
) -> None:
    for i in range(sums.size):
        row, to = sums[i], out[i]
        n = row["events"]
        to["events"] = n
        to["older"] = row["older"]
        to["recall_half_life_days"] = np.nan
        to["trend"] = to["trajectory"] = t.NOT_KNOWN
        to["transfer"] = to["responsiveness"] = to["half_life_days"] = np.nan
        if n == 0:
            to["affinity"] = t.NOT_KNOWN
            to["top_domain"] = t.NOT_KNOWN
            to["velocity"] = to["entropy_bits"] = to["top_share"] = to["concentration"] = np.nan
            to["reuse_rate"] = to["recency_weighted_reuse"] = to["events_per_week"] = to["frequency"] = np.nan
            to["velocity_score"] = to["affinity_score"] = to["retention_score"] = np.nan
            continue

        number = row["first_week"] + 1
        velocity = -1.0
        middle = (number - 1) / 2
        covariance = 0.0
        variance = 0.0
        for time in range(number):
            week = number - 1 - time
            variance += (time - middle) ** 2
            if gains[i, week] < 0:
                continue
            rate = min(1.0, gains[i, week] / gain)
            covariance += (time - middle) * rate
            decayed = rate * math.exp(-t.DECAY_PER_WEEK * week)
            velocity = decayed if velocity < 0 else t.SMOOTHING * decayed + (1 - t.SMOOTHING) * velocity
        to["velocity"] = velocity
        velocity_factor = 1.0
        if number >= t.TREND_WEEKS:
            rise = covariance / variance * number
            if rise > t.TREND + t.TOLERANCE:
                to["trend"] = 2
                velocity_factor = 1.08
            elif rise < -t.TREND - t.TOLERANCE:
                to["trend"] = 0
                velocity_factor = 0.95
            else:
                to["trend"] = 1

        entropy = row["entropy"]
        top_share = row["top_count"] / n
        concentration = 1.0
        if row["domains"] > 1:
            concentration = top_share * (1 - 0.3 * entropy / math.log2(row["domains"]))
        to["entropy_bits"] = abs(entropy)
        to["top_domain"] = row["top_domain"]
        to["top_share"] = top_share
        to["concentration"] = concentration
        if entropy < t.SPECIALIST_BITS - t.TOLERANCE and top_share > t.SPECIALIST_SHARE + t.TOLERANCE:
            to["affinity"] = 0
        elif entropy > t.GENERALIST_BITS + t.TOLERANCE:
            to["affinity"] = 2
        else:
            to["affinity"] = 1
        affinity_factor = 1.0
        if n >= t.ENOUGH_EVENTS:
            transfer = row["new_domains"] / row["later_domains"]
            to["transfer"] = transfer
            if transfer > t.TRANSFER_STRONG + t.TOLERANCE:
                affinity_factor = 1.15

        again = row["weight_again"] / row["weight"]
        to["reuse_rate"] = row["reused"] / row["skills"]
        to["recency_weighted_reuse"] = again
        if not np.isnan(repeat):
            rho = (row["later_uses"] + t.PRIOR_USES * repeat) / (row["uses"] + t.PRIOR_USES)
            to["half_life_days"] = 7 * math.log(2) / -math.log(min(max(rho, 0.01), 0.99))
        retention_factor = 1.0
        if n >= t.ENOUGH_EVENTS and row["span"] > 0:
            last = row["last_third"]
            others = (n - last) / 2
            if last > t.ACCELERATING * others:
                to["trajectory"] = 2
                retention_factor = 1.12
            elif last < t.DECELERATING * others:
                to["trajectory"] = 0
                retention_factor = 0.90
            else:
                to["trajectory"] = 1

        per_week = n / number
        to["events_per_week"] = per_week
        to["frequency"] = min(1.0, per_week / frequency)
        if row["asked"] > 0:
            to["responsiveness"] = row["acted"] / row["asked"]
        to["velocity_score"] = min(max((1.5 + 0.4 * velocity) * velocity_factor, 1.0), 2.0)
        to["affinity_score"] = min(max((1.5 + 0.2 * concentration) * affinity_factor, 1.0), 2.0)
        to["retention_score"] = min(max((1.4 + 0.25 * again) * retention_factor, 1.0), 2.0)

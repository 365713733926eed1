"""The fast analyzer: the traits of `reference` in one compiled pass over sorted events.

`scan` reads each event once and leaves a few sums a learner; `finish` turns them into traits with the population's
constants. What makes it fast, with every definition kept: the state of a learner's skills stays in the first-level
cache and only what was touched is cleared; in the inner loop nothing is allocated and nothing branches on what an
event says; decay is a table and a short series, exact to 1e-13, instead of an exponential.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled, in_blocks
from core.learners import traits as t
from core.learners.columns import Columns, columns_of
from core.learners.constants import Constants, population_constants
from core.learners.events import DAY_US, WEEK_US, Events
from core.learners.recall import Recall
from core.learners.recall_kernel import Repeated, half_lives, numbers_of, repeated_skills

SUMS = np.dtype(
    [
        ("entropy", np.float64),
        ("weight", np.float64),
        ("weight_again", np.float64),
        ("events", np.int32),
        ("older", np.int32),
        ("first_week", np.int32),
        ("domains", np.int32),
        ("top_domain", np.int32),
        ("top_count", np.int32),
        ("later_domains", np.int32),
        ("new_domains", np.int32),
        ("skills", np.int32),
        ("reused", np.int32),
        ("uses", np.int32),
        ("later_uses", np.int32),
        ("last_third", np.int32),
        ("asked", np.int32),
        ("acted", np.int32),
        ("at_once", np.int32),
    ]
)
"""What one pass leaves of a learner. `at_once`: 1 where no time has passed since the first event."""

MOST_GAINS = 32_767
"""The most skills advanced in a week that are counted: what a 16-bit number holds."""

# Of each skill: first and last week used so far, best score, and best before the last week, infinite where there is
# none, so that nothing rises above it. One record of 32 bytes: one line of the cache, one address to keep.
_SKILL = np.dtype([("first", np.int64), ("last", np.int64), ("best", np.float64), ("before", np.float64)])

_NEAR = 256
"""Learners whose events stay near the processor."""

# Decay over the time ago: steps of 2^33 microseconds (2.4 hours) from a table, the rest by a series whose first
# left-out term is below 3e-14, since x is below 0.005 there.
_STEP = 33
_REST = (1 << _STEP) - 1
_RATE = t.DECAY_PER_DAY / DAY_US

_COUNTS = np.arange(1024, dtype=np.float64)
_N_LOG_N = _COUNTS * np.log2(np.maximum(_COUNTS, 1))


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over the events leaves.

    Attributes:
        sums: dtype SUMS, one row a learner.
        gains: skills advanced, shape (learners, weeks), -1 in weeks without an event.
        as_of: end of the window, microseconds since 1970.
        half_lives: of recall, days, NaN for none, shape (learners,). recall: the model they come from; None: none yet.
    """

    sums: NDArray[np.void]
    gains: NDArray[np.int16]
    as_of: int
    half_lives: NDArray[np.float64]
    recall: Recall | None = None

    def constants(self) -> Constants:
        """Return the constants of this population."""
        return constants_of([self])


def constants_of(parts: Sequence[Scan]) -> Constants:
    """Return the constants of a population that was scanned in at least one part."""
    active = [part.sums["events"] > 0 for part in parts]
    rates = [
        part.sums["events"][seen] / (part.sums["first_week"][seen] + 1)
        for part, seen in zip(parts, active, strict=True)
    ]
    counts = np.zeros(1 + max(int(part.gains.max(initial=0)) for part in parts), dtype=np.int64)
    for part in parts:
        _count_gains(part.gains, counts)
    return population_constants(
        parts[0].as_of,
        parts[0].gains.shape[1],
        counts,
        np.concatenate(rates),
        sum(int(part.sums["uses"].sum(dtype=np.int64)) for part in parts),
        sum(int(part.sums["later_uses"].sum(dtype=np.int64)) for part in parts),
        parts[0].recall,
    )


def scan(
    events: Events,
    as_of: int | None = None,
    weeks: int = t.WEEKS,
    threads: int | None = None,
    recall: Recall | None = None,
) -> Scan:
    """Read all events once, on `threads` threads (default: one a core); half-lives of recall need its model."""
    found = empty_scan(events.learners.size, events.as_of if as_of is None else as_of, weeks, recall)
    scan_into(found, events, events.offsets, threads)
    return found


def scan_one(events: Events, index: int, constants: Constants) -> Scan:
    """Read one learner's events; what the service does at each request."""
    found = empty_scan(1, constants.as_of, constants.weeks, constants.recall)
    scan_into(found, events, events.offsets[index : index + 2], threads=1)
    return found


def empty_scan(learners: int, as_of: int, weeks: int, recall: Recall | None) -> Scan:
    """Return room for what a scan of so many learners leaves."""
    return Scan(
        np.empty(learners, dtype=SUMS),
        np.empty((learners, weeks), dtype=np.int16),
        as_of,
        np.empty(learners),
        recall,
    )


def scan_into(found: Scan, events: Events, offsets: NDArray[np.int64], threads: int | None) -> None:
    """Read the events of the learners whose events begin at these offsets, shape (L + 1,)."""
    columns = columns_of(events)
    look = look_of(found, len(events.domains), len(events.skills), events.feedback_code)

    def read(rows: slice) -> None:
        _scan_block(
            offsets[rows.start : rows.stop + 1],
            columns,
            look,
            found.sums[rows],
            found.gains[rows],
            found.half_lives[rows],
        )

    in_blocks(read, offsets.size - 1, threads)


def finish(scanned: Scan, constants: Constants, threads: int | None = None) -> NDArray[np.void]:
    """Return the traits, dtype `traits.TRAITS`, one row a learner; learners without events in the window are null."""
    out = np.empty(scanned.sums.size, dtype=t.TRAITS)
    fade = np.exp(-t.DECAY_PER_WEEK * np.arange(scanned.gains.shape[1]))
    in_blocks(
        lambda rows: _finish(
            scanned.sums[rows],
            scanned.gains[rows],
            scanned.half_lives[rows],
            fade,
            constants.gain,
            constants.frequency,
            constants.repeat,
            out[rows],
        ),
        out.size,
        threads,
    )
    return out


@lru_cache(maxsize=8)
def _decay(weeks: int) -> NDArray[np.float64]:
    """Return what an event counts that is so many steps ago, for as many as a window has."""
    steps = np.arange((weeks * WEEK_US >> _STEP) + 1, dtype=np.float64)
    return np.exp(-_RATE * 2.0**_STEP * steps)


class Look(NamedTuple):
    """What compiled code looks for.

    Attributes:
        as_of: end of the window, microseconds since 1970.
        domains, skills: sizes of the vocabularies. feedback: code of that type of event, -1 for none.
        decay: see `_decay`. model: of recall, see `recall_kernel`.
    """

    as_of: int
    domains: int
    skills: int
    feedback: int
    decay: NDArray[np.float64]
    model: NDArray[np.float64]


class Seen(NamedTuple):
    """State of each domain and skill of the learner at hand; only what was touched is cleared for the next one."""

    domain_count: NDArray[np.int64]  # first half below, later half above bit 32
    domains: NDArray[np.uint32]
    skill: NDArray[np.void]
    skills: NDArray[np.uint32]
    repeated: Repeated


def look_of(found: Scan, domains: int, skills: int, feedback: int) -> Look:
    """Return what to look for in events of vocabularies of such sizes."""
    return Look(found.as_of, domains, skills, feedback, _decay(found.gains.shape[1]), numbers_of(found.recall))


@compiled
def seen_nothing(look: Look) -> Seen:
    """Return the state before the first learner."""
    skill = np.empty(look.skills, dtype=_SKILL)
    for s in range(look.skills):
        skill[s]["first"] = skill[s]["last"] = -1
        skill[s]["best"] = -np.inf
        skill[s]["before"] = np.inf
    return Seen(
        np.zeros(look.domains, dtype=np.int64),
        np.zeros(look.domains + 1, dtype=np.uint32),
        skill,
        np.zeros(look.skills + 1, dtype=np.uint32),
        repeated_skills(look.skills if look.model.size else 0),
    )


@compiled
def _scan_block(
    offsets: NDArray[np.int64],
    columns: Columns,
    look: Look,
    sums: NDArray[np.void],
    gains: NDArray[np.int16],
    recalled: NDArray[np.float64],
) -> None:
    seen = seen_nothing(look)
    for first in range(0, sums.size, _NEAR):
        end = min(first + _NEAR, sums.size)
        scan_few(offsets[first : end + 1], columns, look, seen, sums[first:end], gains[first:end], recalled[first:end])


@compiled
def scan_few(
    offsets: NDArray[np.int64],
    columns: Columns,
    look: Look,
    seen: Seen,
    sums: NDArray[np.void],
    gains: NDArray[np.int16],
    recalled: NDArray[np.float64],
) -> None:
    """Scan learners so few that their events are still near the processor when they are read for the second time."""
    _scan(offsets, columns, look, seen, sums, gains)
    half_lives(offsets, columns, look.as_of, gains.shape[1] * WEEK_US, seen.repeated, look.model, recalled)


@compiled
def _scan(
    offsets: NDArray[np.int64],
    columns: Columns,
    look: Look,
    seen: Seen,
    sums: NDArray[np.void],
    gains: NDArray[np.int16],
) -> None:
    weeks = gains.shape[1]
    ts, domain, skill, type_, score, acted = columns
    as_of, feedback, decay = look.as_of, look.feedback, look.decay
    domain_count, domains_seen, state, skills_seen = seen.domain_count, seen.domains, seen.skill, seen.skills
    rise = t.SCORE_RISE - t.TOLERANCE
    week_us = np.uint64(WEEK_US)

    for learner in range(sums.size):
        row = sums[learner]
        gain = gains[learner]
        for week in range(weeks):
            gain[week] = -1
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
            _nothing(row)
            continue

        first_ts = ts[begin]
        span = as_of - first_ts
        last_third_from = first_ts + (2 * span + 2) // 3
        a_week_ago = as_of - WEEK_US
        uses = last_third = asked = followed = 0
        for e in range(np.uint64(begin), np.uint64(end)):
            at = ts[e]
            uses += at <= a_week_ago
            last_third += at >= last_third_from
        for e in range(np.uint64(begin), np.uint64(end)):
            told = (type_[e] == feedback) & (acted[e] >= 0)
            asked += told
            followed += told & (acted[e] > 0)

        weight_all = 0.0
        weight_again = 0.0
        later_uses = 0
        domain_number = skill_number = np.uint64(0)
        now = -1  # the week at hand, and how many skills advanced in it
        advanced = 0
        half = begin + n // 2
        for part in range(2):
            one = np.int64(1) << (32 * part)
            start, stop = (begin, half) if part == 0 else (half, end)
            for e in range(np.uint64(start), np.uint64(stop)):
                ago = np.uint64(as_of - ts[e])
                week = int(ago // week_us)
                x = _RATE * np.float64(np.int64(ago & np.uint64(_REST)))
                series = 1.0 - x * (1.0 - x * (0.5 - x * (1 / 6 - x * (1 / 24))))
                weight = decay[ago >> np.uint64(_STEP)] * series

                d = domain[e]
                count = domain_count[d]
                domains_seen[domain_number] = d
                domain_number += np.uint64(count == 0)
                domain_count[d] = count + one

                s = skill[e]
                one_skill = state[s]
                first = one_skill["first"]
                new = first < 0
                skills_seen[skill_number] = s
                skill_number += np.uint64(new)
                first = week if new else first
                one_skill["first"] = first

                had = one_skill["best"]
                basis = one_skill["before"]
                fresh = had if had > -np.inf else np.inf
                basis = fresh if one_skill["last"] != week else basis
                value = score[e]
                has = value if value > had else had  # a comparison with NaN is false
                one_skill["before"] = basis
                one_skill["last"] = week
                one_skill["best"] = has
                rises = (has - basis >= rise) & (not (had - basis >= rise))

                advanced = (advanced if week == now else 0) + (1 if new else 0) + (1 if rises else 0)
                now = week
                gain[np.uint64(week)] = min(advanced, MOST_GAINS)

                again = week < first
                weight_all += weight
                weight_again += weight if again else 0.0
                later_uses += again

        row["first_week"] = span // WEEK_US
        row["at_once"] = span == 0
        row["uses"] = uses
        row["later_uses"] = later_uses
        row["last_third"] = last_third
        row["asked"] = asked
        row["acted"] = followed
        row["weight"] = weight_all
        row["weight_again"] = weight_again

        # Entropy = log n - (sum of c log c) / n, with c log c of small counts from a table.
        spread = 0.0
        top_domain, top_count = -1, 0
        later_domains = new_domains = 0
        for i in range(domain_number):
            d = domains_seen[i]
            count = domain_count[d]
            domain_count[d] = 0
            later = count >> 32
            earlier = count & 0xFFFFFFFF
            later_domains += later > 0
            new_domains += earlier == 0
            count = earlier + later
            spread += _N_LOG_N[np.uint64(count)] if count < 1024 else count * math.log2(count)
            if count > top_count or (count == top_count and d < top_domain):
                top_domain, top_count = int(d), count
        row["domains"] = domain_number
        row["entropy"] = max(0.0, math.log2(n) - spread / n) if domain_number > 1 else 0.0
        row["top_domain"] = top_domain
        row["top_count"] = top_count
        row["later_domains"] = later_domains
        row["new_domains"] = new_domains

        reused = 0
        for i in range(skill_number):
            s = skills_seen[i]
            reused += state[s]["last"] != state[s]["first"]
            state[s]["first"] = state[s]["last"] = -1
            state[s]["best"] = -np.inf
        row["skills"] = skill_number
        row["reused"] = reused


@compiled
def _nothing(row: np.void) -> None:
    """Say of a learner that nothing was seen in the window."""
    row["entropy"] = row["weight"] = row["weight_again"] = 0.0
    row["first_week"] = row["domains"] = row["top_domain"] = row["top_count"] = 0
    row["later_domains"] = row["new_domains"] = row["skills"] = row["reused"] = 0
    row["uses"] = row["later_uses"] = row["last_third"] = row["asked"] = row["acted"] = row["at_once"] = 0


@compiled
def _count_gains(gains: NDArray[np.int16], counts: NDArray[np.int64]) -> None:
    for row in range(gains.shape[0]):
        for week in range(gains.shape[1]):
            gain = gains[row, week]
            if gain >= 0:
                counts[gain] += 1


@compiled
def _finish(
    sums: NDArray[np.void],
    gains: NDArray[np.int16],
    half_lives: NDArray[np.float64],
    fade: NDArray[np.float64],
    gain: float,
    frequency: float,
    repeat: float,
    out: NDArray[np.void],
) -> None:
    per_gain = 1 / gain
    for i in range(sums.size):
        row, to = sums[i], out[i]
        n = np.int64(row["events"])
        to["events"] = n
        to["older"] = row["older"]
        to["recall_half_life_days"] = half_lives[i]
        to["trend"] = to["trajectory"] = t.NOT_KNOWN
        to["transfer"] = to["responsiveness"] = to["half_life_days"] = np.nan
        if n == 0:
            to["affinity"] = t.NOT_KNOWN
            to["top_domain"] = t.NOT_KNOWN
            to["velocity"] = to["entropy_bits"] = to["top_share"] = to["concentration"] = np.nan
            to["reuse_rate"] = to["recency_weighted_reuse"] = to["events_per_week"] = to["frequency"] = np.nan
            to["velocity_score"] = to["affinity_score"] = to["retention_score"] = np.nan
            continue

        number = np.int64(row["first_week"]) + 1
        velocity = -1.0
        middle = (number - 1) / 2
        covariance = 0.0
        for time in range(number):
            week = np.uint64(number - 1 - time)
            advanced = gains[i, week]
            if advanced < 0:
                continue
            rate = min(1.0, advanced * per_gain)
            covariance += (time - middle) * rate
            decayed = rate * fade[week]
            velocity = decayed if velocity < 0 else t.SMOOTHING * decayed + (1 - t.SMOOTHING) * velocity
        to["velocity"] = velocity
        velocity_factor = 1.0
        if number >= t.TREND_WEEKS:
            rise = covariance * 12 / (number * number - 1)  # 12 / n (n^2 - 1) is one over the sum of squares
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
        to["entropy_bits"] = entropy
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
        if n >= t.ENOUGH_EVENTS and row["at_once"] == 0:
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

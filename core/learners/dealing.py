"""Batches of events dealt out to parts by learner."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.arrow import Nullable, bit
from core.learners.rows import Ids, Numbers, Offsets, Rows, put_row


class Named(NamedTuple):
    """Names of rows: a code each, and the number of the name that each code stands for."""

    codes: Numbers
    numbers: Numbers


class Unordered(NamedTuple):
    """Events in any order, as columns of one shape; `ids` may have the shape (0,) instead: the source has none."""

    who: Named
    ts: NDArray[np.int64]
    domain: Named
    skill: Named
    type: Named
    score: Nullable
    acted: Nullable
    ids: Ids


@compiled
def unnumbered(names: Named) -> NDArray[np.bool_]:
    """Say which codes occur whose number is below 0; shape (0,) where none does."""
    all_ = np.int32(0)
    for i in range(names.codes.size):
        all_ |= names.numbers[names.codes[i]]
    if all_ >= 0:
        return np.empty(0, dtype=np.bool_)
    found = np.zeros(names.numbers.size, dtype=np.bool_)
    for i in range(names.codes.size):
        found[names.codes[i]] = names.numbers[names.codes[i]] < 0
    return found


@compiled
def begins(who: Named, parts: int) -> Offsets:
    """Return where each part's rows will begin, shape (parts + 1,): the part is the lowest bits of the number."""
    starts = np.zeros(parts + 1, dtype=np.int64)
    for i in range(who.codes.size):
        starts[(who.numbers[who.codes[i]] & (parts - 1)) + 1] += 1
    for part in range(parts):
        starts[part + 1] += starts[part]
    return starts


@compiled
def deal(events: Unordered, starts: Offsets, rows: Rows, ids: Ids) -> None:
    """Write each event to the next place of its part, see `begins`; `who` is the rest of the number then."""
    score, acted = events.score, events.acted
    places, mask, bits = starts[:-1].copy(), starts.size - 2, 0
    while (1 << bits) <= mask:
        bits += 1
    for i in range(events.ts.size):
        who = events.who.numbers[events.who.codes[i]]
        part = who & mask
        at = places[part]
        places[part] = at + 1
        domain = events.domain.numbers[events.domain.codes[i]]
        skill = events.skill.numbers[events.skill.codes[i]]
        type_ = events.type.numbers[events.type.codes[i]]
        # Read and counted whether it is there or not: nothing to guess wrong about for the processor.
        value = score.values[score.first + i]
        value = value if bit(score.valid, score.first + i) else np.nan
        flag = bit(acted.valid, acted.first + i) * (bit(acted.values, acted.first + i) + 1) - 1
        put_row(rows[at], who >> bits, events.ts[i], domain, skill, type_, value, flag)
        if ids.size:
            ids[at] = events.ids[i]

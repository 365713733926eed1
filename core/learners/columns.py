"""Events of some learners side by side, as compiled code takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.learners.events import Events


class Columns(NamedTuple):
    """Columns of one shape, in order of learner, then time; for their meaning see `Events`.

    Codes are never negative: as unsigned numbers they need no look at their sign at each access.
    """

    ts: NDArray[np.int64]
    domain: NDArray[np.uint32]
    skill: NDArray[np.uint32]
    type: NDArray[np.int32]
    score: NDArray[np.float64]
    acted: NDArray[np.int8]


def columns_of(events: Events) -> Columns:
    """Return the columns of events; nothing is copied."""
    return Columns(
        events.ts,
        events.domain.view(np.uint32),
        events.skill.view(np.uint32),
        events.type,
        events.score,
        events.acted,
    )

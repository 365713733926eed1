"""What the judge looks at: one phase, both versions, one moment; and the parts of findings that all of it shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.delivery.model import Assigned, FigureState, Finding, Role, Verdict
from core.delivery.plan import Figure, Limit, Plan
from core.delivery.series import Series
from core.delivery.spread import SegmentSums
from core.store import BusinessSums

Place = tuple[str, str]
"""Segment and region; "" for all of them."""

Sides = tuple[Series, Series]
"""Samples of the candidate and of the baseline."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a finding is made from: one phase, both versions, one moment.

    Attributes:
        candidate, baseline: samples of the phase so far. before: those of before the phase.
        started, ends: of the phase, plan time. ended: its time is up.
        heard_since: plan time from which samples could have been received.
        business: by version: per-learner sums of this phase.
        places: samples of one segment and region, before and in the phase.
        segments: both versions' sums by segment; None where nobody keeps them.
        since_resumed: plan time at which a person last let the phase go on, or it began.
        share: part of the learners that is to get the candidate. assigned: how many did; None where nobody tells.
        earlier: the verdict before this one of the same phase; None: this is the first.
    """

    plan: Plan
    candidate: Series
    baseline: Series
    now: float
    started: float
    ended: bool
    ends: float
    heard_since: float
    business: Mapping[str, BusinessSums]
    has_baseline: bool
    open_incidents: int | None
    before: Sides
    places: Mapping[Place, Sides]
    since_resumed: float
    segments: SegmentSums | None
    share: float
    assigned: Assigned | None = None
    earlier: Verdict | None = None

    @property
    def elapsed_s(self) -> float:
        """Plan seconds of the phase so far."""
        return max(0.0, self.now - self.started)

    def silent_s(self, figure: Figure | None = None) -> float:
        """Plan seconds since a figure's source was heard, while somebody was listening."""
        heard = self.candidate.last_heard(figure)
        return max(0.0, self.now - max(self.heard_since, heard if heard is not None else self.heard_since))

    @property
    def age_s(self) -> float:
        """Plan seconds since the source of requests was heard, whether or not somebody listened."""
        heard = self.candidate.last_heard()
        return max(0.0, self.now - (heard if heard is not None else self.started))

    def is_silent(self, figure: Figure | None = None) -> bool:
        """Say whether a figure's source has missed so many samples that it counts as silent."""
        return self.silent_s(figure) >= self.plan.silent_after_s


def plain(role: Role, limit: Limit, state: FigureState, sentence: str, hold_s: float = 0.0) -> Finding:
    """Return a finding without numbers."""
    return Finding(role=role, limit=limit, state=state, sentence=sentence, hold_s=hold_s)

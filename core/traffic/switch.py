"""What every traffic switch can do: be set, be read back, and say what one learner gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.traffic.bucketing import Assignment


class SwitchError(Exception):
    """The switch can't be set or read, or doesn't do what it was told. The text says why."""


class FlagUnknown(SwitchError):
    """No deployment of this flag was ever made."""


class FlagUnavailable(SwitchError):
    """The switch's state can't be read and none is remembered."""


@dataclass(frozen=True, slots=True)
class SwitchState:
    """What a switch does now.

    Attributes:
        share: part of the learners that gets the candidate; the largest where several places decide.
        revision: of the deployment that decides it; None where the switch doesn't know.
        source: what was read, in words, for the log.
        stale: the state could not be read now, this is the last one known.
        lowest: the smallest share, where several places decide and differ; None: all give `share`.
        restart: the share that a restart of the switch would bring; None where that isn't kept or not known.
    """

    flag: str
    share: float
    revision: int | None
    source: str
    stale: bool = False
    lowest: float | None = None
    restart: float | None = None

    def agrees(self, share: float) -> bool:
        """Say whether every place gives this share, now and after a restart."""
        return all(told is None or same_share(told, share) for told in (self.share, self.lowest, self.restart))

    def exceeds(self, share: float) -> bool:
        """Say whether some place gives more learners the candidate than this share, now or after a restart."""
        return any(told is not None and told > share + _ROUNDING for told in (self.share, self.restart))


_ROUNDING = 1e-9


def same_share(one: float, other: float) -> bool:
    """Say whether two shares are the same but for rounding: 0.07 and 7 / 100."""
    return abs(one - other) <= _ROUNDING


class TrafficSwitch(Protocol):
    """Moves learners between two versions of a flag."""

    @property
    def name(self) -> str:
        """What and where it is, for people."""

    @property
    def watched(self) -> bool:
        """Whether `get` asks a place that others could change, so that what it says is worth watching."""

    def check(self, flag: str, share: float) -> None:
        """Raise SwitchError when this flag can never be given exactly this share."""

    def set(self, flag: str, share: float, revision: int) -> None:
        """Give the candidate this share, which is committed. Raises SwitchError when that can't be done."""

    def get(self, flag: str) -> SwitchState:
        """Read the state back from where requests are decided. Raises SwitchError when it can't be read."""

    def evaluate(self, flag: str, key: str) -> Assignment:
        """Say which version the learner `key` gets now. Raises SwitchError when nothing is known of the flag."""

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
        share: part of the learners that gets the candidate.
        revision: of the deployment that decides it.
        source: what was read, in words, for the log.
        stale: the state could not be read now, this is the last one known.
    """

    flag: str
    share: float
    revision: int
    source: str
    stale: bool = False


class TrafficSwitch(Protocol):
    """Moves learners between two versions of one flag."""

    def set(self, flag: str, share: float, revision: int) -> None:
        """Give the candidate this share. Raises SwitchError when that can't be done."""

    def get(self, flag: str) -> SwitchState:
        """Read the state back from where requests are decided. Raises SwitchError when it can't be read."""

    def evaluate(self, flag: str, key: str) -> Assignment:
        """Say which version the learner `key` gets now. Raises SwitchError when nothing is known of the flag."""

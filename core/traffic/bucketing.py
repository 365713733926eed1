"""Which learner gets which version: a fixed place in [0, 1) for each learner, compared with the share.

A learner's place depends on salt and id alone, so that it is the same in every process and after every restart, and a
larger share adds learners without moving any: the candidate's learners at 1 % are among those at 10 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

Place = Callable[[str, str], float]
"""(salt, learner's id) -> the learner's place in [0, 1)."""

BASELINE, CANDIDATE = "baseline", "candidate"


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides a flag now: one deployment's versions and share.

    Attributes:
        deployment: id of the deployment it comes from. revision: that deployment's.
        share: part of the learners that gets the candidate, 0 to 1.
        active: whether the deployment has ever been started; until then the flag is off and the baseline serves.
    """

    flag: str
    deployment: str
    baseline: str
    candidate: str
    salt: str
    share: float
    revision: int
    active: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """The version one learner gets, and what it was decided from.

    Attributes:
        value: the version's name, which is the flag's value. variant: "baseline" or "candidate".
        bucket: the learner's place in [0, 1).
        stale: why the rule may be out of date (the database can't be read); "" when it was read just now.
    """

    value: str
    variant: str
    bucket: float
    rule: Rule
    stale: str = ""


def bucket(salt: str, key: str) -> float:
    """Return the place of a learner in [0, 1): BLAKE2b of salt and id, 64 bits.

    >>> round(bucket("analyzer:fast", "learner-1"), 6) == round(bucket("analyzer:fast", "learner-1"), 6)
    True
    """
    # An id may hold a lone surrogate (JSON allows it); it is a learner like any other, not an error.
    digest = blake2b(f"{salt}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 53 bits are what a float holds exactly: dividing all 64 could round up to 1.0, which a full share would not cover.
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def assign(rule: Rule, key: str, stale: str = "", place_of: Place = bucket) -> Assignment:
    """Return the version that `rule` gives to the learner `key`."""
    place = place_of(rule.salt, key)
    if place < rule.share:
        return Assignment(rule.candidate, CANDIDATE, place, rule, stale)
    return Assignment(rule.baseline, BASELINE, place, rule, stale)

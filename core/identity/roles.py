"""Roles, what each of them may do, and a person who has some. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """What a person can be allowed to do. The text completes "... may not"."""

    LOOK = "look at anything"
    ANALYSE = "start analyses"
    PROTECT = "take learners off the candidate"
    ADVANCE = "give learners the candidate"
    SIGN_OFF = "sign off"
    ACKNOWLEDGE = "acknowledge an incident"
    ADMINISTER = "change tokens and settings"


class Role(StrEnum):
    """What a person is here."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ON_CALL = "on-call"
    LEAD = "lead"
    ADMIN = "admin"


_P = Permission
MAY: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({_P.LOOK}),
    Role.ANALYST: frozenset({_P.LOOK, _P.ANALYSE}),
    Role.ON_CALL: frozenset({_P.LOOK, _P.PROTECT, _P.ACKNOWLEDGE}),
    Role.LEAD: frozenset({_P.LOOK, _P.ANALYSE, _P.PROTECT, _P.ADVANCE, _P.SIGN_OFF, _P.ACKNOWLEDGE}),
    Role.ADMIN: frozenset(Permission) - {_P.SIGN_OFF},
}
"""A lead signs off for the seats they hold; an admin holds none by being one."""

SEATS = ("engineering", "operations", "product", "finance")
"""The seats of the first user; a plan and the file of people may name others."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as far as this moment knows.

    Attributes:
        id: what tells people apart: the verified address, or the subject, in lower case; "" for nobody.
        name: what a person reads.
        roles: what they are here. seats: that they hold in sign-offs.
        via: how they came: "dashboard", "api", "cli", "link". Begins the event log's actor.
        local: somebody at this machine, where no identity provider is set up.
        expires: wall time until which this is so; None: not limited.
    """

    id: str
    name: str = ""
    roles: frozenset[Role] = frozenset()
    seats: frozenset[str] = field(default_factory=frozenset)
    via: str = "dashboard"
    local: bool = False
    expires: float | None = None

    @property
    def actor(self) -> str:
        """Who did it, for the event log."""
        return f"{self.via}:{self.id}" if self.id else self.via

    def may(self, permission: Permission, now: float) -> bool:
        """Say whether they may do it at a wall time."""
        return not self.expired(now) and any(permission in MAY[role] for role in self.roles)

    def expired(self, now: float) -> bool:
        """Say whether they have to sign in again at a wall time."""
        return self.expires is not None and now >= self.expires


NOBODY = Person("", "nobody")
"""Not signed in: may do nothing."""

LOCAL = Person("", "you, at this machine", frozenset({*Role}), local=True)
"""Whoever sits at this machine, where no identity provider is set up: every role and no seat."""


def why_not(person: Person, permission: Permission, now: float) -> str:
    """Return why a person may not do something, as a clause with what to do about it; "" where they may."""
    if person.may(permission, now):
        return ""
    if person.expired(now):
        return "your sign-in has expired: sign in again"
    if not person.roles and not person.id:
        return "you are not signed in"
    if not person.roles:
        return f"{person.name or person.id} has no role here: ask an admin to be listed"
    can = sorted(role.value for role in Role if permission in MAY[role])
    have = ", ".join(sorted(role.value for role in person.roles))
    return f"{person.name or person.id} ({have}) may not {permission}: that takes the role {' or '.join(can)}"

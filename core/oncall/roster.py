"""The roster: who is on call at a moment, level by level, and when the next one is called. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEVELS = ("primary", "secondary", "escalation")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can be called: address, as in the file of people, and where messages go (Apprise URLs, secret)."""

    name: str
    address: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """When somebody is on call, by the clock on their wall: on these days, from a time to a time, maybe past midnight.

    `begin` = `end`: the whole day. A shift past midnight belongs to the day on which it begins.
    """

    who: str
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    begin: time = time(0)
    end: time = time(0)

    def holds(self, wall: float) -> bool:
        """Say whether it is on at a moment, seconds since 1970."""
        local = datetime.fromtimestamp(wall, self.zone)
        at, today = local.timetz().replace(tzinfo=None), local.weekday()
        if self.begin < self.end:
            return today in self.days and self.begin <= at < self.end
        if self.begin == self.end and self.begin == time(0):
            return today in self.days
        yesterday = (local - timedelta(days=1)).weekday()
        return (today in self.days and at >= self.begin) or (yesterday in self.days and at < self.end)


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else for a while: a level, and two moments, seconds since 1970."""

    level: str
    who: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is called, in which order, how soon.

    Attributes:
        members: by name. shifts: by level, first match wins. overrides: before the shifts.
        after_s: wall seconds without an acknowledgement until the next level is called, too.
        repeat_s: until the last level is called again; at most `repeats` times.
        tell: Apprise URLs that hear of events without having to acknowledge. kinds: which events.
        valid_s: how long a link in a message is good for.
    """

    members: Mapping[str, Member]
    shifts: Mapping[str, tuple[Shift, ...]]
    overrides: tuple[Override, ...] = ()
    after_s: tuple[float, ...] = (300.0, 600.0)
    repeat_s: float = 900.0
    repeats: int = 8
    tell: tuple[str, ...] = ()
    kinds: frozenset[str] = field(default_factory=frozenset)
    valid_s: float = 86_400.0

    def on_call(self, level: str, wall: float) -> Member | None:
        """Return who is on call at a level; None where nobody is."""
        for override in self.overrides:
            if override.level == level and override.begin <= wall < override.end:
                return self.members[override.who]
        for shift in self.shifts.get(level, ()):
            if shift.holds(wall):
                return self.members[shift.who]
        return None

    def duty(self, wall: float) -> tuple[tuple[str, str], ...]:
        """Say who is on call at a moment: (level, name and address), or "nobody"."""
        found = ((level, self.on_call(level, wall)) for level in LEVELS)
        return tuple((level, "nobody" if m is None else f"{m.name}, {m.address}") for level, m in found)


@dataclass(frozen=True, slots=True)
class Step:
    """A call that is due. `number`: 0 for the first; the same step is never made twice."""

    number: int
    level: str


def steps_due(roster: Roster, opened: float, now: float) -> tuple[Step, ...]:
    """Return every step that an incident without an acknowledgement has come to; all wall times, seconds since 1970.

    Primary at once, the next level after `after_s` each, the last one again every `repeat_s`.
    """
    times = [0.0]
    for wait in roster.after_s:
        times.append(times[-1] + wait)
    levels = list(LEVELS[: len(times)])
    for _ in range(roster.repeats):
        times.append(times[-1] + roster.repeat_s)
        levels.append(levels[-1])
    past = now - opened
    return tuple(Step(n, level) for n, (at, level) in enumerate(zip(times, levels, strict=False)) if past >= at)

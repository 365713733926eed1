"""Reads a roster from YAML, with the place of every mistake. `${NAME}` in a URL is that environment variable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from core.oncall.roster import DAYS, LEVELS, Member, Override, Roster, Shift
from core.yamlmarks import DocumentError, Misread, Problem, Reader, compose, listed, suggestion

if TYPE_CHECKING:
    from core.reports import Duty

EXPECTED = "a mapping with people and shifts; see docs/on-call.md"
KINDS = (
    "phase started", "phase passed", "sign-off asked for", "held", "halted", "resumed", "rolled back",
    "rollback verified", "rollback unverified", "completed", "aborted", "checkpoint judged",
    "incident opened", "incident closed",
)  # fmt: skip
"""Events that can be told without anybody having to acknowledge."""
DEFAULT_KINDS = ("held", "halted", "rolled back", "rollback verified", "completed", "sign-off asked for")
_MINUTE = re.compile(r"([0-9]{1,4}(?:\.[0-9]+)?)\s*(s|min|h)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class RosterError(DocumentError):
    """A roster that can't be used; `problems` is never empty. No URL is in its text: they hold secrets."""


def load_roster(path: Path, environment: Mapping[str, str] | None = os.environ) -> Roster:
    """Read a roster's file. `environment` None: nobody is to be called, so that what URLs hold doesn't matter.

    Raises:
        RosterError: it is missing, unreadable, or not a roster.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else "can't be read as UTF-8 text"
        raise RosterError([Problem(str(path), 0, 0, "", why, EXPECTED)]) from None
    return parse_roster(text, str(path), environment)


def duty_of(path: Path | None) -> Duty | None:
    """Return who is on call when, by a roster's file that is read when that is asked; None where none is set.

    What is returned raises RosterError: the file can't be read or is not a roster.
    """
    if path is None:
        return None
    roster = cache(load_roster)
    return lambda wall: roster(path, None).duty(wall)


def parse_roster(text: str, name: str = "roster.yaml", environment: Mapping[str, str] | None = os.environ) -> Roster:
    """Read a roster.

    Raises:
        RosterError: with all mistakes, each with its line.
    """
    reader = _RosterReader(name, environment)
    try:
        found = reader.read(compose(text, name, EXPECTED, RosterError))
    except DocumentError as error:
        raise error if isinstance(error, RosterError) else RosterError(error.problems) from None
    if reader.problems:
        raise RosterError(reader.problems)
    return found


class _RosterReader(Reader):
    def __init__(self, name: str, environment: Mapping[str, str] | None) -> None:
        super().__init__(name, RosterError)
        self.environment = environment

    def read(self, root: yaml.Node) -> Roster:
        optional = ("time_zone", "overrides", "escalate_after", "repeat", "tell", "link_valid")
        parts = self.mapping(root, "", {"people": "who can be called", "shifts": "who is on call when"}, optional)
        self.zone = self.value(parts.get("time_zone"), "time_zone", _zone, ZoneInfo("UTC"))
        self.members = self._members(parts.get("people"))
        waits = tuple(
            self.value(node, path, _wait, 300.0)
            for path, node in self.items(
                parts.get("escalate_after"), "escalate_after", "a list such as [5 min, 10 min]"
            )
        )
        if len(waits) > len(LEVELS) - 1:
            self.report(
                parts["escalate_after"],
                "escalate_after",
                f"at most {len(LEVELS) - 1} waits, one a level after the first",
            )
        tell, kinds = self._tell(parts.get("tell"))
        return Roster(
            members=self.members,
            shifts=self._shifts(parts.get("shifts")),
            overrides=tuple(self._overrides(parts.get("overrides"))),
            after_s=waits or (300.0, 600.0),
            repeat_s=self.value(parts.get("repeat"), "repeat", _wait, 900.0),
            tell=tell,
            kinds=kinds,
            valid_s=self.value(parts.get("link_valid"), "link_valid", _wait, 86_400.0),
        )

    def _own(self, node: yaml.Node | None, field: str, expected: str) -> list[tuple[str, yaml.Node]]:
        """Return a mapping whose keys are the user's own."""
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.report(node, field, expected)
            return []
        return [(key.value if isinstance(key, yaml.ScalarNode) else "", value) for key, value in node.value]

    def _members(self, node: yaml.Node | None) -> dict[str, Member]:
        members = {}
        for name, value in self._own(node, "people", "people, each with an address and urls"):
            field = f"people.{name}"
            parts = self.mapping(value, field, {"address": "their address", "urls": "where messages go"})
            urls = tuple(
                self._url(n, p) for p, n in self.items(parts.get("urls"), f"{field}.urls", "a list of Apprise URLs")
            )
            members[name] = Member(name, self.value(parts.get("address"), f"{field}.address", _address, ""), urls)
        return members

    def _url(self, node: yaml.Node, field: str) -> str:
        if (environment := self.environment) is None:
            return ""
        import apprise  # a hundred services: nobody waits for them who calls nobody

        def read(text: str) -> str:
            missing = [name for name in _VARIABLE.findall(text) if not environment.get(name)]
            if missing:
                raise Misread(f"the environment variable {missing[0]} to be set")
            filled = _VARIABLE.sub(lambda m: environment[m[1]], text)
            if apprise.Apprise.instantiate(filled, suppress_exceptions=True) is None:
                raise Misread("a URL that Apprise knows, such as mailto://user:password@example.com or slack://…")
            return filled

        before = len(self.problems)
        found = self.value(node, field, read, "")
        if len(self.problems) > before:  # what was written may hold a secret
            last = self.problems.pop()
            self.problems.append(Problem(last.file, last.line, last.column, last.field, "a URL", last.expected))
        return found

    def _who(self, node: yaml.Node | None, field: str) -> str:
        def read(text: str) -> str:
            if text not in self.members:
                raise Misread(f"one of {listed(self.members) or 'people'}{suggestion(text, self.members)}")
            return text

        return self.value(node, field, read, "")

    def _shifts(self, node: yaml.Node | None) -> dict[str, tuple[Shift, ...]]:
        if node is None:
            return {}
        found = self.mapping(node, "shifts", {"primary": "who is called first"}, LEVELS[1:])
        shifts: dict[str, tuple[Shift, ...]] = {}
        for level, value in found.items():
            shifts[level] = tuple(
                self._shift(item, path) for path, item in self.items(value, f"shifts.{level}", "a list of shifts")
            )
        return shifts

    def _shift(self, node: yaml.Node, field: str) -> Shift:
        parts = self.mapping(node, field, {"who": "one of people"}, ("days", "from", "to", "zone"))
        days = frozenset(
            self.value(n, p, _day, 0)
            for p, n in self.items(parts.get("days"), f"{field}.days", "days such as [mon, tue]")
        )
        return Shift(
            self._who(parts.get("who"), f"{field}.who"),
            self.value(parts.get("zone"), f"{field}.zone", _zone, self.zone),
            days or frozenset(range(7)),
            self.value(parts.get("from"), f"{field}.from", _clock, time(0)),
            self.value(parts.get("to"), f"{field}.to", _clock, time(0)),
        )

    def _overrides(self, node: yaml.Node | None) -> list[Override]:
        found = []
        keys = {"level": f"one of {listed(LEVELS)}", "who": "one of people", "from": "a moment", "to": "a moment"}
        for path, item in self.items(node, "overrides", "a list of overrides"):
            parts = self.mapping(item, path, keys)
            begin = self.value(parts.get("from"), f"{path}.from", self._moment, 0.0)
            end = self.value(parts.get("to"), f"{path}.to", self._moment, 1e18)
            if end <= begin:
                self.report(parts["to"], f"{path}.to", "a moment after its beginning")
            level = self.value(parts.get("level"), f"{path}.level", _level, "")
            found.append(Override(level, self._who(parts.get("who"), f"{path}.who"), begin, end))
        return found

    def _moment(self, text: str) -> float:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise Misread("a moment such as 2026-12-24 18:00") from None
        return (at if at.tzinfo else at.replace(tzinfo=self.zone)).timestamp()

    def _tell(self, node: yaml.Node | None) -> tuple[tuple[str, ...], frozenset[str]]:
        if node is None:
            return (), frozenset()
        parts = self.mapping(node, "tell", {"urls": "where messages go"}, ("of",))
        urls = tuple(self._url(n, p) for p, n in self.items(parts.get("urls"), "tell.urls", "a list of Apprise URLs"))
        kinds = {self.value(n, p, _kind, "") for p, n in self.items(parts.get("of"), "tell.of", "a list of events")}
        return urls, frozenset(kinds - {""} or DEFAULT_KINDS)


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misread("a time zone such as Europe/Berlin") from None


def _wait(text: str) -> float:
    match = _MINUTE.fullmatch(text)
    if match is None or not float(match[1]) > 0:
        raise Misread('a time such as "5 min" or "1 h"')
    return float(match[1]) * _SECONDS[match[2]]


def _clock(text: str) -> time:
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise Misread('a time of day in quotes, such as "08:00"')
    return time(int(match[1]), int(match[2]))


def _day(text: str) -> int:
    if text.lower() not in DAYS:
        raise Misread(f"one of {listed(DAYS)}{suggestion(text.lower(), DAYS)}")
    return DAYS.index(text.lower())


def _level(text: str) -> str:
    if text not in LEVELS:
        raise Misread(f"one of {listed(LEVELS)}{suggestion(text, LEVELS)}")
    return text


def _kind(text: str) -> str:
    if text not in KINDS:
        raise Misread(f"one of {listed(KINDS)}{suggestion(text, KINDS)}")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", text):
        raise Misread("an address such as alice@example.com")
    return text.lower()

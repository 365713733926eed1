"""Reads a mapping from YAML, and says of everything that is wrong with it where it is and what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from core.learners.events import EventsError
from core.learners.importing import canonical as c
from core.learners.importing.detect import FORMATS, NESTED
from core.learners.importing.mapping import Mapping, Pick, Rule
from core.learners.importing.paths import BadPath, steps
from core.yamlmarks import DocumentError, Misread, Problem, Reader, compose, listed, suggestion

BUILTIN = Path(__file__).resolve().parents[3] / "data" / "mappings"

_UTC: tzinfo = UTC
_ZERO: float | str = 0.0
_OPTIONS = ("format", "time_zone", "duplicates", "only", "id")
_PICK = ("from", "by", "match", "values")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_A_FIELD = "a column or path, a mapping with from, or a list of these"


class MappingError(EventsError, DocumentError):
    """A mapping that can't be used; `problems` is never empty. As text: one line a problem."""

    def __init__(self, problems: list[Problem]) -> None:
        DocumentError.__init__(self, problems)


def load_mapping(path: str | Path) -> Mapping:
    """Read a mapping's file; a bare name such as "xapi" is one that comes with the program.

    Raises:
        MappingError: it is missing, unreadable, or not a mapping.
    """
    if str(path) in builtin_names():
        return builtin(str(path))
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else "can't be read as UTF-8 text"
        expected = f"the path of a YAML mapping, or one of {listed(builtin_names())}"
        raise MappingError([Problem(str(path), 0, 0, "", why, expected)]) from None
    return parse_mapping(text, str(path))


def builtin_names() -> list[str]:
    """Return the names of the mappings that come with the program."""
    return sorted(path.stem for path in BUILTIN.glob("*.yaml"))


def builtin(name: str) -> Mapping:
    """Return a mapping that comes with the program."""
    path = BUILTIN / f"{name}.yaml"
    return parse_mapping(path.read_text(encoding="utf-8"), str(path))


def parse_mapping(text: str, name: str = "mapping.yaml") -> Mapping:
    """Read a mapping's text.

    Raises:
        MappingError: with all mistakes, each with its line.
    """
    reader = _MappingReader(name)
    try:
        root = compose(text, name, f"a mapping with {listed(c.REQUIRED)}", MappingError)
        mapping = reader.read(root)
    except DocumentError as error:
        raise error if isinstance(error, MappingError) else MappingError(error.problems) from None
    if reader.problems:
        raise MappingError(reader.problems)
    return mapping


class _MappingReader(Reader):
    def __init__(self, name: str) -> None:
        super().__init__(name, MappingError)
        self.nested = True

    def read(self, root: yaml.Node) -> Mapping:
        required = {name: f"where the events' {name} is" for name in c.REQUIRED}
        segments = self._segments(root)
        optional = (*_OPTIONS, "type", "score", "acted", *c.EXTRA_TEXTS, *c.EXTRA_NUMBERS, *segments)
        nodes = self.mapping(root, "", required, optional)
        kind = self.value(nodes.get("format"), "format", _one_of(FORMATS), "")
        # Of tables a path is a column's name as it stands; of records it leads into them.
        self.nested = kind in NESTED
        fields: dict[str, Rule] = {}
        unit, pattern = "s", ""
        for name, node in nodes.items():
            if name == "ts":
                unit, pattern = self._time_form(node)
            if name not in ("format", "time_zone", "duplicates", "only"):
                fields[name] = self._rule(name, node)
        fields.setdefault("type", Rule((), c.DEFAULT_TYPE))
        return Mapping(
            fields=fields,
            format=kind,
            only=self._rule("only", nodes["only"]).picks if "only" in nodes else (),
            time_zone=self.value(nodes.get("time_zone"), "time_zone", read_zone, _UTC),
            time_unit=unit,
            time_format=pattern,
            drop_duplicates=self.value(nodes.get("duplicates"), "duplicates", _one_of(("drop", "keep")), "drop")
            == "drop",
            name=self.file,
        )

    def _segments(self, root: yaml.Node) -> list[str]:
        if not isinstance(root, yaml.MappingNode):
            return []
        keys = [key.value for key, _ in root.value if isinstance(key, yaml.ScalarNode)]
        return [key for key in dict.fromkeys(keys) if key.startswith(c.SEGMENT) and c.is_extra(key)]

    def _time_form(self, node: yaml.Node) -> tuple[str, str]:
        """Return the unit and the pattern that a `ts` says, beside where it is found."""
        if not isinstance(node, yaml.MappingNode):
            return "s", ""
        keys = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        unit = self.value(keys.get("unit"), "ts.unit", _one_of(c.UNITS), "s")
        return unit, self.value(keys.get("format"), "ts.format", _pattern, "")

    def _rule(self, name: str, node: yaml.Node) -> Rule:
        if isinstance(node, yaml.SequenceNode):
            picks: list[Pick] = []
            default = None
            for path, item in self.items(node, name, _A_FIELD):
                pick, last = self._pick(name, path, item)
                picks += [pick] if pick else []
                default = default or last
            return Rule(tuple(picks), default)
        pick, default = self._pick(name, name, node)
        return Rule((pick,) if pick else (), default)

    def _pick(self, name: str, field: str, node: yaml.Node) -> tuple[Pick | None, str | None]:
        """Return a pick, or a default, or both."""
        if isinstance(node, yaml.ScalarNode):
            paths = self._paths(field, node)
            return (Pick(paths) if paths else None), None
        options = {"ts": (*_PICK, "unit", "format"), "score": (*_PICK, "scale", "default"), "id": _PICK, "only": _PICK}
        nodes = self.mapping(node, field, {}, options.get(name, (*_PICK, "default")))
        if not nodes:
            return None, None
        default = self.value(nodes.get("default"), f"{field}.default", _default_of(name), "") or None
        if "from" not in nodes:
            if "default" not in nodes or len(nodes) > 1:
                self.report(node, f"{field}.from", _A_FIELD, value="")
            return None, default
        low, high = self._scale(f"{field}.scale", nodes.get("scale"))
        pick = Pick(
            paths=self._paths(f"{field}.from", nodes["from"]),
            by=nodes["by"].value if isinstance(nodes.get("by"), yaml.ScalarNode) else " ",
            match=self.value(nodes.get("match"), f"{field}.match", _regex, None),
            values=self._values(f"{field}.values", nodes.get("values")),
            low=low,
            high=high,
        )
        return (pick if pick.paths else None), default

    def _paths(self, field: str, node: yaml.Node) -> tuple[str, ...]:
        if isinstance(node, yaml.SequenceNode):
            items = list(self.items(node, field, "a list of columns or paths, which are joined"))
        else:
            items = [(field, node)]
        paths = [self.value(item, where, self._path, "") for where, item in items]
        return tuple(path for path in paths if path)

    def _path(self, text: str) -> str:
        if not text:
            raise Misread("the name of a column, or a path")
        if self.nested:
            try:
                steps(text)
            except BadPath as error:
                raise Misread(str(error)) from None
        return text

    def _values(self, field: str, node: yaml.Node | None) -> dict[str, str] | None:
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.report(node, field, "a mapping of what is found to what it means, such as {passed: assessment}")
            return None
        found = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                if key.value in found:
                    self.report(key, field, "each value once")
                found[key.value] = value.value
            else:
                self.report(value, field, "single values")
        return found

    def _scale(self, field: str, node: yaml.Node | None) -> tuple[float | str, float | str]:
        if node is None:
            return 0.0, 1.0
        expected = "a list of the two values that become 0 and 1, numbers or paths, such as [0, 100]"
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
            self.report(node, field, expected)
            return 0.0, 1.0
        low, high = (self.value(item, f"{field}[{i}]", self._bound, _ZERO) for i, item in enumerate(node.value))
        if isinstance(low, float) and isinstance(high, float) and not low < high:
            self.report(node, field, "the lower one first")
        return low, high

    def _bound(self, text: str) -> float | str:
        try:
            number = float(text)
        except ValueError:
            return self._path(text)
        if not math.isfinite(number):
            raise Misread("a number, or a path")
        return number


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise Misread(f"one of {listed(words)}{suggestion(text, words)}")
        return text

    return read


def _default_of(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if name == "acted" and text not in ("true", "false"):
            raise Misread("true or false")
        if name == "score" or name in c.EXTRA_NUMBERS:
            try:
                inside = 0 <= float(text) <= 1 if name == "score" else math.isfinite(float(text))
            except ValueError:
                inside = False
            if not inside:
                raise Misread("a number from 0 to 1" if name == "score" else "a number")
        return text

    return read


def _regex(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error as error:
        raise Misread(f"a regular expression ({error})") from None


def _pattern(text: str) -> str:
    try:
        again = datetime.strptime(datetime(2025, 11, 23, 13, 14, 15, tzinfo=UTC).strftime(text), text)
    except ValueError:
        again = None
    if again is None or (again.month, again.day) != (11, 23):
        raise Misread('a pattern with year, month and day, such as "%d/%m/%Y %H:%M"')
    return text


def read_zone(text: str) -> tzinfo:
    """Read "UTC", "+02:00" or "Europe/Berlin"; raises Misread."""
    if text in ("UTC", "Z"):
        return UTC
    if offset := _OFFSET.fullmatch(text):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if ahead <= timedelta(hours=14):
            return timezone(-ahead if offset[1] == "-" else ahead)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misread('a time zone such as "UTC", "+02:00" or "Europe/Berlin"') from None

"""YAML as nodes that know their place in the file, and a reader of them that collects problems instead of stopping.

Plain YAML only: without anchors, aliases and tags, so that a small file is a small document and nothing is constructed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import yaml

T = TypeVar("T")

MAX_BYTES = 64 * 1024
"""The largest text that is read: twenty times the default plan. PyYAML takes a second or two for the worst of it."""

_MAX_DEPTH = 16
_MAX_PROBLEMS = 100
_MAX_VALUE = 1000  # characters: no value is nearly as long, and patterns are matched in no time


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Attributes:
        file: as it was named. line, column: from 1; 0 where the file as a whole can't be read.
        field: path of it, "phases[1].criteria[0]"; "" for the whole.
        value: what was found, "" where nothing was.
        expected: what was expected instead, to follow the word "expected".
    """

    file: str
    line: int
    column: int
    field: str
    value: str
    expected: str

    def __str__(self) -> str:
        """Return it as one line: `plan.yaml:12:7: phases[0].traffic: "1" — expected a percentage such as "1 %"`."""
        if not self.line:
            return f"{_escaped(self.file)}: {self.value} — expected {self.expected}"
        field = f"{_shown(self.field)}: " if self.field else ""
        found = f'"{_shown(self.value)}"' if self.value else "nothing"
        return f"{_escaped(self.file)}:{self.line}:{self.column}: {field}{found} — expected {self.expected}"


class Misread(Exception):
    """A text that isn't the value asked for; the exception's text says what is."""

    @property
    def expected(self) -> str:
        """What was expected, to follow the word "expected"."""
        return str(self.args[0])


class DocumentError(Exception):
    """A document that can't be used; `problems` is never empty, in the file's order. As text: one line a problem.

    Each kind of document has its own kind of this error.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = sorted(problems, key=lambda p: (p.line, p.column))
        super().__init__("\n".join(str(p) for p in self.problems))


class _PlainLoader(yaml.SafeLoader):
    """Refuses what no document here needs and what could make a small file large: anchors, aliases, tags, depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(
                problem="plain values: no anchors (&), aliases (*) or tags (!)", problem_mark=event.start_mark
            )
        if self.depth >= _MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"lists and mappings nested at most {_MAX_DEPTH} deep", problem_mark=event.start_mark
            )
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose(text: str, name: str, expected: str, error: type[DocumentError] = DocumentError) -> yaml.Node:
    """Return the root node of a YAML text.

    Args:
        text: at most `MAX_BYTES` characters. name: what problems call the file. expected: of an empty one.
        error: what is raised.

    Raises:
        DocumentError: with the place where the text stops being plain YAML.
    """

    def failed(line: int, column: int, instead: str) -> DocumentError:
        lines = text.splitlines()
        found = lines[line - 1].strip() if line <= len(lines) else ""
        return error([Problem(name, line, column, "", found, instead)])

    if len(text) > MAX_BYTES:
        raise error([Problem(name, 0, 0, "", f"is larger than {MAX_BYTES // 1024} KiB", "a few KiB")])
    try:
        loader = _PlainLoader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise failed(line, column, _yaml_expectation(wrong)) from None
    except yaml.reader.ReaderError as wrong:
        raise failed(*position(text, wrong.position), "printable characters only") from None
    except (yaml.YAMLError, ValueError, OverflowError) as wrong:
        # PyYAML lets Python's own errors through for absurd escapes and version numbers.
        raise failed(1, 1, f"YAML that can be read ({wrong})") from None
    if root is None:
        raise error([Problem(name, 1, 1, "", "", expected)])
    return root


def _yaml_expectation(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        return "spaces, not a tab, before and between words"
    if type(error) is yaml.MarkedYAMLError:  # our own: it already is what was expected
        return problem
    if "single document" in (error.context or ""):
        return "one document only, without a second '---'"
    return f"valid YAML ({problem})"


def position(text: str, index: int) -> tuple[int, int]:
    """Return line and column, from 1, of a place in a text."""
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _shown(text: str) -> str:
    """Return a text for one line of a terminal: cut, with unprintable characters escaped."""
    return _escaped(text if len(text) <= 80 else text[:77] + "...")


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def listed(words: Iterable[str]) -> str:
    """Return words as "a, b, c"."""
    return ", ".join(words)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean "traffic"?' where a known word is close to what was written, else ""."""
    close = difflib.get_close_matches(word[:40], list(known), 1)
    return f'; did you mean "{close[0]}"?' if close else ""


class Reader:
    """Reads nodes, and collects what is wrong instead of stopping at it.

    What can't be read is replaced by the caller's default. For a number that has to be there, NaN: it fails every
    comparison, so that one mistake isn't reported a second time by the checks that follow.
    """

    def __init__(self, file: str, error: type[DocumentError] = DocumentError) -> None:
        self.file, self.error = file, error
        self.problems: list[Problem] = []

    def report(self, node: yaml.Node, field: str, expected: str, value: str | None = None) -> None:
        """Add a problem at a node; `value` where it isn't what the node says.

        Raises:
            DocumentError: there are so many that the text must be something else.
        """
        found = _found(node) if value is None else value
        mark = node.start_mark
        self.problems.append(Problem(self.file, mark.line + 1, mark.column + 1, field, found, expected))
        if len(self.problems) >= _MAX_PROBLEMS:
            raise self.error(self.problems)

    def value(self, node: yaml.Node | None, field: str, read: Callable[[str], T], default: T) -> T:
        """Read a single value; `default` where there is no node or it can't be read."""
        if node is None:
            return default
        short = isinstance(node, yaml.ScalarNode) and len(node.value) <= _MAX_VALUE
        try:
            return read(node.value.strip() if short else "")
        except Misread as misread:
            self.report(node, field, misread.expected)
            return default

    def mapping(
        self, node: yaml.Node, field: str, required: Mapping[str, str], optional: tuple[str, ...] = ()
    ) -> dict[str, yaml.Node]:
        """Return a mapping's nodes by key, those that are unknown left out; `required` says of each key what it is."""
        known = (*required, *optional)
        if not isinstance(node, yaml.MappingNode):
            self.report(node, field, f"a mapping with {listed(known)}")
            return {}
        found: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            path = path_of(field, key)
            if key in lines:
                self.report(key_node, path, f"each key once; it is already in line {lines[key]}")
            elif key not in known:
                self.report(key_node, path, f"one of {listed(known)}{suggestion(key, known)}")
            else:
                found[key] = value_node
            lines.setdefault(key, key_node.start_mark.line + 1)
        for key in required:
            if key not in lines:
                self.report(node, path_of(field, key), required[key], value="")
        return found

    def items(self, node: yaml.Node | None, field: str, expected: str) -> Iterator[tuple[str, yaml.Node]]:
        """Yield a list's nodes with their paths; report where it isn't a list, or is empty."""
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.report(node, field, expected, value="an empty list" if isinstance(node, yaml.SequenceNode) else None)
            return
        for index, item in enumerate(node.value):
            yield f"{field}[{index}]", item


def path_of(field: str, key: str) -> str:
    """Return the path of a key in the mapping that `field` is the path of."""
    return f"{field}.{key}" if field else key


def _found(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"

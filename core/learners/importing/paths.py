"""Paths into nested records: `result.score.scaled`, `context.contextActivities.grouping[0].id`, `event["a.b/c"]`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_STEP = re.compile(r'(?:^|\.)([^.\[\]"]+)|\[(-?\d+)\]|\["((?:[^"\\]|\\.)*)"\]')

Record = dict[str, Any]
Column = list[str | None]


class BadPath(ValueError):
    """A path that can't be read; the text says what was expected."""


def steps(path: str) -> tuple[str | int, ...]:
    """Return a path's keys and positions; raises BadPath."""
    found: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise BadPath('keys with dots between, positions as [0], and keys with dots in them as ["a.b"]')
        found.append(int(step[2]) if step[2] else step[1] if step[1] is not None else json.loads(f'"{step[3]}"'))
        at = step.end()
    if not found:
        raise BadPath("a path")
    return tuple(found)


class Extractor:
    """Takes what is at some paths out of records, as text, None where nothing is.

    Where a record has a list and the path a key, the list's first element is taken: xAPI's context activities may be
    one or a list of one. Where it has a text that is itself a JSON object, the path leads on into that, as in the
    events of edX's browsers. An object or a list at a path's end is no value.

    Attributes:
        columns: by path, one value a record so far.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.columns: dict[str, Column] = {path: [] for path in paths}
        self._root = _Branch()
        for path, column in self.columns.items():
            self._root.grow(steps(path), column)

    def add(self, record: Record) -> None:
        """Take the values out of one more record."""
        self._root.walk(record)


class _Branch:
    """A step that several paths may share, so that it is gone once."""

    def __init__(self) -> None:
        self.branches: dict[str | int, _Branch] = {}
        self.ends: list[Column] = []  # of paths that end here
        self.below: list[Column] = []  # of all paths that lead through here or end here

    def grow(self, keys: tuple[str | int, ...], column: Column) -> None:
        self.below.append(column)
        if keys:
            self.branches.setdefault(keys[0], _Branch()).grow(keys[1:], column)
        else:
            self.ends.append(column)

    def walk(self, value: Any) -> None:
        for key, branch in self.branches.items():
            if type(value) is dict:
                inner = value.get(key)
            elif type(value) is list and value:
                if type(key) is int:
                    inner = value[key] if -len(value) <= key < len(value) else None
                else:
                    inner = value[0].get(key) if type(value[0]) is dict else None
            else:
                inner = None
            if inner is None:
                for column in branch.below:
                    column.append(None)
                continue
            for column in branch.ends:
                column.append(inner if type(inner) is str else told(inner))
            if branch.branches:
                branch.walk(_inside(inner) if type(inner) is str else inner)


def _inside(text: str) -> Any:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def told(value: Any) -> str | None:
    """Return a JSON value as text: numbers as Python writes them, true and false in small letters; None of no value."""
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (dict, list):
        return None
    return str(value)

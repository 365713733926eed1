"""Paths into nested records: `result.score.scaled`, `context.contextActivities.grouping[0].id`, `event["a.b/c"]`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_STEP = re.compile(r'(?:^|\.)([^.\[\]"]+)|\[(-?\d+)\]|\["((?:[^"\\]|\\.)*)"\]')

Record = dict[str, Any]
Getter = Callable[[Record], str | None]


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


def getter(path: str) -> Getter:
    """Return a function that takes what is at a path out of a record, as text; None where nothing is.

    Where a record has a list and the path a key, the list's first element is taken: xAPI's context activities may be
    one or a list of one. An object or a list at the path's end is told as JSON.
    """
    keys = steps(path)
    if len(keys) == 1 and isinstance(keys[0], str):
        only = keys[0]
        return lambda record: told(record.get(only))

    def get(record: Record) -> str | None:
        value: Any = record
        for key in keys:
            if type(value) is dict:
                value = value.get(key)
            elif type(value) is list:
                if type(key) is int:
                    value = value[key] if -len(value) <= key < len(value) else None
                else:
                    value = value[0].get(key) if value and type(value[0]) is dict else None
            else:
                return None
        return told(value)

    return get


def told(value: Any) -> str | None:
    """Return a JSON value as text: numbers as Python writes them, true and false in small letters."""
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (dict, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)

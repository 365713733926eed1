"""What a file is, by what is in it and not by its name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from core.learners.events import EventsError
from core.learners.importing import parquet
from core.learners.importing.delimited import DELIMITERS
from core.learners.importing.documents import LISTS
from core.learners.importing.files import head
from core.learners.importing.rejected import shown

FILE_FORMATS = ("csv", "parquet", "jsonl", "xapi", "caliper", "edx")
NESTED = frozenset({"jsonl", "xapi", "caliper", "edx"})
FORMATS = (*FILE_FORMATS, "oulad", "sql")

_XAPI = frozenset({"actor", "verb", "object"})
_CALIPER = frozenset({"actor", "action", "object", "eventTime"})
_EDX = frozenset({"event_type", "event_source", "time"})
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


def file_format(path: Path) -> str:
    """Return a file's format, one of `FILE_FORMATS`.

    Raises EventsError: it is empty, or none of them; the message says what was seen.
    """
    start = head(path)
    if not start.strip():
        raise EventsError(f"{path}: is empty; expected learners' events, in one of {', '.join(FORMATS)}")
    if start.startswith(parquet.MAGIC):
        return "parquet"
    text = start.decode("utf-8", "replace").lstrip()
    if text[0] in "{[":
        return _json_format(text)
    line = text.splitlines()[0]
    if "\0" not in start.decode("latin-1") and any(mark in line for mark in DELIMITERS):
        return "csv"
    raise EventsError(
        f'{path}: starts with "{shown(line[:40])}", which is none of the formats tried: Parquet (starts with PAR1), '
        "xAPI, Caliper, edX or other JSON (starts with { or [), CSV (names of columns with , ; tab or | between); "
        "give --format and a mapping if it is one of them"
    )


def _json_format(text: str) -> str:
    keys = set(_first_record(text))
    for name, wanted in (("caliper", _CALIPER), ("xapi", _XAPI), ("edx", _EDX)):
        if wanted <= keys:
            return name
    if {"sensor", "data"} <= keys:
        return "caliper"
    return "xapi" if "statements" in keys else "jsonl"


def _first_record(text: str) -> dict[str, Any]:
    """Return the first record of a JSON text that may be cut; of one that is cut, the keys that can be seen."""
    while text[:1] == "[":
        text = text[1:].lstrip()
    try:
        record, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return dict.fromkeys(_KEY.findall(text))
    if not isinstance(record, dict):
        return {}
    for key in LISTS:
        inner = record.get(key)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return {**inner[0], **record}
    return record


def one_record_a_line(path: Path) -> bool:
    """Say whether the first line of a JSON file is a whole value; else the file is one long document."""
    first = head(path).lstrip().split(b"\n", 1)
    try:
        json.loads(first[0])
    except (ValueError, RecursionError):
        # A first line that is longer than what was looked at is judged by how it ends.
        return len(first) == 1 and not first[0].rstrip().endswith((b"[", b"{", b",")) and _looks_flat(first[0])
    return True


def _looks_flat(start: bytes) -> bool:
    return start.startswith(b"{") and not any(f'"{key}"'.encode() in start[:4096] for key in LISTS)

"""JSON as a flow of records: one a line, or the elements of a long document that is never held as a whole."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from core.learners.events import EventsError
from core.learners.importing.files import BLOCK, BOM, LONGEST_LINE, Block, blocks, opened
from core.learners.importing.paths import Record
from core.learners.importing.rejected import Refusal, shown

LISTS = ("statements", "data")
"""Keys of a wrapping object whose elements are the records: of an LRS's answer, and of a Caliper envelope."""

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Found:
    """One record, with its line and its text; or why there is none."""

    line: int
    text: str
    record: Record | None
    refusal: Refusal | None = None


def by_line(path: Path, notes: list[str]) -> Iterator[Found]:
    """Yield the records of a file with one JSON value a line; wrapping objects and lists are taken apart.

    `notes` says, at the end, whether a record store has more than this file.
    """
    for block in blocks(path):
        yield from of_lines(str(path), block, notes)


def of_lines(name: str, block: Block, notes: list[str]) -> Iterator[Found]:
    """Yield the records of some lines."""
    for refusal, text in block.refused:
        yield Found(refusal.line, text, None, refusal)
    text = block.data.decode() if block.data.isascii() else ""
    starts, ends, lines = block.starts.tolist(), block.ends.tolist(), block.lines.tolist()
    for start, end, line in zip(starts, ends, lines, strict=True):
        row = text[start:end] if text else block.data[start:end].decode()
        try:
            value = json.loads(row)
        except (ValueError, RecursionError) as error:
            if row.strip():
                yield Found(line, row, None, Refusal("the line is not JSON", name, line, shown(_where(error, row))))
            continue
        if type(value) is dict and not any(type(value.get(key)) is list for key in LISTS):
            yield Found(line, row, value)
        else:
            if type(value) is dict:
                _note_more(value, name, notes)
            yield from _taken_apart(value, name, line, row)


def _note_more(page: Record, name: str, notes: list[str]) -> None:
    """Note where a record store's page has another after it; of several pages the last one counts."""
    notes.clear()
    if page.get("more"):
        notes.append(f"{name}: the record store has more pages than this ({shown(page['more'])}); get them too")


def _where(error: Exception, text: str) -> str:
    at = error.pos if isinstance(error, json.JSONDecodeError) else 0
    return text[max(0, at - 10) : at + 40]


def _taken_apart(value: Any, name: str, line: int, text: str) -> Iterator[Found]:
    if isinstance(value, dict):
        inner = next(value[key] for key in LISTS if isinstance(value.get(key), list))
    elif isinstance(value, list):
        inner = value
    else:
        yield Found(line, text, None, Refusal("the record is not a JSON object", name, line, shown(text)))
        return
    for element in inner:
        if isinstance(element, dict) and not any(isinstance(element.get(key), list) for key in LISTS):
            yield Found(line, json.dumps(element, ensure_ascii=False), element)
        else:
            yield from _taken_apart(element, name, line, json.dumps(element, ensure_ascii=False))


class _Text:
    """A file's text, of which only what is being read is held."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file, self.name = file, name
        self.text, self.at = "", 0
        self._line, self._counted = 1, 0
        self.ended = False
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._first = True

    def more(self) -> None:
        """Read on; forget what has been used."""
        self.here()
        read = self.file.read(BLOCK)
        if self._first:
            read, self._first = read.removeprefix(BOM), False
        self.ended = not read
        try:
            self.text = self.text[self.at :] + self._decode.decode(read, final=self.ended)
        except UnicodeDecodeError:
            raise EventsError(
                f"{self.name}: after line {self.here()}: is not UTF-8; save it as UTF-8. (In a file of one record a "
                "line only the lines concerned would be rejected)"
            ) from None
        self.at = self._counted = 0

    def here(self) -> int:
        """Return the line of the place that is read next."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def peek(self) -> str:
        """Return the next character that isn't white space; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def take(self, wanted: str) -> None:
        """Go past a character."""
        if self.peek() != wanted:
            raise self.wrong(f'"{wanted}"')
        self.at += 1

    def value(self) -> tuple[Any, str]:
        """Read one value, with its text."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if self.ended or len(self.text) - self.at > LONGEST_LINE:
                    raise self.wrong("a JSON value", error) from None
            else:
                if end < len(self.text) or self.ended:  # a number could go on
                    text = self.text[self.at : end]
                    self.at = end
                    return value, text
            self.more()

    def wrong(self, expected: str, error: Exception | None = None) -> EventsError:
        """Return the error that says where the document stops being JSON."""
        at, is_open = self.at, False
        if isinstance(error, json.JSONDecodeError):
            at, is_open = error.pos, error.msg.startswith("Unterminated string")
        if self.ended and (is_open or at >= len(self.text.rstrip())):
            return EventsError(
                f"{self.name}: ends in the middle of a JSON document, after line {self.here()}; expected {expected}. "
                "Copy the file again"
            )
        line = self.here() + self.text.count("\n", self.at, at)
        return EventsError(
            f'{self.name}:{line}: not JSON: "{shown(self.text[at : at + 40])}"; expected {expected}. '
            "In one long document nothing after a mistake can be read; one record a line would lose that line only"
        )


def by_element(path: Path, notes: list[str]) -> Iterator[Found]:
    """Yield the records of a JSON document, or of several after one another.

    A document is a list of records, an object with such a list under one of `LISTS`, or a record itself. Raises
    EventsError where it stops being JSON.
    """
    name = str(path)
    with opened(path) as file:
        text = _Text(file, name)
        while mark := text.peek():
            if mark == "[":
                yield from _elements(text)
            elif mark == "{":
                yield from _object(text, notes)
            else:
                raise text.wrong("a JSON object or list")
            if text.peek() == ",":  # records with commas between, without the list's brackets
                text.at += 1


def _elements(text: _Text) -> Iterator[Found]:
    text.take("[")
    while text.peek() != "]":
        line = text.here()
        value, told = text.value()
        if isinstance(value, dict) and not any(isinstance(value.get(key), list) for key in LISTS):
            yield Found(line, told, value)
        else:
            yield from _taken_apart(value, text.name, line, told)
        if text.peek() != "]":
            text.take(",")
    text.take("]")


def _object(text: _Text, notes: list[str]) -> Iterator[Found]:
    """Yield the records of an object: of its list, read piece by piece, or itself."""
    line = text.here()
    text.take("{")
    kept: Record = {}
    wrapped = False
    while text.peek() != "}":
        key, _ = text.value()
        text.take(":")
        if key in LISTS and text.peek() == "[":
            wrapped = True
            yield from _elements(text)
        else:
            kept[key], _ = text.value()
        if text.peek() != "}":
            text.take(",")
    text.take("}")
    if not wrapped:
        yield Found(line, json.dumps(kept, ensure_ascii=False), kept)
    else:
        _note_more(kept, text.name, notes)


def keys(path: Path, lines: bool) -> list[str]:
    """Return the keys of the first records, in the order in which they come up."""
    found: dict[str, None] = {}
    for one in islice(by_line(path, []) if lines else by_element(path, []), 100):
        found |= dict.fromkeys(one.record or ())
    return list(found)

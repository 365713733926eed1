"""Bytes of files, packed or not, and their lines in blocks of bounded size with their numbers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.learners.events import EventsError
from core.learners.importing.rejected import Refusal, shown

BLOCK = 8 << 20
"""Bytes read at once."""

LONGEST_LINE = 16 << 20
"""Bytes. A longer line (or quoted CSV row) is rejected, and never held in memory as a whole."""

_TOO_LONG = f"the line is longer than {LONGEST_LINE >> 20} MiB"

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

Offsets = NDArray[np.int64]


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked if it is gzip; what goes wrong while it is read is an EventsError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            if packed:
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc]
            else:
                yield file
    except EOFError:
        raise EventsError(
            f"{path}: the gzip file is cut off in the middle; copy it again. Nothing is answered from half a file"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise EventsError(f"{path}: the gzip file is damaged ({error}); copy it again") from None
    except FileNotFoundError:
        raise EventsError(f"{path}: no such file") from None
    except OSError as error:
        raise EventsError(f"{path}: can't be read: {error.strerror or error}") from None


def head(path: Path, size: int = 1 << 16) -> bytes:
    """Return the beginning of a file, unpacked and without a byte-order mark."""
    with opened(path) as file:
        start = file.read(size)
    for mark, name in _WIDE.items():
        if start.startswith(mark):
            raise EventsError(
                f"{path}: is {name}; expected UTF-8. Save it as UTF-8, or: iconv -f {name} -t UTF-8 OLD > NEW"
            )
    return start.removeprefix(BOM)


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines.

    Attributes:
        data: lines one after the other, each with its line feed but perhaps the last; no carriage returns before them.
        starts, ends: of each line that isn't blank, without its line feed. lines: their numbers, from 1.
        refused: lines that aren't in `data`, with what is told of them.
    """

    data: bytes
    starts: Offsets
    ends: Offsets
    lines: Offsets
    refused: tuple[tuple[Refusal, str], ...] = ()

    def text(self, row: int) -> str:
        """Return a line."""
        return self.data[self.starts[row] : self.ends[row]].decode("utf-8", "backslashreplace")


def blocks(path: Path, delimiter: str = "") -> Iterator[Block]:
    """Yield a file's lines in blocks; blank ones are left out, those that aren't UTF-8 or too long are refused.

    Args:
        delimiter: of CSV, where a quoted value may hold line feeds; "" where a line feed always ends a line.
    """
    name, number, data = str(path), 1, b""
    with opened(path) as file:
        at_start, end = True, False
        while not end:
            read = file.read(BLOCK)
            end = not read
            data += read
            if at_start:
                data, at_start = data.removeprefix(BOM), False
            data, held = _plain_feeds(data, delimiter, end)
            while True:
                block, used = _cut(data, number, delimiter, end)
                if block.starts.size:
                    yield _checked(block, name)
                number += data.count(b"\n", 0, used)
                data = data[used:]
                if not data or (len(data) <= LONGEST_LINE and not end):
                    break
                # What is left is one row that is too long, or whose quote is never closed: its first line is given up.
                feed = data.find(b"\n")
                quote = feed >= 0 or (end and delimiter)
                yield _refused(name, number, "a quote is never closed" if quote else _TOO_LONG, data)
                data = data[feed + 1 :] if feed >= 0 else _skip_line(file)
                number += 1
            data += held


def _plain_feeds(data: bytes, delimiter: str, end: bool) -> tuple[bytes, bytes]:
    """Return text with line feeds alone, and a carriage return that may belong with what comes next."""
    if b"\r" not in data:
        return data, b""
    held = b"\r" if data.endswith(b"\r") and not end else b""
    data = data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    return (data.replace(b"\r", b"\n") if delimiter else data), held


def _refused(name: str, line: int, reason: str, data: bytes) -> Block:
    told = data[:1000].split(b"\n", 1)[0].decode("utf-8", "backslashreplace")
    none = np.empty(0, np.int64)
    return Block(b"", none, none, none, ((Refusal(reason, name, line, shown(told)), told),))


def _skip_line(file: BinaryIO) -> bytes:
    """Read on to the next line feed; return what was read after it."""
    while read := file.read(BLOCK):
        feed = read.find(b"\n")
        if feed >= 0:
            return read[feed + 1 :]
    return b""


def _cut(data: bytes, number: int, delimiter: str, end: bool) -> tuple[Block, int]:
    """Return the whole rows of a text and how many bytes they take; at the file's end the last needs no line feed."""
    view = np.frombuffer(data, np.uint8)
    feeds = np.flatnonzero(view == 10)
    if delimiter and b'"' in data:
        stops, is_open = _row_stops(view, ord(delimiter))
    else:
        stops, is_open = feeds, False
    if end and not is_open and data and not data.endswith(b"\n"):
        stops = np.append(stops, len(data))
    starts = np.empty_like(stops)
    if stops.size:
        starts[0], starts[1:] = 0, stops[:-1] + 1
    used = min(int(stops[-1]) + 1, len(data)) if stops.size else 0
    lines = number + (np.searchsorted(feeds, starts) if stops is not feeds else np.arange(stops.size))
    kept = stops > starts
    return Block(data, starts[kept], stops[kept], lines[kept]), used


@compiled
def _row_stops(data: NDArray[np.uint8], delimiter: int) -> tuple[Offsets, bool]:
    """Return where CSV rows end: line feeds outside quotes. A quote opens only at the start of a value (RFC 4180)."""
    stops = np.empty(data.size, np.int64)
    count = 0
    quoted, at_start = False, True
    at = 0
    while at < data.size:
        byte = data[at]
        if quoted:
            if byte == 34:
                if at + 1 < data.size and data[at + 1] == 34:
                    at += 1
                else:
                    quoted = False
        elif byte == 34 and at_start:
            quoted, at_start = True, False
        elif byte == 10:
            stops[count] = at
            count += 1
            at_start = True
        else:
            at_start = byte == delimiter
        at += 1
    return stops[:count].copy(), quoted


def _checked(block: Block, name: str) -> Block:
    """Return a block without the lines that are too long or aren't UTF-8."""
    sizes = block.ends - block.starts
    too_long = sizes > LONGEST_LINE
    if not too_long.any() and _is_utf8(block.data):
        return block
    keep = np.ones(block.starts.size, dtype=bool)
    refused = []
    for row, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        if too_long[row]:
            reason, at = _TOO_LONG, 0
        else:
            try:
                block.data[start:end].decode()
                continue
            except UnicodeDecodeError as error:
                reason, at = "the line is not UTF-8", max(0, error.start - 20)
        keep[row] = False
        found = block.data[start + at : min(end, start + at + 80)].decode("utf-8", "backslashreplace")
        original = block.data[start : min(end, start + 1000)] if too_long[row] else block.data[start:end]
        refusal = Refusal(reason, name, int(block.lines[row]), shown(found))
        refused.append((refusal, original.decode("utf-8", "backslashreplace")))
    return Block(block.data, block.starts[keep], block.ends[keep], block.lines[keep], tuple(refused))


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def compact(block: Block) -> tuple[bytes, Offsets, Offsets]:
    """Return the kept lines alone, one after the other, with their new starts and ends."""
    sizes = block.ends - block.starts
    if block.starts.size and int(block.starts[0]) == 0 and np.array_equal(block.starts[1:], block.ends[:-1] + 1):
        return block.data[: int(block.ends[-1])], block.starts, block.ends
    parts = [block.data[s:e] for s, e in zip(block.starts.tolist(), block.ends.tolist(), strict=True)]
    ends = np.cumsum(sizes + 1) - 1
    return b"\n".join(parts), ends - sizes, ends

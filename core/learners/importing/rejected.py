"""Rows that couldn't be used: counted by reason, the first few kept to show, all of them written out if asked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from core.learners.events import EventsError

EXAMPLES = 5
_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that can't be used.

    Attributes:
        line: from 1, of the file it is in; for Parquet and SQL the number of the row; 0 where it isn't known.
        value: what was found, "" where nothing was.
    """

    reason: str
    file: str
    line: int
    value: str = ""

    @property
    def place(self) -> str:
        """File and, where it is known, line: `events.csv:17`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        """Return it as one line: `events.csv:17: score is not a number: "good"`."""
        return f"{self.place}: {self.reason}" + (f': "{self.value}"' if self.value else "")


@dataclass(slots=True)
class Rejected:
    """What was rejected so far.

    Attributes:
        reasons: rows by reason, in the order in which the reasons came up.
        examples: the first `EXAMPLES` of each reason.
    """

    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Refusal]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows rejected, whatever the reason: a row is counted once."""
        return sum(self.reasons.values())

    def add(self, refusal: Refusal) -> None:
        """Count one row."""
        self.count(refusal.reason, 1, (refusal,))

    def count(self, reason: str, rows: int, first: Iterable[Refusal]) -> None:
        """Count many rows of one reason; of `first` as many are kept as there is room for."""
        if not rows:
            return
        self.reasons[reason] = self.reasons.get(reason, 0) + rows
        examples = self.examples.setdefault(reason, [])
        for refusal in first:
            if len(examples) >= EXAMPLES:
                break
            examples.append(refusal)

    def to_json(self) -> dict[str, Any]:
        """Return `{"rows": n, "reasons": {reason: n}, "examples": {reason: [{"file", "line", "value"}]}}`."""
        return {
            "rows": self.rows,
            "reasons": dict(self.reasons),
            "examples": {
                reason: [{"file": r.file, "line": r.line, "value": r.value} for r in first]
                for reason, first in self.examples.items()
            },
        }

    def __str__(self) -> str:
        """Return a sentence: `12 rows rejected: 10 score is not a number (first: e.csv:17: "good"), ...`."""
        if not self.rows:
            return "no row rejected"
        told = []
        for reason, rows in self.reasons.items():
            first = self.examples[reason][0] if self.examples.get(reason) else None
            place = f' (first: {first.place}, "{first.value}")' if first else ""
            told.append(f"{rows:,} {reason}{place}")
        return f"{self.rows:,} row{'s' if self.rows > 1 else ''} rejected: " + "; ".join(told)


def shown(value: object) -> str:
    """Return a value for one line of a message: cut, with unprintable characters escaped."""
    text = "" if value is None else str(value)
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)


class RejectedFile:
    """Writes rejected rows as they come up: reason, file, line and the row as it was.

    A name ending in .csv gives CSV with a header; any other JSON lines. Raises EventsError when it can't be written.
    """

    def __init__(self, path: Path, append: bool = False) -> None:
        self.path, self.append = path, append
        self._file: IO[str] | None = None
        self._write: Callable[[list[str | int]], object] = lambda _: None

    def __enter__(self) -> RejectedFile:
        try:
            self._file = self.path.open(
                "a" if self.append else "w", encoding="utf-8", newline="", errors="backslashreplace"
            )
        except OSError as error:
            raise EventsError(f"{self.path}: rejected rows can't be written there: {error.strerror}") from None
        names = ("file", "line", "reason", "original")
        if self.path.suffix.lower() == ".csv":
            writer = csv.writer(self._file)
            if not self.append:
                writer.writerow(names)
            self._write = writer.writerow
        else:
            out = self._file
            self._write = lambda row: out.write(
                json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, refusal: Refusal, original: str) -> None:
        """Write one row."""
        self._write([refusal.file, refusal.line, refusal.reason, original])

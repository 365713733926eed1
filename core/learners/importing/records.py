"""Nested records (xAPI, Caliper, edX, JSON lines with paths) as columns: one for each path that a mapping names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from core.learners.importing import fingerprint
from core.learners.importing.chunk import Chunk
from core.learners.importing.documents import Found
from core.learners.importing.paths import Column, Extractor
from core.learners.importing.rejected import Refusal

ROWS = 1 << 15
"""Records of a chunk."""

_BYTES = 32 << 20  # of text in a chunk: records may be long


def chunks(name: str, records: Iterable[Found], wanted: list[str]) -> Iterator[Chunk]:
    """Yield records as columns of text."""
    part = _Part(name, wanted)
    for one in records:
        part.add(one)
        if part.is_full:
            yield part.chunk()
            part = _Part(name, wanted)
    if part.lines or part.refused:
        yield part.chunk()


class _Part:
    """Records of a chunk that is being gathered: what was taken out of them, not the records themselves."""

    def __init__(self, name: str, wanted: list[str]) -> None:
        self.name = name
        self.values = Extractor(wanted)
        self.lines: list[int] = []
        self.texts: list[str] = []
        self.refused: list[tuple[Refusal, str]] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        return len(self.lines) + len(self.refused) >= ROWS or self._size > _BYTES

    def add(self, one: Found) -> None:
        self._size += len(one.text)
        if one.record is None:
            self.refused += [(one.refusal, one.text)] if one.refusal else []
            return
        self.values.add(one.record)
        self.lines.append(one.line)
        self.texts.append(one.text)

    def chunk(self) -> Chunk:
        return Chunk(
            file=self.name,
            columns={path: _column(values) for path, values in self.values.columns.items()},
            lines=np.array(self.lines, dtype=np.int64),
            original=self.texts.__getitem__,
            refused=self.refused,
            ids=fingerprint.of_column(_column(list(self.texts))),
        )


def _column(values: Column) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        # JSON can write half of a surrogate pair, which no text can hold.
        return pa.array([value and value.encode("utf-8", "backslashreplace").decode() for value in values], pa.string())

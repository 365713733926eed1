"""What every format gives: the names of its columns before reading, and its rows in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from core.learners.importing.chunk import Chunk


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source.

    Attributes:
        name: as messages call it. format: of it, "csv", "xapi", ...
        columns: names of its columns; None where records have no fixed ones.
        chunks: reads it from the start; given the paths that are wanted.
        notes: sentences about it that a user should know; chunks may add to them while they are read.
        mapping: the one in data/mappings that it is read with unless another is given; "" for canonical columns.
    """

    name: str
    format: str
    columns: list[str] | None
    chunks: Callable[[list[str]], Iterator[Chunk]]
    mapping: str = ""
    notes: list[str] = field(default_factory=list)

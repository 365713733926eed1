"""What a report is made of, whatever it is written as: blocks of text, and figures that know which event they are from.

Markdown and HTML are written from the same document, so that no figure can differ between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.store import Event

NOT_RECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that is said. `source`: the event that it is from; `tone`: "good", "watch", "bad" or "" for neither."""

    text: str
    source: Event | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """The sentence on top."""

    cell: Cell
    kind: str = "lead"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A few figures that matter most: what each is called, and its value."""

    items: tuple[tuple[str, Cell], ...]
    kind: str = "numbers"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under headings. `empty`: what is said where there are none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "None."
    kind: str = "table"

    @property
    def source(self) -> Event | None:
        """The event that every row is from, told once then; None where there are several."""
        return _one(tuple(cell.source for cell in row if cell.source is not None) for row in self.rows)

    @property
    def has_sources(self) -> bool:
        """Whether each row has to name its own."""
        return self.source is None and any(cell.source is not None for row in self.rows for cell in row)


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences under a heading."""

    title: str
    items: tuple[Cell, ...]
    empty: str = "None."
    kind: str = "points"

    @property
    def source(self) -> Event | None:
        """The event that every sentence is from, told once then; None where there are several."""
        return _one(() if cell.source is None else (cell.source,) for cell in self.items)


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture as SVG text, and the same in words for those who can't see it."""

    title: str
    svg: str
    words: str
    kind: str = "chart"


@dataclass(frozen=True, slots=True)
class Charts:
    """Small pictures side by side, under one heading."""

    title: str
    items: tuple[Chart, ...]
    kind: str = "charts"


Block = Lead | Numbers | Table | Points | Chart | Charts


def _one(named: Iterable[tuple[Event, ...]]) -> Event | None:
    """Return the one event that each of these names, if each names it and no other."""
    found = list(named)
    events = {event.seq: event for of_one in found for event in of_one}
    return next(iter(events.values())) if len(events) == 1 and all(found) else None


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `simulated`: what is made up, "" for nothing; `log`: the events that it was made from."""

    title: str
    subtitle: str
    simulated: str
    blocks: tuple[Block, ...]
    log: tuple[Event, ...]

    @property
    def sources(self) -> tuple[Event, ...]:
        """The events that are cited, in their order."""
        cited = {cell.source.seq: cell.source for cell in self._cells() if cell.source is not None}
        return tuple(cited[seq] for seq in sorted(cited))

    def _cells(self) -> Iterator[Cell]:
        for block in self.blocks:
            match block:
                case Lead():
                    yield block.cell
                case Numbers():
                    yield from (cell for _, cell in block.items)
                case Table():
                    for row in block.rows:
                        yield from row
                case Points():
                    yield from block.items
                case Chart() | Charts():
                    pass

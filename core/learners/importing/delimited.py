"""CSV, with commas, semicolons, tabs or bars between: every value is text until a canonical column asks for more."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from core.learners.events import EventsError
from core.learners.importing import fingerprint
from core.learners.importing.canonical import FIELDS, TEXT, one_array
from core.learners.importing.chunk import Chunk
from core.learners.importing.files import Block, blocks, compact, head
from core.learners.importing.rejected import Refusal, shown

DELIMITERS = ",;\t|"
_WORDS = frozenset(FIELDS) - {"ts", "score"}


def header(path: Path) -> tuple[list[str], str]:
    """Return the names in a CSV file's first line and what stands between them.

    Raises EventsError: a name twice, or none.
    """
    first = head(path).decode("utf-8", "replace").lstrip("\r\n").splitlines()
    if not first:
        raise EventsError(f"{path}: is empty; expected a line with the names of the columns")
    delimiter = max(DELIMITERS, key=lambda mark: first[0].count(mark))
    names = [name.strip() for name in next(csv.reader([first[0]], delimiter=delimiter))]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise EventsError(f"{path}:1: column {shown(twice[0])!r} is there twice; give each column a name of its own")
    return names, delimiter


def read(path: Path, names: list[str], delimiter: str, wanted: list[str]) -> Iterator[Chunk]:
    """Yield a CSV file's rows; the first line is the header."""
    wanted = [name for name in names if name in wanted]
    partial = len(wanted) < len(names) or not set(names) <= set(FIELDS)
    first = True
    for block in blocks(path, delimiter):
        if first and block.starts.size:
            first = False
            block = Block(block.data, block.starts[1:], block.ends[1:], block.lines[1:], block.refused)
        yield _chunk(str(path), block, names, delimiter, wanted, partial)


def _chunk(name: str, block: Block, names: list[str], delimiter: str, wanted: list[str], partial: bool) -> Chunk:
    table, bad = _parsed(block, names, delimiter, wanted)
    refused = list(block.refused)
    if bad:
        keep = np.ones(block.starts.size, dtype=bool)
        for row, cells in bad.items():
            keep[row] = False
            reason = f"the row has not {len(names)} columns"
            refused.append((Refusal(reason, name, int(block.lines[row]), f"{cells} columns"), block.text(row)))
        block = Block(block.data, block.starts[keep], block.ends[keep], block.lines[keep])
    if table.num_rows != block.starts.size:
        raise EventsError(
            f"{name}:{int(block.lines[0])}: can't be taken apart into rows from here on; expected CSV with quotes as "
            "RFC 4180 has them"
        )
    return Chunk(
        file=name,
        columns={column: one_array(table[column]) for column in wanted},
        lines=block.lines,
        original=block.text,
        refused=refused,
        ids=fingerprint.of_spans(block.data, block.starts, block.ends) if partial else None,
    )


def _parsed(block: Block, names: list[str], delimiter: str, wanted: list[str]) -> tuple[pa.Table, dict[int, int]]:
    """Return the wanted columns, and the rows that have another number of columns with that number."""
    kinds = {name: TEXT if name in _WORDS else pa.string() for name in wanted}
    if not block.starts.size:
        return pa.table({name: pa.array([], kind) for name, kind in kinds.items()}), {}
    data, _, _ = compact(block)

    def parse(threads: bool, handler: Callable[[pyarrow.csv.InvalidRow], str]) -> pa.Table:
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=threads, column_names=names, block_size=max(len(data) + 1, 1024)
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=handler
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=kinds, include_columns=wanted, strings_can_be_null=False, check_utf8=False
            ),
        )

    bad: dict[int, int] = {}

    def remember(row: pyarrow.csv.InvalidRow) -> str:
        bad[-1 if row.number is None else row.number - 1] = row.actual_columns
        return "skip"

    table = parse(True, remember)
    if bad:
        # Row numbers are told only when one thread reads.
        bad.clear()
        table = parse(False, remember)
    return table, bad

"""Parquet: the wanted columns only, some row groups' worth at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from core.learners.events import EventsError
from core.learners.importing import fingerprint
from core.learners.importing.canonical import FIELDS, TEXTS, Mask, one_array
from core.learners.importing.chunk import Chunk, columns_original, value_of
from core.learners.importing.rejected import Refusal, shown
from core.learners.words import unreadable

MAGIC = b"PAR1"
Refused = tuple[Refusal, str]
ROWS = 1 << 17
"""Rows of a chunk: few enough that its columns stay near the processor, and need no fresh memory each time."""

_CODE_BYTES = 6
"""Bytes a value up to which a column of text is taken for codes: they have 4 at most, and words a length of as many."""


@contextmanager
def _opened(path: Path, dictionaries: list[str] | None = None) -> Iterator[pyarrow.parquet.ParquetFile]:
    try:
        with pyarrow.parquet.ParquetFile(path, read_dictionary=dictionaries, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        with path.open("rb") as raw:
            raw.seek(max(0, path.stat().st_size - 4))
            cut = raw.read(4) != MAGIC
        why = "it is cut off: its end is missing; copy it again" if cut else f"it is damaged ({error})"
        raise EventsError(f"{path}: the Parquet file can't be read: {why}") from None


def names(path: Path) -> list[str]:
    """Return a Parquet file's column names; raises EventsError for a damaged file."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def read(path: Path, wanted: list[str]) -> Iterator[Chunk]:
    """Yield a Parquet file's rows. Repeated rows are known by all of its columns."""
    columns = names(path)
    kept = [name for name in columns if name in wanted]
    partial = not set(columns) <= set(FIELDS) or len(kept) < len(columns)
    with _opened(path) as file:
        # Text columns come as codes, as they are stored; other types have no dictionary to take.
        schema, stored_as_codes = file.schema_arrow, _stored_as_codes(file.metadata)
    encoded = [
        name
        for name in columns
        if pa.types.is_string(schema.field(name).type) and name in (*TEXTS, *kept) and name in stored_as_codes
    ]
    with _opened(path, encoded) as file:
        row = 1
        for batch in file.iter_batches(ROWS, columns=columns if partial else kept):
            found = {name: one_array(batch.column(name)) for name in batch.schema.names}
            lines = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            good, refused = _readable(found, str(path), lines)
            if refused:
                found, lines = {name: column.filter(pa.array(good)) for name, column in found.items()}, lines[good]
            yield Chunk(
                file=str(path),
                columns={name: found[name] for name in kept},
                lines=lines,
                original=columns_original(list(found), found),
                refused=refused,
                ids=fingerprint.of_rows(list(found.values())) if partial and lines.size else None,
            )


def _readable(columns: dict[str, pa.Array], file: str, lines: NDArray[np.int64]) -> tuple[Mask, list[Refused]]:
    """Return which rows have no text but UTF-8, and the others as they are refused."""
    good = np.ones(lines.size, dtype=bool)
    refused = []
    original = columns_original(list(columns), columns)
    for name, column in columns.items():
        bad = unreadable(column)
        if bad is None:
            continue
        for row in np.flatnonzero(bad & good):
            found = shown(str(value_of(column[int(row)])))
            refused.append((Refusal(f"{name} is not UTF-8", file, int(lines[row]), found), original(int(row))))
        good &= ~bad
    return good, refused


def _stored_as_codes(metadata: pyarrow.parquet.FileMetaData) -> set[str]:
    """Return the columns most of whose values are codes: of many different words only the first have one."""
    sizes: dict[str, list[int]] = {}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            size = sizes.setdefault(column.path_in_schema, [0, 0])
            size[0] += column.total_uncompressed_size
            size[1] += column.num_values
    return {name for name, (size, values) in sizes.items() if size <= _CODE_BYTES * values}

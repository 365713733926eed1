"""Files of columns: CSV, packed or not, and Parquet, some rows at a time."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

BATCH = 1 << 18
"""Rows of a Parquet file read at once."""

EXAMPLES = 5
"""Rejected rows that are named one by one."""

_BLOCK = 16 << 20
_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq")

Misfit = tuple[int, str, str, str]
"""A row that can't be used: its number from 0, the column, the value, what was expected."""


class DataError(Exception):
    """Data that can't be read as an experiment; the text says where, what was found, and what was expected."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was left out, and why. `line` is that of the file; in Parquet the number of the row, from 1."""

    file: str
    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.column} is {self.value!r}; expected {self.expected}"


def files_of(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """Return the data files that paths name: files, and all CSV and Parquet files in folders.

    Raises:
        DataError: nothing is there.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.lower().endswith(_SUFFIXES) and p.is_file())
            if not inside:
                raise DataError(f"{path}: the folder holds no file ending in {', '.join(_SUFFIXES)}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file")
    return tuple(found)


def columns_of(path: Path) -> tuple[str, ...]:
    """Return a data file's column names; raises DataError."""
    return tuple(opened(path).names)


def opened(path: Path) -> Parquet | Csv:
    """Return a data file, told by its content.

    Raises:
        DataError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror or error}") from None
    return Parquet(path) if is_parquet else Csv(path)


class Parquet:
    """A Parquet file.

    Attributes:
        names: of its columns. misshapen: always zero.
        simulated: how its learners were made up, as its metadata say; "" where they are real.
    """

    misshapen = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file = pyarrow.parquet.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: the Parquet file can't be read ({error}); copy it again") from None
        self.names = list(self.file.schema_arrow.names)
        self.simulated = (self.file.schema_arrow.metadata or {}).get(b"simulated", b"").decode("utf-8", "replace")

    def batches(self, wanted: list[str], limit: int = BATCH) -> Iterator[pa.RecordBatch]:
        """Yield columns, some rows at a time."""
        try:
            yield from self.file.iter_batches(limit, columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path}: the Parquet file is damaged ({error}); copy it again") from None

    def placed(self, misfits: Sequence[Misfit]) -> list[RejectedRow]:
        """Return where rows stand that can't be used."""
        return [RejectedRow(str(self.path), row + 1, *told) for row, *told in misfits]


class Csv:
    """A CSV file with a header; its columns are text. gzip is unpacked.

    Attributes:
        names: of its columns. misshapen: rows left out so far, because they have another number of columns.
        simulated: always "", for it has no place to say otherwise.
    """

    simulated = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.misshapen = 0
        with self._text() as file:
            try:
                self._header, first = next((i, line) for i, line in enumerate(file) if line.strip())
            except StopIteration:
                raise DataError(f"{path}: is empty; expected a line with the names of the columns") from None
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: is neither Parquet nor UTF-8 text ({error.reason})") from None
            except (OSError, EOFError) as error:
                raise DataError(f"{path}: can't be read: {error}") from None
        self.delimiter = max(",;\t|", key=first.count)
        self.names = [name.strip() for name in next(csv.reader([first], delimiter=self.delimiter))]
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise DataError(f"{path}:1: column {twice[0]!r} is there twice; give each column a name of its own")

    def batches(self, wanted: list[str], limit: int = _BLOCK) -> Iterator[pa.RecordBatch]:
        """Yield columns as text, some rows at a time; `limit` is in bytes."""

        def skip(_: pyarrow.csv.InvalidRow) -> str:
            self.misshapen += 1
            return "skip"

        try:
            with pa.input_stream(str(self.path), compression="gzip" if self._is_packed() else None) as stream:
                yield from pyarrow.csv.open_csv(
                    stream,
                    read_options=pyarrow.csv.ReadOptions(
                        column_names=self.names, skip_rows=self._header + 1, block_size=limit
                    ),
                    parse_options=pyarrow.csv.ParseOptions(
                        delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=skip
                    ),
                    convert_options=pyarrow.csv.ConvertOptions(
                        column_types=dict.fromkeys(wanted, pa.string()),
                        include_columns=wanted,
                        strings_can_be_null=False,
                    ),
                )
        except (pa.ArrowException, OSError, EOFError) as error:
            if "UTF8" in str(error):
                raise DataError(f"{self.path}: is not UTF-8 text; save it as UTF-8") from None
            raise DataError(f"{self.path}: can't be read as CSV: {error}") from None

    def placed(self, misfits: Sequence[Misfit]) -> list[RejectedRow]:
        """Find the lines of rows that can't be used, by reading up to them once more."""
        left = {row: told for row, *told in misfits}
        misshapen = min(self.misshapen, EXAMPLES)
        found: list[RejectedRow] = []
        if not left and not misshapen:
            return found
        with self._text() as file:
            rows = csv.reader(file, delimiter=self.delimiter)
            next(cells for cells in rows if cells)
            number, before = 0, rows.line_num
            for cells in rows:
                line, before = before + 1, rows.line_num
                if not cells:
                    continue
                if len(cells) != len(self.names):
                    if misshapen:
                        misshapen -= 1
                        expected = f"{len(self.names)} as in the header"
                        found.append(RejectedRow(str(self.path), line, "the row", f"{len(cells)} columns", expected))
                    continue
                if number in left:
                    found.append(RejectedRow(str(self.path), line, *left.pop(number)))
                number += 1
                if not left and not misshapen:
                    break
        return found

    def _is_packed(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(2) == b"\x1f\x8b"

    def _text(self) -> io.TextIOWrapper:
        if self._is_packed():
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")

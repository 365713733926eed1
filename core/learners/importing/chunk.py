"""A piece of a source as it was found: raw columns, where each row stood, and what couldn't even be taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.learners.importing.rejected import Refusal


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one file.

    Attributes:
        file: as it is named in messages.
        columns: by the source's name (a path, for nested records), each of shape (rows,). One that the source doesn't
            have is absent.
        lines: int64, shape (rows,): from 1; the number of the row for Parquet and SQL.
        original: a row's own text by its index, for the file of rejected rows.
        refused: what couldn't be taken apart, with its text.
        ids: uint64 fingerprints, shape (rows,), that tell repeated rows; None: the mapped columns are all there is.
    """

    file: str
    columns: Mapping[str, pa.Array]
    lines: NDArray[np.int64]
    original: Callable[[int], str]
    refused: Sequence[tuple[Refusal, str]] = ()
    ids: NDArray[np.uint64] | None = None

    @property
    def rows(self) -> int:
        """Rows that could be taken apart."""
        return int(self.lines.size)


def columns_original(names: Sequence[str], columns: Mapping[str, pa.Array]) -> Callable[[int], str]:
    """Return a function that tells a row of columns as JSON, for sources whose rows have no text of their own."""

    def told(row: int) -> str:
        return json.dumps({name: value_of(columns[name][row]) for name in names}, default=str, ensure_ascii=False)

    return told


def value_of(found: pa.Scalar) -> Any:
    """Return a value as Python has it; as text where Python has no such time, or the text is not UTF-8."""
    try:
        return found.as_py()
    except UnicodeDecodeError:
        told = found.value if isinstance(found, pa.DictionaryScalar) else found
        return told.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    except (OverflowError, ValueError):
        return str(found.cast(pa.int64()).as_py())

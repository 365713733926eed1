"""The tables of the Open University Learning Analytics Dataset: as published (CSV), or tidied to Parquet.

An event is a submitted assessment: studentAssessment joined with assessments, and with studentInfo where that is there.
Kuzilek, Hlosta, Zdrahal (2017), Open University Learning Analytics dataset, Scientific Data 4:170171.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.learners.events import DAY_US, EventsError
from core.learners.importing import canonical as c
from core.learners.importing import delimited, parquet
from core.learners.importing.chunk import Chunk
from core.learners.importing.source import Source

TABLES = "OULAD's tables (studentAssessment.csv and assessments.csv, or assessment_events.parquet)"

_TIDIED = "assessment_events.parquet"
_TIDIED_INFO = "students_outcomes.parquet"
_SUBMITTED = "studentAssessment.csv"
_ASSESSMENTS = "assessments.csv"
_INFO = "studentInfo.csv"
_MONTH = {"B": 2, "J": 10}
_NAMES = {  # published name: the name that mappings use
    "id_student": "learner_id",
    "code_module": "module",
    "code_presentation": "presentation",
    "date_submitted": "day",
}
_NEEDED = ("learner_id", "module", "presentation", "assessment_type", "id_assessment", "day", "score")
_KEY = ("module", "presentation", "learner_id")

Columns = dict[str, pa.Array]


def is_folder(path: Path) -> bool:
    """Say whether a folder holds OULAD's tables, or some of them."""
    return any(_table(path, name) for name in (_TIDIED, _SUBMITTED, _ASSESSMENTS))


def open_folder(path: Path) -> Source:
    """Return the submissions in a folder; raises EventsError when a table is missing or damaged."""
    tidied = _table(path, _TIDIED)
    if tidied is None:
        absent = [name for name in (_SUBMITTED, _ASSESSMENTS) if _table(path, name) is None]
        if absent:
            raise EventsError(f"{path}: {', '.join(absent)} is missing; expected {TABLES}")
    return Source(str(path), "oulad", None, lambda wanted: _read(path, wanted), "oulad")


def _table(folder: Path, name: str) -> Path | None:
    """Return a table's file, packed or not."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(folder: Path, wanted: list[str]) -> Iterator[Chunk]:
    tidied = _table(folder, _TIDIED)
    info = _information(folder, wanted)
    if tidied is not None:
        for chunk in _rows(tidied):
            yield _finished(chunk, dict(chunk.columns), info)
        return
    submitted, described = _table(folder, _SUBMITTED), _table(folder, _ASSESSMENTS)
    assert submitted is not None
    assert described is not None
    assessments = _whole(described)
    if "id_assessment" not in assessments:
        raise EventsError(f"{described}: column id_assessment is missing; it has {', '.join(assessments)}")
    for chunk in _rows(submitted):
        columns = dict(chunk.columns)
        if "id_assessment" in columns:
            found = pc.index_in(columns["id_assessment"], value_set=assessments["id_assessment"])
            columns |= {name: column.take(found) for name, column in assessments.items() if name != "id_assessment"}
        yield _finished(chunk, columns, info)


def _rows(path: Path) -> Iterator[Chunk]:
    """Yield a table's rows with the names that mappings use; a "?" is a missing value."""
    if path.suffix == ".parquet":
        flow = parquet.read(path, parquet.names(path))
    else:
        names, delimiter = delimited.header(path)
        flow = delimited.read(path, names, delimiter, names)
    for chunk in flow:
        columns = {_NAMES.get(name, name): _known(column) for name, column in chunk.columns.items()}
        yield dataclasses.replace(chunk, columns=columns)


def _known(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.is_in(column, value_set=pa.array(["?", ""])), pa.scalar(None, pa.string()), column)


def _whole(path: Path) -> Columns:
    """Return a small table as a whole."""
    parts = [pa.table(dict(chunk.columns)) for chunk in _rows(path)]
    if not parts:
        raise EventsError(f"{path}: is empty")
    table = pa.concat_tables(parts)
    return {name: c.one_array(table[name]) for name in table.column_names}


def _information(folder: Path, wanted: list[str]) -> Columns:
    """Return what is known of each enrolment, as far as it is wanted, with its key."""
    path = _table(folder, _TIDIED_INFO) or _table(folder, _INFO)
    if path is None or set(wanted) <= {*_NEEDED, "ts"}:
        return {}
    table = _whole(path)
    if not set(_KEY) <= set(table):
        return {}
    return {"": _enrolment(table)} | {
        name: column for name, column in table.items() if name in wanted and name not in _NEEDED
    }


def _enrolment(columns: Columns) -> pa.Array:
    return pc.binary_join_element_wise(*(c.texts(columns[name]).cast(pa.string()) for name in _KEY), "\0")


def _finished(chunk: Chunk, columns: Columns, info: Columns) -> Chunk:
    absent = [name for name in _NEEDED if name not in columns]
    if absent:
        raise EventsError(f"{chunk.file}: column {', '.join(absent)} is missing; expected {TABLES}")
    columns["ts"] = _submitted(columns)
    if info:
        found = pc.index_in(_enrolment(columns), value_set=info[""])
        columns |= {name: column.take(found) for name, column in info.items() if name}
    return dataclasses.replace(chunk, columns=columns)


def _submitted(columns: Columns) -> pa.Array:
    """Return when each was submitted: the day is counted from the start of the presentation."""
    presentation = c.texts(columns["presentation"])
    starts = np.array([_start(word) for word in presentation.dictionary.to_pylist()] + [np.nan])
    start = starts[pc.fill_null(presentation.indices, len(presentation.dictionary)).to_numpy()]
    day, _ = c.numbers(columns["day"])
    micros = start + day * DAY_US
    known = np.isfinite(micros)
    return pa.array(np.where(known, micros, 0).astype(np.int64), c.TIME, mask=~known)


def _start(presentation: str | None) -> float:
    """Return when a presentation such as 2013J starts: B in February, J in October; NaN where it says neither."""
    if not presentation or len(presentation) != 5 or not presentation[:4].isdecimal() or presentation[4] not in _MONTH:
        return np.nan
    return datetime(int(presentation[:4]), _MONTH[presentation[4]], 1, tzinfo=UTC).timestamp() * 1e6

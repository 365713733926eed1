"""What stands in a column's cells -> numbers, yes or no, days, words; and which cells hold something else."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.experiments.aggregates import Floats
from core.experiments.observations import MISSING, Labels

_ABSENT = ("", "na", "n/a", "nan", "null", "none")
"""Where a number is expected. As a word each but the first may mean something: NA is North America, too."""
_YES = {"1": 1.0, "1.0": 1.0, "true": 1.0, "t": 1.0, "yes": 1.0, "y": 1.0}
_NO = {"0": 0.0, "0.0": 0.0, "false": 0.0, "f": 0.0, "no": 0.0, "n": 0.0}
_IS_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NUMERIC = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_DAY_S = 86_400.0

LARGEST = 1e150
"""Larger numbers have no square."""

Column = Any  # pyarrow's Array or ChunkedArray, whose types it doesn't tell
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Words:
    """A column of words, and where none stands."""

    labels: Labels
    missing: Mask

    def equal(self, word: str) -> Mask:
        """Return where a word stands."""
        return np.isin(self.labels.codes, [i for i, name in enumerate(self.labels.names) if name == word])


def words(column: Column) -> Words:
    """Return labels, sorted, `MISSING` last."""
    array = _plain(column)
    if pa.types.is_floating(array.type) and not pc.any(pc.not_equal(pc.floor(array), array)).as_py():
        array = array.cast(pa.int64())  # 3 is "3" whether or not a gap made the column one of fractions
    encoded = pc.utf8_trim_whitespace(array.cast(pa.string())).dictionary_encode()
    order = np.asarray(pc.array_sort_indices(encoded.dictionary))
    names = encoded.dictionary.take(pa.array(order)).to_pylist()
    place = np.empty(len(order) + 1, np.int32)
    place[order] = np.arange(len(order))
    place[-1] = -1  # where null is
    codes = place[np.asarray(pc.fill_null(encoded.indices, -1))]
    if names and not names[0]:  # nothing but blanks; it sorts first
        names, codes = names[1:], np.maximum(codes - 1, -1)
    missing = codes < 0
    if missing.any():
        codes = np.where(missing, np.int32(len(names)), codes)
        names.append(MISSING)
    return Words(Labels(codes.astype(np.int32), tuple(names)), missing)


def numbers(column: Column) -> tuple[Floats, Mask]:
    """Return numbers, NaN where nothing stands, and where something stands that is no number, or too large."""
    array = _plain(column)
    if _is_text(array):
        text, is_number = _text(array)
        values = _floats(pc.if_else(is_number, text, pa.scalar(None, text.type)))
        bad = np.asarray(pc.and_(pc.is_valid(text), pc.invert(is_number)))
    elif any(is_kind(array.type) for is_kind in _NUMERIC):
        values, bad = _floats(array), np.zeros(len(array), dtype=bool)
    else:
        values, bad = np.full(len(array), np.nan), np.asarray(pc.is_valid(array))
    return values, bad | (np.abs(values) > LARGEST)


def flags(column: Column) -> tuple[Floats, Mask]:
    """Return 1 for yes, 0 for no, NaN where nothing stands, and where something else stands."""
    array = _plain(column)
    if not _is_text(array):
        values, bad = numbers(array)
        return values, bad | (~np.isnan(values) & (values != 0) & (values != 1))
    encoded = pc.utf8_lower(pc.utf8_trim_whitespace(array)).dictionary_encode()
    told = [*encoded.dictionary.to_pylist(), ""]  # -1 is the last
    values = np.array([(_YES | _NO).get(word, np.nan) for word in told])
    wrong = np.array([word not in _ABSENT and word not in _YES and word not in _NO for word in told])
    codes = np.asarray(pc.fill_null(encoded.indices, -1))
    return values[codes], wrong[codes]


def days(column: Column) -> tuple[Floats, Mask]:
    """Return times in days: since 1970-01-01 (UTC) of dates and timestamps; numbers stay as they are."""
    array = _plain(column)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(array.type):
        seconds = _floats(array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64())) / 1e6
        return seconds / _DAY_S, np.zeros(len(array), dtype=bool)
    if not _is_text(array):
        return numbers(array)
    text, is_number = _text(array)
    if pc.all(pc.or_kleene(is_number, pc.is_null(text))).as_py() in (True, None):
        return numbers(text)
    # Each distinct text once: a column of days has few.
    encoded = text.dictionary_encode()
    told = np.array([_day(word) for word in [*encoded.dictionary.to_pylist(), ""]])
    codes = np.asarray(pc.fill_null(encoded.indices, -1))
    values = told[codes]
    return values, np.isnan(values) & (codes >= 0)


def day_labels(times: Floats) -> Labels:
    """Return whole days as labels in the order of days: dates, or numbers where days are counted from a start."""
    whole = np.floor(times)
    known = ~np.isnan(whole)
    values, codes = np.unique(whole[known], return_inverse=True)
    names = tuple(day_name(value) for value in values)
    out = np.full(times.size, len(names), np.int32)
    out[known] = codes
    return Labels(out, names if known.all() else (*names, MISSING))


def day_name(day: float) -> str:
    """Return a day as people write it: a date, or its number where days are counted from a course's start."""
    if abs(day) < 3650:
        return f"{day:g}"
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(day), "D"))


def day_number(name: str) -> float:
    """Return the number of a day that `day_name` wrote; NaN of a missing one."""
    try:
        return float(name)
    except ValueError:
        return np.floor(_day(name)) if name != MISSING else np.nan


def _day(word: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(word)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() / _DAY_S


def _plain(column: Column) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _floats(array: pa.Array) -> Floats:
    return np.asarray(pc.fill_null(array.cast(pa.float64()), np.nan), dtype=np.float64)


def _text(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return text without blanks around it and null where nothing stands, and where it is a number."""
    text = pc.utf8_trim_whitespace(array)
    absent = pc.is_in(pc.utf8_lower(text), pa.array(_ABSENT, text.type))
    text = pc.if_else(absent, pa.scalar(None, text.type), text)
    return text, pc.fill_null(pc.match_substring_regex(text, _IS_NUMBER), False)

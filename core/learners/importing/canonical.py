"""The canonical schema as Arrow columns, and the conversions into it: text, times, numbers, yes or no.

Every conversion takes a whole column of any Arrow type and never raises for a value: what can't be read is told by row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.learners.arrow import all_within, nullable
from core.learners.words import encode, trimmed

Mask = NDArray[np.bool_]

REQUIRED = ("learner_id", "ts", "domain", "skill")
TEXTS = ("learner_id", "domain", "skill", "type")
FIELDS = (*REQUIRED, "type", "score", "acted")
"""What every batch has, in this order."""

EXTRA_TEXTS = ("session_id", "variant", "outcome")
EXTRA_NUMBERS = ("revenue", "cost")
SEGMENT = "segment_"
EVENT_ID = "event_id"
"""64-bit fingerprint of the source's id of an event, or of the whole row where canonical columns are only a part."""

DEFAULT_TYPE = "training"
TEXT = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")

LONGEST = {"learner_id": 255, "domain": 1000, "skill": 1000, "type": 1000}
"""Characters. Longer is a mistake in the source, and one such name would cost memory for every learner."""

EARLIEST, LATEST = 1970, 2100
"""Years between which an event can lie: one stray year 9999 would put everybody else out of the analysed window."""

_FIRST_DAY, _LAST_DAY = EARLIEST * 10_000 + 101, LATEST * 10_000 + 1231
_NO_TIME = np.iinfo(np.int64).min
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_FLAGS = {"true": 1, "t": 1, "1": 1, "1.0": 1, "yes": 1, "y": 1, "false": 0, "f": 0, "0": 0, "0.0": 0, "no": 0, "n": 0}
_MICROS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
UNITS = tuple(_MICROS)


def is_extra(name: str) -> bool:
    """Say whether a column is one of the optional ones that are passed through."""
    return name in EXTRA_TEXTS or name in EXTRA_NUMBERS or (name.startswith(SEGMENT) and name != SEGMENT)


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def texts(column: pa.Array) -> pa.DictionaryArray:
    """Return a column as text without the white space around it, dictionary-encoded; null where there is none."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), TEXT)
    encoded = column if pa.types.is_dictionary(column.type) else encode(_as_text(column))
    words = encoded.dictionary
    if not pa.types.is_string(words.type):
        words = _as_text(words)
    if trimmed(words):
        return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.int32()), words)
    clean = pc.utf8_trim_whitespace(words)
    clean = pc.if_else(pc.equal(clean, ""), pa.scalar(None, pa.string()), clean)
    if len(words) and not pc.all(pc.equal(clean, words), skip_nulls=False).as_py():
        clean = pc.dictionary_encode(clean)
        return pa.DictionaryArray.from_arrays(pc.take(clean.indices, encoded.indices), clean.dictionary)
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.int32()), words)


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        # An id column with one null is often stored as floating: 7.0 is the learner "7".
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        known = values[~np.isnan(values)]
        if np.array_equal(known, np.trunc(known)) and not (np.abs(known) > 2**53).any():
            return pc.if_else(pc.is_nan(column), None, column).cast(pa.int64()).cast(pa.string())
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_told(value) for value in column.to_pylist()], pa.string())


def _told(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def of_words(encoded: pa.DictionaryArray, change: Callable[[str], str | None]) -> pa.DictionaryArray:
    """Return a text column with every different word changed once; a null result is a missing value."""
    changed = pa.array([None if word is None else change(word) for word in encoded.dictionary.to_pylist()], pa.string())
    again = pc.dictionary_encode(changed)
    return pa.DictionaryArray.from_arrays(pc.take(again.indices, encoded.indices), again.dictionary)


def _by_word(
    encoded: pa.DictionaryArray, dtype: type[np.generic], read: Callable[[str], float | None], none: float
) -> tuple[NDArray[np.generic], Mask]:
    """Read every different word once; return values (`none` where missing) and which rows were readable."""
    words = encoded.dictionary.to_pylist()
    values = np.full(len(words) + 1, none, dtype=dtype)  # the last is for nulls
    readable = np.ones(len(words) + 1, dtype=bool)
    for row, word in enumerate(words):
        if word is None or word.lower() in _MISSING:
            continue
        found = read(word)
        if found is None:
            readable[row] = False
        else:
            values[row] = found
    codes = pc.fill_null(encoded.indices, len(words)).to_numpy()
    return values[codes], readable[codes]


def _parsed(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def numbers(column: pa.Array) -> tuple[NDArray[np.float64], Mask]:
    """Return numbers, NaN where there is none (empty, "NA", "null", NaN), and which rows were readable."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if pa.types.is_boolean(kind):
        column, kind = column.cast(pa.int8()), pa.int8()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
        return values, np.ones(values.size, dtype=bool)
    if _is_text(kind):
        filled = column if not column.null_count else pc.fill_null(column, "nan")
        parsed = _parsed(filled, pa.float64())
        if parsed is None:
            # Most often the only thing in the way is the empty text of a missing value.
            parsed = _parsed(pc.if_else(pc.equal(filled, ""), "nan", filled), pa.float64())
        if parsed is not None:
            return np.array(parsed.to_numpy(zero_copy_only=False)), np.ones(len(column), dtype=bool)
    read, readable = _by_word(texts(column), np.float64, _number, np.nan)
    return read.astype(np.float64), readable


def _number(word: str) -> float | None:
    if word.lower() in ("true", "false"):  # "correct: true" is a score of 1
        return float(word.lower() == "true")
    try:
        return float(word) if "_" not in word else None
    except ValueError:
        return None


def flags(column: pa.Array) -> tuple[NDArray[np.int8], Mask]:
    """Return 1 yes, 0 no, -1 not known, and which rows were readable."""
    if pa.types.is_null(column.type):
        return np.full(len(column), -1, dtype=np.int8), np.ones(len(column), dtype=bool)
    if pa.types.is_boolean(column.type):
        known = pc.fill_null(column.cast(pa.int8()), -1).to_numpy()
        return np.array(known, dtype=np.int8), np.ones(len(column), dtype=bool)
    codes, readable = _by_word(texts(column), np.int8, lambda word: _FLAGS.get(word.lower()), -1)
    return codes.astype(np.int8), readable


def times(column: pa.Array, zone: tzinfo = UTC, unit: str = "s", pattern: str = "") -> tuple[NDArray[np.int64], Mask]:
    """Return microseconds since 1970, UTC, and which rows have one.

    Args:
        column: timestamps, dates, ISO 8601 text, or numbers (as such or as text) of `unit`s since 1970.
        zone: of times that don't say theirs. pattern: of text in another form, as strptime takes it.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), _NO_TIME), np.zeros(len(column), dtype=bool)
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("us")), pa.timestamp("us")
    if pa.types.is_timestamp(kind):
        return _micros(_zoned(column.cast(pa.timestamp("us", tz=kind.tz), safe=False), zone))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        count = numbers(column)[0]
        micros, known = _since_1970(count, unit)
        # The same number must be the same time whether its column is of numbers or, for one row's sake, of text.
        for row in np.flatnonzero((count >= _FIRST_DAY) & (count <= _LAST_DAY) & (count == np.trunc(count))):
            day = _day(f"{count[row]:.0f}", zone)
            if day is not None:
                micros[row] = day
        return micros, known
    if _is_text(kind) and not pattern and len(column):
        for kind in (TIME, pa.timestamp("us")):
            parsed = _parsed(column, kind)
            if parsed is not None:
                return _micros(_zoned(parsed, zone))
    read, readable = _by_word(texts(column), np.int64, lambda word: _time(word, zone, unit, pattern), _NO_TIME)
    micros = read.astype(np.int64)
    return micros, readable & (micros != _NO_TIME)


def _zoned(column: pa.Array, zone: tzinfo) -> pa.Array:
    if column.type.tz is not None or zone is UTC:
        return column
    ahead = zone.utcoffset(None)
    if ahead is not None:  # the same all year
        return pc.subtract(column, pa.scalar(ahead, pa.duration("us")))
    return pa.array([moment and moment.replace(tzinfo=zone) for moment in column.to_pylist()], TIME)


def _micros(column: pa.Array) -> tuple[NDArray[np.int64], Mask]:
    micros = pc.fill_null(column.cast(pa.int64()), int(_NO_TIME)).to_numpy()
    return np.asarray(micros, dtype=np.int64), np.asarray(micros != _NO_TIME)


def _since_1970(count: NDArray[np.float64], unit: str) -> tuple[NDArray[np.int64], Mask]:
    micros = count * _MICROS[unit]
    known = np.isfinite(micros) & (np.abs(np.nan_to_num(micros)) < 1e17)  # beyond the year 5138: another unit
    out = np.full(micros.size, _NO_TIME, dtype=np.int64)
    out[known] = np.round(micros[known]).astype(np.int64)
    return out, known


def _day(word: str, zone: tzinfo) -> int | None:
    """Return the time of a day written as 20251001; None of what is no day from EARLIEST to LATEST."""
    if len(word) != 8 or not word.isdigit() or not _FIRST_DAY <= int(word) <= _LAST_DAY:
        return None
    return _moment(word, zone)


def _time(word: str, zone: tzinfo, unit: str, pattern: str) -> int | None:
    day = None if pattern else _day(word, zone)
    if day is not None:
        return day
    count = None if pattern else _number(word)
    if count is not None:
        micros, known = _since_1970(np.array([count]), unit)
        return int(micros[0]) if known[0] else None
    return _moment(word, zone, pattern)


def _moment(word: str, zone: tzinfo, pattern: str = "") -> int | None:
    try:
        moment = datetime.strptime(word, pattern) if pattern else datetime.fromisoformat(word)
        since = (moment if moment.tzinfo else moment.replace(tzinfo=zone)) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def plausible(micros: NDArray[np.int64]) -> Mask:
    """Say which times lie between the years `EARLIEST` and `LATEST`."""
    first, last = _span()
    return np.asarray((micros >= first) & (micros < last))


def _span() -> tuple[int, int]:
    """Return where the times of `EARLIEST` begin and those of `LATEST` have ended, microseconds since 1970."""
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in (EARLIEST, LATEST + 1))
    return first, last


def is_canonical(name: str, column: pa.Array) -> bool:
    """Say whether a column of times, scores or flags is so already, in type and every value: a quick look, no copy."""
    if name == "acted":
        return bool(pa.types.is_boolean(column.type))
    if name == "score" and column.type == pa.float64():
        return bool(all_within(nullable(column), len(column), 0.0, 1.0))
    if name == "ts" and column.type == TIME and not column.null_count and len(column):
        first, last = _span()
        found = pc.min_max(column.cast(pa.int64()))
        return bool(first <= found["min"].as_py() and found["max"].as_py() < last)
    return False

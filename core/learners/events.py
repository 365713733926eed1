"""Learner events in the canonical schema, as columns sorted by learner and time, and the one reader that makes them.

Canonical columns: `learner_id`, `ts` (UTC), `domain`, `skill`, and optionally `type`, `score` (0 to 1), `acted`. Rows
that can't be used are left out and counted by reason, never repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
FEEDBACK = "feedback"

Index = NDArray[np.int32]
Names = Sequence[str] | NDArray[np.object_] | NDArray[np.str_]


class EventsError(ValueError):
    """Event data that can't be read at all; the message names the file, what is wrong with it and what was expected."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one learner, as the plain analyzer reads it.

    Attributes:
        ts: microseconds since 1970, UTC.
        score: 0 to 1, or None. acted: whether feedback was followed, or None where that isn't known.
    """

    ts: int
    domain: str
    skill: str
    type: str = "training"
    score: float | None = None
    acted: bool | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Events of many learners as columns, sorted by learner, then time; ties keep the order of the source.

    Attributes:
        learners: ids, sorted, shape (L,).
        offsets: int64, shape (L + 1,): learner i's events are rows offsets[i] to offsets[i + 1].
        ts: int64 microseconds since 1970, shape (N,), like all that follow.
        domain, skill, type: int32 codes into the vocabularies.
        score: float64, NaN where there is none. acted: int8, 1 yes, 0 no, -1 not known.
        domains, skills, types: the vocabularies, sorted, so that the order of codes is the order of names.
        rejected: rows left out, by reason.
    """

    learners: NDArray[np.str_]
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    domain: Index
    skill: Index
    type: Index
    score: NDArray[np.float64]
    acted: NDArray[np.int8]
    domains: tuple[str, ...]
    skills: tuple[str, ...]
    types: tuple[str, ...]
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of events."""
        return int(self.ts.size)

    @property
    def as_of(self) -> int:
        """Time of the last event, microseconds since 1970; raises EventsError when there is none."""
        if not len(self):
            raise EventsError("no events: nothing to analyse (every row was rejected or the file is empty)")
        return int(self.ts.max())

    @property
    def feedback_code(self) -> int:
        """Code of the type "feedback"; -1 where no event has it."""
        return self.types.index(FEEDBACK) if FEEDBACK in self.types else -1

    def find(self, learner: str) -> int | None:
        """Return the index of a learner's id, or None."""
        at = int(np.searchsorted(self.learners, learner))
        return at if at < self.learners.size and self.learners[at] == learner else None

    def of_learner(self, index: int) -> list[Event]:
        """Return one learner's events as plain objects, in order of time."""
        rows = range(int(self.offsets[index]), int(self.offsets[index + 1]))
        return [
            Event(
                ts=int(self.ts[row]),
                domain=self.domains[self.domain[row]],
                skill=self.skills[self.skill[row]],
                type=self.types[self.type[row]],
                score=None if np.isnan(self.score[row]) else float(self.score[row]),
                acted=None if self.acted[row] < 0 else bool(self.acted[row]),
            )
            for row in rows
        ]

    def rows(self) -> Iterator[tuple[str, list[Event]]]:
        """Yield each learner's id and events."""
        for index, learner in enumerate(self.learners):
            yield str(learner), self.of_learner(index)

    def table(self) -> pa.Table:
        """Return the events as an Arrow table in the canonical schema."""
        counts = np.diff(self.offsets)
        return pa.table(
            {
                "learner_id": np.repeat(self.learners, counts),
                "ts": pa.array(self.ts, pa.timestamp("us", tz="UTC")),
                "domain": pa.DictionaryArray.from_arrays(self.domain, list(self.domains)),
                "skill": pa.DictionaryArray.from_arrays(self.skill, list(self.skills)),
                "type": pa.DictionaryArray.from_arrays(self.type, list(self.types)),
                "score": pa.array(self.score, mask=np.isnan(self.score)),
                "acted": pa.array(self.acted == 1, mask=self.acted < 0),
            }
        )


def _codes(values: Names) -> tuple[Index, tuple[str, ...]]:
    """Return codes and the sorted vocabulary."""
    encoded = pa.array(values, pa.string()).dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names)
    rank = np.empty(names.size, dtype=np.int32)
    rank[order] = np.arange(names.size, dtype=np.int32)
    codes = rank[encoded.indices.to_numpy(zero_copy_only=False)] if names.size else np.empty(0, np.int32)
    return codes, tuple(str(name) for name in names[order])


def from_columns(
    learner: Names,
    ts: NDArray[np.int64],
    domain: Names,
    skill: Names,
    type_: Names,
    score: NDArray[np.float64],
    acted: NDArray[np.int8],
    rejected: Mapping[str, int] | None = None,
) -> Events:
    """Sort valid columns of shape (N,) into `Events`; for the meaning of each see there."""
    who, learners = _codes(learner)
    (domains, domain_names), (skills, skill_names), (types, type_names) = map(_codes, (domain, skill, type_))
    ts = np.asarray(ts, dtype=np.int64)
    order = np.lexsort((ts, who))
    return Events(
        learners=np.array(learners, dtype=np.str_),
        offsets=np.concatenate(([0], np.cumsum(np.bincount(who, minlength=len(learners))))).astype(np.int64),
        ts=ts[order],
        domain=domains[order],
        skill=skills[order],
        type=types[order],
        score=np.asarray(score, dtype=np.float64)[order],
        acted=np.asarray(acted, dtype=np.int8)[order],
        domains=domain_names,
        skills=skill_names,
        types=type_names,
        rejected=dict(rejected or {}),
    )


def from_events(learners: Mapping[str, Sequence[Event]]) -> Events:
    """Return the columns of plain events given by learner id."""
    rows = [(learner, event) for learner, events in learners.items() for event in events]
    return from_columns(
        [learner for learner, _ in rows],
        np.array([event.ts for _, event in rows], dtype=np.int64),
        [event.domain for _, event in rows],
        [event.skill for _, event in rows],
        [event.type for _, event in rows],
        np.array([np.nan if event.score is None else event.score for _, event in rows], dtype=np.float64),
        np.array([-1 if event.acted is None else int(event.acted) for _, event in rows], dtype=np.int8),
    )


def read_events(path: Path) -> Events:
    """Read canonical events from a Parquet or CSV file, or OULAD's folder (tidied Parquet or the published CSV tables).

    Raises EventsError, naming the file, the column and what was expected.
    """
    if path.is_dir():
        return _canonical(_read_oulad(path), path)
    if not path.exists():
        raise EventsError(
            f"{path}: no such file; give a Parquet or CSV file of events, or a folder with OULAD's tables"
        )
    return _canonical(_read_table(path), path)


def _read_table(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            return pyarrow.parquet.read_table(path)
        if path.suffix.lower() in {".csv", ".gz"}:
            # Ids stay text: "007" is not 7. Everything else is inferred, and checked row by row below.
            text = pyarrow.csv.ConvertOptions(
                column_types={
                    "learner_id": pa.string(),
                    "domain": pa.string(),
                    "skill": pa.string(),
                    "type": pa.string(),
                },
                strings_can_be_null=True,
            )
            return pyarrow.csv.read_csv(path, convert_options=text)
    except (pa.ArrowException, OSError) as error:
        raise EventsError(f"{path}: can't be read: {error}") from error
    raise EventsError(f"{path}: unknown kind of file {path.suffix!r}; expected .parquet or .csv")


def _read_oulad(folder: Path) -> pa.Table:
    """Return OULAD's scored submissions in the canonical schema: ts = start of the presentation + day (traits.md)."""
    tidied = folder / "assessment_events.parquet"
    published = folder / "studentAssessment.csv"
    if tidied.exists():
        table = _read_table(tidied)
        names = {"learner": "learner_id", "module": "module", "presentation": "presentation", "day": "day"}
    elif published.exists() and (folder / "assessments.csv").exists():
        table = _read_table(published).join(
            _read_table(folder / "assessments.csv"), "id_assessment", join_type="left outer"
        )
        names = {
            "learner": "id_student",
            "module": "code_module",
            "presentation": "code_presentation",
            "day": "date_submitted",
        }
    else:
        raise EventsError(
            f"{folder}: no OULAD tables; expected assessment_events.parquet, "
            "or studentAssessment.csv and assessments.csv"
        )
    missing = [name for name in (*names.values(), "assessment_type", "score") if name not in table.column_names]
    if missing:
        raise EventsError(f"{folder}: the assessment table lacks {', '.join(missing)}")
    starts = {name: _presentation_start(name) for name in table[names["presentation"]].unique().to_pylist()}
    start = np.array([starts[name] for name in table[names["presentation"]].to_pylist()], dtype=object)
    day = table[names["day"]].to_pylist()
    ts = [None if s is None or d is None else s + int(d) * DAY_US for s, d in zip(start, day, strict=True)]
    subject = pc.binary_join_element_wise(
        table[names["module"]].cast(pa.string()), table["assessment_type"].cast(pa.string()), " "
    )
    score = pc.divide(pc.cast(table["score"], pa.float64(), safe=False), 100.0)
    return pa.table(
        {
            "learner_id": table[names["learner"]].cast(pa.string()),
            "ts": pa.array(ts, pa.timestamp("us", tz="UTC")),
            "domain": subject,
            "skill": subject,
            "type": pa.array(["assessment"] * table.num_rows),
            "score": score,
        }
    )


def _presentation_start(name: str | None) -> int | None:
    """Return when a presentation like "2013J" starts, microseconds since 1970: B is 1 February, J 1 October."""
    month = {"B": 2, "J": 10}.get(name[4:], 0) if name else 0
    if not name or not month or not name[:4].isdigit():
        return None
    return int(datetime(int(name[:4]), month, 1, tzinfo=UTC).timestamp()) * 1_000_000


def _canonical(table: pa.Table, path: Path) -> Events:
    """Check each row and sort the good ones."""
    missing = [name for name in ("learner_id", "ts", "domain", "skill") if name not in table.column_names]
    if missing:
        raise EventsError(
            f"{path}: column {', '.join(missing)} is missing; expected learner_id, ts, domain, skill and optionally "
            f"type, score, acted; the file has {', '.join(table.column_names) or 'no columns'}"
        )
    rows = table.num_rows
    ts = _times(table["ts"])
    score = _numbers(table["score"]) if "score" in table.column_names else (np.full(rows, np.nan), np.ones(rows, bool))
    acted = (
        _flags(table["acted"]) if "acted" in table.column_names else (np.full(rows, -1, np.int8), np.ones(rows, bool))
    )
    texts = {name: _texts(table[name]) for name in ("learner_id", "domain", "skill")}
    kind = _texts(table["type"]) if "type" in table.column_names else np.full(rows, "training", dtype=object)
    kind[kind == ""] = "training"

    good = np.ones(rows, dtype=bool)
    rejected: dict[str, int] = {}
    checks: list[tuple[str, Callable[[], NDArray[np.bool_]]]] = [
        ("learner_id is missing", lambda: texts["learner_id"] == ""),
        ("ts is missing or not a time", lambda: ts == _NO_TIME),
        ("domain is missing", lambda: texts["domain"] == ""),
        ("skill is missing", lambda: texts["skill"] == ""),
        ("score is not a number", lambda: ~score[1]),
        ("score is not between 0 and 1", lambda: (score[0] < 0) | (score[0] > 1)),
        ("acted is not true or false", lambda: ~acted[1]),
    ]
    for reason, bad in checks:
        wrong = np.asarray(bad(), dtype=bool) & good
        if count := int(wrong.sum()):
            rejected[reason] = count
            good &= ~wrong
    return from_columns(
        texts["learner_id"][good],
        ts[good],
        texts["domain"][good],
        texts["skill"][good],
        kind[good],
        score[0][good],
        acted[0][good],
        rejected,
    )


_NO_TIME = np.iinfo(np.int64).min


def _texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """Return a column as text, "" where there is none."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
    return np.asarray(text.to_numpy(zero_copy_only=False), dtype=object)


def _times(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return microseconds since 1970: of timestamps, ISO 8601 text (no zone: UTC) or numbers of seconds."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        micros = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(pc.fill_null(micros, int(_NO_TIME)).to_numpy(), dtype=np.int64)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        seconds = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        known = np.isfinite(seconds) & (np.abs(np.nan_to_num(seconds)) < 1e11)  # beyond the year 5138: another unit
        out = np.full(seconds.size, _NO_TIME, dtype=np.int64)
        out[known] = np.round(seconds[known] * 1e6).astype(np.int64)
        return out
    return np.array([_parse_time(text) for text in _texts(column)], dtype=np.int64)


def _parse_time(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return int(_NO_TIME)
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _numbers(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return numbers (NaN where there is none) and which rows were readable."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.array(values, dtype=np.float64), np.isfinite(values) | np.isnan(values)
    values = np.full(len(column), np.nan)
    readable = np.ones(len(column), dtype=bool)
    for row, text in enumerate(_texts(column)):
        if text:
            try:
                values[row] = float(text)
            except ValueError:
                readable[row] = False
    return values, readable


_FLAGS = {"": -1, "true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}


def _flags(column: pa.ChunkedArray) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return 1, 0 or -1 (not known) and which rows were readable."""
    if pa.types.is_null(column.type):
        return np.full(len(column), -1, dtype=np.int8), np.ones(len(column), dtype=bool)
    if pa.types.is_boolean(column.type):
        known = pc.fill_null(column.cast(pa.int8()), -1).to_numpy()
        return np.array(known, dtype=np.int8), np.ones(len(column), dtype=bool)
    codes = np.array([_FLAGS.get(text.lower(), -2) for text in _texts(column)], dtype=np.int8)
    return np.maximum(codes, -1).astype(np.int8), codes != -2

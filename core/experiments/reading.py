"""CSV and Parquet files -> observations. Only the columns that are needed are read; unusable rows are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.experiments import cells
from core.experiments.aggregates import Floats
from core.experiments.inputs import Flag, Input, Is, Number, Within, within_window
from core.experiments.observations import MISSING, Labels, Observations
from core.experiments.sources import EXAMPLES, DataError, Misfit, RejectedRow, files_of, opened


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns are what.

    Attributes:
        variant: which version a learner was given; None where all are treated alike.
        inputs: of the metrics, by name.
        labels: columns of words: segments, cluster, learner. day: column of the day a learner came in.
        where: (column, word): only rows that hold it.
    """

    variant: str | None
    inputs: Mapping[str, Input]
    labels: tuple[str, ...] = ()
    day: str | None = None
    where: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Rejections:
    """Rows left out: how many by column and reason, and the first few of each."""

    reasons: dict[str, int] = field(default_factory=dict)
    examples: list[RejectedRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows left out, each counted once."""
        return sum(self.reasons.values())

    def to_json(self) -> dict[str, object]:
        """Return `{"rows", "reasons": {reason: n}, "examples": [text]}`."""
        return {"rows": self.rows, "reasons": dict(self.reasons), "examples": [str(e) for e in self.examples]}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read.

    Attributes:
        observations: the rows that can be used. rows: all that were asked for.
        censored: for each outcome with a window, learners whose window hasn't closed.
        simulated: how its learners were made up, as a file says; "" where they are real.
    """

    observations: Observations
    rows: int
    rejected: Rejections
    censored: Mapping[str, int]
    simulated: str = ""


def load(paths: Sequence[str | Path], roles: Roles, as_of: float | None = None) -> Loaded:
    """Read an experiment.

    Args:
        paths: files, or folders of files, of the same columns.
        as_of: the last day that the data tell of, in days since 1970-01-01 or the columns' own unit; default: the last
            event or exposure.

    Raises:
        DataError: a file can't be read, a column isn't there, or no row is left.
    """
    rejected, parts, rows = Rejections(), [], 0
    files = files_of(paths)
    for path in files:
        for part, read in read_batches(path, roles, rejected):
            parts.append(part)
            rows += read
    if not any(len(part) for part in parts):
        raise nothing_left(files, roles, rows, rejected)
    observations, censored = outcomes(join(parts), roles, as_of)
    return Loaded(observations, rows, rejected, censored, simulated_of(files))


def simulated_of(files: Sequence[Path]) -> str:
    """Return how learners were made up, as a file says; "" where they are real."""
    return next((said for path in files if (said := opened(path).simulated)), "")


def nothing_left(files: Sequence[Path], roles: Roles, rows: int, rejected: Rejections) -> DataError:
    """Return what is wrong where no row can be used."""
    why = f"; all {rows:,} rows were left out: {rejected.examples[0]}" if rejected.examples else ""
    told = " with " + ", ".join(f"{c}={v}" for c, v in roles.where) if roles.where else ""
    return DataError(f"{', '.join(map(str, files))}: no row{told} is left to analyse{why}")


def read_batches(path: Path, roles: Roles, rejected: Rejections) -> Iterator[tuple[Observations, int]]:
    """Yield a file's rows some at a time, with how many were asked for; those left out are added to `rejected`."""
    source = opened(path)
    wanted = list(dict.fromkeys(_raw_columns(roles)))
    for name in wanted:
        if name not in source.names:
            raise DataError(f"{path}: no column {name!r}; the columns are {', '.join(source.names)}")
    bad: list[Misfit] = []
    at = 0
    for batch in source.batches(wanted):
        found, problems, read = _converted(batch, roles)
        for (told, column, expected), places in problems.items():
            rejected.reasons[told] = rejected.reasons.get(told, 0) + len(places)
            for place, value in places[:EXAMPLES]:
                if len(bad) < EXAMPLES:
                    bad.append((at + place, column, value, expected))
        at += batch.num_rows
        yield found, read
    if source.misshapen:
        reason = f"the row has not {len(source.names)} columns"
        rejected.reasons[reason] = rejected.reasons.get(reason, 0) + source.misshapen
    rejected.examples += source.placed(bad)[: max(0, EXAMPLES - len(rejected.examples))]


def join(parts: Sequence[Observations]) -> Observations:
    """Return the rows of all parts together; their labels get one set of codes."""
    if len(parts) == 1:
        return parts[0]
    labels = {name: _joined([part.labels[name] for part in parts]) for name in parts[0].labels}
    numbers = np.concatenate([part.numbers for part in parts], axis=1)
    return Observations(_joined([part.variant for part in parts]), parts[0].columns, numbers, labels)


def _joined(parts: Sequence[Labels]) -> Labels:
    """Return labels with one set of codes, in alphabetical order, the missing last."""
    known = [part for part in parts if part.names]
    chunks = [pa.DictionaryArray.from_arrays(pa.array(p.codes), pa.array(p.names, pa.string())) for p in known]
    if not chunks:
        return parts[0]
    together = pa.chunked_array(chunks).unify_dictionaries()
    words = together.chunk(0).dictionary
    order = np.asarray(pc.array_sort_indices(words))
    names = words.take(pa.array(order)).to_pylist()
    if MISSING in names:
        at = names.index(MISSING)
        names.append(names.pop(at))
        order = np.append(np.delete(order, at), order[at])
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    return Labels(place[np.concatenate([np.asarray(chunk.indices) for chunk in together.chunks])], tuple(names))


def _raw_columns(roles: Roles) -> Iterator[str]:
    if roles.variant is not None:
        yield roles.variant
    for need in roles.inputs.values():
        if isinstance(need, Within):
            yield from (need.event, need.exposure)
        else:
            yield need.column
    yield from roles.labels
    if roles.day is not None:
        yield roles.day
    yield from (column for column, _ in roles.where)


_Problem = tuple[str, str, str]  # what is told, column, what was expected


def _converted(
    batch: pa.RecordBatch | pa.Table, roles: Roles
) -> tuple[Observations, dict[_Problem, list[tuple[int, str]]], int]:
    """Return a batch as observations, rows that can't be used with what is wrong, and how many were asked for."""
    asked = np.ones(batch.num_rows, dtype=bool)
    for column, word in roles.where:
        asked &= cells.words(batch[column]).equal(word)
    keep = asked.copy()
    problems: dict[_Problem, list[tuple[int, str]]] = {}

    def refuse(bad: NDArray[np.bool_], column: str, expected: str) -> None:
        places = np.flatnonzero(bad & keep)
        if places.size:
            values = batch[column].take(pa.array(places[:EXAMPLES])).to_pylist()
            told = [(int(p), str(values[i]) if i < len(values) else "") for i, p in enumerate(places)]
            problems[f"{column} is not {expected}", column, expected] = told
            keep[places] = False

    variant = Labels(np.zeros(batch.num_rows, np.int32), ("",))
    if roles.variant is not None:
        words = cells.words(batch[roles.variant])
        variant = words.labels
        refuse(words.missing, roles.variant, "a version")
    numbers: dict[str, Floats] = {}
    for name, need in roles.inputs.items():
        if isinstance(need, Is):
            words = cells.words(batch[need.column])
            yes = np.isin(words.labels.codes, [i for i, w in enumerate(words.labels.names) if w in need.words])
            numbers[name] = np.where(words.missing, np.nan, yes.astype(np.float64))
        elif isinstance(need, Flag):
            numbers[name], bad = cells.flags(batch[need.column])
            refuse(bad, need.column, "0 or 1, true or false, yes or no")
        elif isinstance(need, Number):
            numbers[name], bad = cells.numbers(batch[need.column])
            refuse(bad, need.column, "a number")
        else:
            for column in (need.event, need.exposure):
                numbers[f"{name}:{column}"], bad = cells.days(batch[column])
                refuse(bad, column, "a time such as 2025-10-31 or 2025-10-31T12:00:00Z, or a number of days")
    labels = {name: cells.words(batch[name]).labels for name in roles.labels}
    if roles.day is not None:
        days, bad = cells.days(batch[roles.day])
        refuse(bad, roles.day, "a day such as 2025-10-31, or a number of days")
        labels[f"day:{roles.day}"] = cells.day_labels(days)
    matrix = np.array(list(numbers.values())) if numbers else np.empty((0, batch.num_rows))
    found = Observations(variant, tuple(numbers), matrix, labels)
    return (found if keep.all() else found.where(keep)), problems, int(asked.sum())


def outcomes(observations: Observations, roles: Roles, as_of: float | None) -> tuple[Observations, dict[str, int]]:
    """Return observations whose windows have become outcomes, and how many learners each leaves censored."""
    windows = {name: need for name, need in roles.inputs.items() if isinstance(need, Within)}
    if not windows:
        return observations, {}
    columns = dict(zip(observations.columns, observations.numbers, strict=True))
    raw = {name: (columns.pop(f"{name}:{w.event}"), columns.pop(f"{name}:{w.exposure}")) for name, w in windows.items()}
    times = np.concatenate([times for pair in raw.values() for times in pair])
    if as_of is None:
        as_of = float(np.nanmax(times)) if (~np.isnan(times)).any() else 0.0
    censored = {}
    for name, window in windows.items():
        columns[name], censored[name] = within_window(*raw[name], window.days, as_of)
    numbers = np.array(list(columns.values()))
    return Observations(observations.variant, tuple(columns), numbers, observations.labels), censored

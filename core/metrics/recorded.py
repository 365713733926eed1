"""Recorded metrics from a CSV file, as the samples that a live source would have sent.

One row is what one version did from `ts` on until the next row's time. Columns: `ts` and any of `COLUMNS`. What a row
says is checked as it is read: a row that can't be so is rejected, counted and named by line, column and value.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.store import Sample, SampleFrame

COLUMNS = (
    "requests",
    "errors",
    "slow_requests",
    "availability_pct",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "revenue",
    "cost",
    "learners",
    "incidents",
    "segment",
    "region",
)
"""Columns that are understood, besides `ts`."""

_COUNTS = ("requests", "errors", "slow_requests", "learners", "incidents")
_AMOUNTS = ("revenue", "cost")
_LATENCY = re.compile(r"latency_p(50|95|99)_ms")
_NAMED = 5  # rejected rows that are named one by one
_EPOCH = re.compile(r"\d{9,11}(\.\d+)?")


class RecordedError(Exception):
    """A file that can't be read as recorded metrics; the text says where, what was found, and what was expected."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was left out: line of the file, column, what it holds, and what was expected."""

    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.value!r}; expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one value of the `by` column, or all of them.

    Attributes:
        value: of that column; None without one.
        frame: the samples. seconds: that each spans, the usual distance between rows.
        untold: columns of `Sample` that the file doesn't give, so that their zeros mean nothing.
    """

    value: str | None
    frame: SampleFrame
    seconds: float
    untold: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was read.

    Attributes:
        groups: in the order in which they begin in the file; at least one.
        rejected: rows left out. warnings: sentences about what is not used, not measured or left out.
    """

    groups: tuple[Group, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...]


def read_recorded(
    path: str | Path,
    *,
    version: str,
    where: tuple[str, str] | None = None,
    by: str | None = None,
    default_seconds: float = 30.0,
) -> Recorded:
    """Read recorded metrics of one version.

    Args:
        path: of a CSV file with a header; UTF-8.
        version: whose metrics they are.
        where: (column, value): only rows that hold this value.
        by: a group for each value of this column.
        default_seconds: that a row spans, where there is only one to tell it from.

    Raises:
        RecordedError: the file can't be read, has no column `ts`, lacks a column that was named, or no row is left.
    """
    path = Path(path)
    reader = _Reader(path, version, where, by)
    rows = list(reader.rows())
    if not rows:
        raise RecordedError(reader.nothing_left())
    groups: dict[str | None, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    untold = reader.untold()
    spacings = {value: _spacing([row.at for row in members]) for value, members in groups.items()}
    usual = min(filter(None, spacings.values()), default=default_seconds)
    out = []
    for value, members in groups.items():
        seconds = spacings[value] or usual
        samples = [row.sample(version, seconds) for row in members]
        out.append(Group(value, SampleFrame.of(samples), seconds, untold))
    return Recorded(tuple(out), tuple(reader.rejected), tuple(reader.warnings()))


@dataclass(frozen=True, slots=True)
class _Row:
    """One row that was accepted: its time, group, place and figures."""

    at: float
    group: str | None
    segment: str
    region: str
    figures: dict[str, float]

    def sample(self, version: str, seconds: float) -> Sample:
        told = self.figures
        requests = int(told.get("requests", 0))
        gauges = {name.removesuffix("_ms"): told[name] for name in told if _LATENCY.fullmatch(name)}
        if "incidents" in told:
            gauges["incidents"] = told["incidents"]
        probes = answered = 0
        if "availability_pct" in told:
            # A percentage of known requests is a count, and counts can be pooled.
            if "requests" in told:
                probes, answered = requests, round(requests * told["availability_pct"] / 100)
            else:
                gauges["availability"] = told["availability_pct"] / 100
        return Sample(
            id="",
            start=self.at,
            seconds=seconds,
            version=version,
            segment=self.segment,
            region=self.region,
            requests=requests,
            errors=int(told.get("errors", 0)),
            probes=probes,
            probes_ok=answered,
            slow=int(told["slow_requests"]) if "slow_requests" in told else None,
            gauges=gauges,
        )


class _Bad(Exception):
    """Why a row can't be accepted: column, value, what was expected."""


class _Reader:
    """Reads one file, and remembers what it met on the way."""

    def __init__(self, path: Path, version: str, where: tuple[str, str] | None, by: str | None) -> None:
        self.path = path
        self.version = version
        self.where = where
        self.by = by
        self.header: list[str] = []
        self.rejected: list[Rejected] = []
        self.empty = 0
        self.accepted = 0
        self.values: set[str] = set()
        self.naive = False

    def rows(self) -> Iterator[_Row]:
        """Yield the rows that can be used."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file, strict=True)
                self._read_header(lines)
                for cells in lines:
                    if not any(cell.strip() for cell in cells):
                        continue
                    try:
                        row = self._row(cells)
                    except _Bad as bad:
                        self.rejected.append(Rejected(lines.line_num, *bad.args))
                        continue
                    if row is not None:
                        self.accepted += 1
                        yield row
        except csv.Error as error:
            raise RecordedError(f"{self.path}, line {lines.line_num}: not CSV: {error}") from None
        except UnicodeDecodeError as error:
            raise RecordedError(f"{self.path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
        except OSError as error:
            raise RecordedError(f"{self.path}: can't be read: {error.strerror or error}") from None

    @property
    def read(self) -> int:
        """Rows that were asked for, whatever became of them."""
        return self.accepted + self.empty + len(self.rejected)

    def _read_header(self, lines: Iterator[list[str]]) -> None:
        self.header = [name.strip() for name in next(lines, [])]
        found = ", ".join(self.header) or "nothing"
        if "ts" not in self.header:
            hint = "; are the columns separated by semicolons? They must be by commas" if ";" in found else ""
            raise RecordedError(f"{self.path}, line 1: found {found}; expected a header with the column ts{hint}")
        twice = {name for name in self.header if name and self.header.count(name) > 1}
        if twice:
            raise RecordedError(f"{self.path}, line 1: column {', '.join(sorted(twice))} is there twice; expected once")
        for name in filter(None, (self.by, self.where and self.where[0])):
            if name not in self.header:
                raise RecordedError(f"{self.path}, line 1: no column {name!r}; the columns are {found}")
        if not set(self.header) & {*COLUMNS} - {"segment", "region"}:
            raise RecordedError(f"{self.path}, line 1: found {found}; expected any of {', '.join(COLUMNS)}")

    def _row(self, cells: list[str]) -> _Row | None:
        if len(cells) != len(self.header):
            raise _Bad("all columns", f"{len(cells)} cells", f"{len(self.header)} as in the header")
        told = dict(zip(self.header, (cell.strip() for cell in cells), strict=True))
        if self.where is not None:
            self.values.add(told[self.where[0]])
            if told[self.where[0]] != self.where[1]:
                return None
        at, naive = _time(told["ts"])
        self.naive |= naive
        figures = {name: value for name in COLUMNS if (value := _figure(name, told.get(name, ""))) is not None}
        self._check(told, figures)
        if not figures:
            self.empty += 1  # nothing was recorded: silence, not a healthy zero
            return None
        group = told[self.by] if self.by is not None else None
        return _Row(at, group, told.get("segment", ""), told.get("region", ""), figures)

    def _check(self, told: dict[str, str], figures: dict[str, float]) -> None:
        for name in ("errors", "slow_requests"):
            if name not in self.header:
                continue
            if name in figures and "requests" not in figures:
                raise _Bad(name, told[name], "requests in the same row, of which these are part")
            if name not in figures and "requests" in figures:
                raise _Bad(name, "", "a number, as the row has requests")
            if figures.get(name, 0) > figures.get("requests", math.inf):
                raise _Bad(name, told[name], f"no more than the row's requests, {told['requests']}")

    def untold(self) -> frozenset[str]:
        """Return the columns of `Sample` that this file gives no figures for."""
        missing = {name for name in ("requests", "errors") if name not in self.header}
        return frozenset(missing | {"fallbacks", "compared"})

    def nothing_left(self) -> str:
        """Say why no row is left."""
        if self.rejected:
            return f"{self.path}: none of {self.read:,} rows can be used; the first: {self.rejected[0]}"
        if self.where is not None and not self.read:
            known = ", ".join(sorted(self.values)[:20]) or "nothing"
            return f"{self.path}: no row has {self.where[0]} = {self.where[1]!r}; it holds {known}"
        return f"{self.path}: no row has any figure"

    def warnings(self) -> Iterator[str]:
        """Yield what a person should know about what was read."""
        used = {"ts", self.by, self.where[0] if self.where else None, *COLUMNS}
        if unknown := [name for name in self.header if name not in used]:
            yield f"{self.path}: columns not used: {', '.join(unknown)}"
        if "segment" not in self.header and "region" not in self.header:
            missing = [name for name in COLUMNS if name not in self.header and name not in {"segment", "region"}]
        else:
            missing = [name for name in COLUMNS if name not in self.header]
        if missing:
            yield f"{self.path}: not measured, as there is no such column: {', '.join(missing)}"
        if any(name in self.header for name in _AMOUNTS):
            yield (
                f"{self.path}: revenue and cost are totals of all learners; how much learners differ is not in them, so"
                " revenue is not measured"
            )
        if self.naive:
            yield f"{self.path}: times without a zone are taken as UTC"
        if self.empty:
            yield f"{self.path}: {self.empty:,} of {self.read:,} rows hold no figure and count as silence"
        if self.rejected:
            yield f"{self.path}: {len(self.rejected):,} of {self.read:,} rows rejected"
            for row in self.rejected[:_NAMED]:
                yield f"{self.path}, {row}"
            if len(self.rejected) > _NAMED:
                yield f"{self.path}: and {len(self.rejected) - _NAMED:,} more rejected rows"


def _time(text: str) -> tuple[float, bool]:
    """Return a time as seconds since 1970, and whether its zone had to be taken as UTC."""
    if _EPOCH.fullmatch(text):
        return float(text), False
    try:
        moment = dt.datetime.fromisoformat(text)
        naive = moment.tzinfo is None
        return (moment.replace(tzinfo=dt.UTC) if naive else moment).timestamp(), naive
    except (ValueError, OverflowError):
        raise _Bad("ts", text, 'a time such as "2025-10-31T12:00:00Z" or seconds since 1970') from None


def _figure(name: str, text: str) -> float | None:
    """Return the figure in a cell; None of an empty one, or of a column without figures."""
    if name in {"segment", "region"} or not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if name in _COUNTS:
        if not (0 <= value < 2**53 and value.is_integer()):
            raise _Bad(name, text, "a whole number, 0 or more")
    elif name == "availability_pct":
        if not 0 <= value <= 100:
            raise _Bad(name, text, "a percentage from 0 to 100")
    elif name in _AMOUNTS:
        if not math.isfinite(value):
            raise _Bad(name, text, "a number")
    elif not (value >= 0 and math.isfinite(value)):
        raise _Bad(name, text, "milliseconds, 0 or more")
    return value


def _spacing(times: list[float]) -> float | None:
    """Return the usual distance of the rows' times, seconds; None where there is only one."""
    distinct = np.unique(times)
    return float(np.median(np.diff(distinct))) if distinct.size > 1 else None

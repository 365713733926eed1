"""Which column is likely what, told from names and the first rows; to be checked by a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.experiments import cells
from core.experiments.observations import MISSING
from core.experiments.sources import DataError, files_of, opened

_VARIANT = ("variant", "version", "arm", "group", "treatment", "experimentgroup", "bucket", "assignment", "condition")
_CONTROL = ("control", "baseline", "original", "old", "a", "0", "false", "off")
_LEARNER = ("learner", "learnerid", "student", "studentid", "user", "userid", "idstudent", "person", "member")
_DAY = ("day", "date", "exposed", "exposedat", "exposure", "assignedat", "joined", "joinedat", "enrolled", "start")
_BEFORE = re.compile(r"(^|_)(before|pre|prior|baseline)(_|$)")
_WORSE = re.compile(r"churn|withdr|dropout|dropped|left|cost|error|refund|incident|latency|complain")
_OUTCOME = re.compile(r"result|outcome|status|completion|grade")
_GOOD = re.compile(r"pass|distinct|complet|success|done|finish|retain")
_BAD = re.compile(r"withdr|drop|churn|left|quit|cancel")
_LEVELS = (2, 24)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its first rows show it.

    Attributes:
        kind: "number", "flag" (yes or no), "words", "day".
        levels: its distinct words, the most frequent first, up to 100; none of numbers.
    """

    name: str
    kind: str
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricGuess:
    """A metric as `declare` reads it, in pieces."""

    name: str
    kind: str
    column: str
    second: str = ""
    covariate: str = ""
    lower_is_better: bool = False

    @property
    def written(self) -> str:
        """As `declare` reads it: "roi=roi(revenue, cost)"."""
        second = self.second.strip()
        return f"{self.name}={self.kind}({self.column}{'' if not second or second[0] == '=' else ', '}{second})"


@dataclass(frozen=True, slots=True)
class Guess:
    """Likely roles; "" or nothing where none is likely."""

    columns: tuple[Column, ...]
    variant: str
    control: str
    metrics: tuple[MetricGuess, ...]
    segments: tuple[str, ...]
    day: str
    learner: str

    def column(self, name: str) -> Column:
        """Return a column; raises KeyError if there is none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def guess_roles(paths: Sequence[str | Path]) -> Guess:
    """Look at the first rows of data and say what its columns may be.

    Raises:
        DataError: nothing can be read there.
    """
    first = files_of(paths)[0]
    source = opened(first)
    batch = next(iter(source.batches(source.names)), None)
    if batch is None or not batch.num_rows:
        raise DataError(f"{first}: holds no rows")
    columns = tuple(_looked_at(name, batch[name]) for name in source.names)
    variant = _named(columns, _VARIANT, lambda c: 2 <= len(c.levels) <= 12)
    levels = next((c.levels for c in columns if c.name == variant), ())
    day = _named(columns, _DAY, lambda c: c.kind in ("day", "number"))
    day = day or next((c.name for c in columns if c.kind == "day"), "")
    learner = _named(columns, _LEARNER, lambda _: True)
    taken = {variant, day, learner}
    left = [c for c in columns if c.name not in taken]
    metrics = _metrics(left)
    outcomes = {metric.column for metric in metrics}
    segments = tuple(
        c.name
        for c in left
        if c.kind == "words" and _LEVELS[0] <= len(c.levels) <= _LEVELS[1] and c.name not in outcomes
    )
    return Guess(columns, variant, likely_control(levels), metrics, segments, day, learner)


def likely_control(levels: Sequence[str]) -> str:
    """Return which of some versions is likely the old one: by its name, else the most frequent; "" of none."""
    named = (level for word in _CONTROL for level in levels if level.lower() == word)
    return next(named, levels[0] if levels else "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _named(columns: Sequence[Column], words: Sequence[str], fits: Callable[[Column], bool]) -> str:
    by_name = {_plain(c.name): c for c in columns}
    return next((by_name[word].name for word in words if word in by_name and fits(by_name[word])), "")


def _looked_at(name: str, values: object) -> Column:
    words = cells.words(values)
    counts = np.bincount(words.labels.codes, minlength=len(words.labels.names))
    order = np.argsort(-counts, kind="stable")[:100]
    levels = tuple(words.labels.names[i] for i in order if words.labels.names[i] != MISSING)
    _, no_flag = cells.flags(values)
    if levels and not no_flag.any() and len(levels) <= 2:
        return Column(name, "flag", levels)
    _, no_number = cells.numbers(values)
    if not no_number.any():
        return Column(name, "number", levels if len(words.labels.names) <= _LEVELS[1] else ())
    _, no_day = cells.days(values)
    return Column(name, "words" if no_day.any() else "day", levels if len(words.labels.names) <= 100 else ())


def _metrics(columns: Sequence[Column]) -> tuple[MetricGuess, ...]:
    before = {_stem(c.name): c.name for c in columns if c.kind == "number" and _BEFORE.search(c.name.lower())}
    names = {c.name.lower(): c.name for c in columns if c.kind == "number"}
    found = []
    if "revenue" in names and "cost" in names:
        found.append(MetricGuess("roi", "roi", names["revenue"], names["cost"], before.get("revenue", "")))
    for column in columns:
        if column.name in before.values() or _plain(column.name).endswith("id"):
            continue
        worse = bool(_WORSE.search(column.name.lower()))
        if column.kind == "flag":
            found.append(MetricGuess(column.name, "rate", column.name, lower_is_better=worse))
        elif column.kind == "words" and _OUTCOME.search(column.name.lower()):
            for pattern in (_GOOD, _BAD):
                words = [level for level in column.levels if pattern.search(level.lower())]
                if words:
                    name = f"{column.name} {'/'.join(words)}"
                    found.append(MetricGuess(name, "rate", column.name, f"={'|'.join(words)}", "", pattern is _BAD))
        elif column.kind == "number":
            covariate = before.get(_stem(column.name), "")
            found.append(MetricGuess(column.name, "mean", column.name, "", covariate, worse))
    return tuple(found)


def _stem(name: str) -> str:
    return _BEFORE.sub("", name.lower()).strip("_")

"""How a source's fields become canonical ones: picks, patterns, tables of values, scales, defaults. Pure, by column.

A mapping is applied to columns of any origin. A nested record has been turned into columns before, one for each path
that the mapping names, so that there is one meaning for all formats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.learners.importing import canonical as c
from core.learners.importing.chunk import Chunk, value_of
from core.learners.importing.fingerprint import of_column, of_rows
from core.learners.importing.rejected import Refusal, Rejected, RejectedFile, shown
from core.learners.words import within


@dataclass(frozen=True, slots=True)
class Pick:
    """One way to get a value.

    Attributes:
        paths: names of columns, or paths in a record; several are joined with `by` between, if all are there.
        match: a regular expression searched for in the text; its first group is the value, or all that it matched.
            What it isn't found in is missing.
        values: text -> value; what isn't in it is missing. None: as it is.
        low, high: the numbers, or the paths of the numbers, that become 0 and 1. Of scores only.
    """

    paths: tuple[str, ...]
    by: str = " "
    match: re.Pattern[str] | None = None
    values: Dict[str, str] | None = None
    low: float | str = 0.0
    high: float | str = 1.0

    @property
    def plain(self) -> bool:
        """Whether the value is taken as it stands, with its own type."""
        return len(self.paths) == 1 and self.match is None and self.values is None

    def needs(self) -> tuple[str, ...]:
        """Return all paths that it reads."""
        return (*self.paths, *(bound for bound in (self.low, self.high) if isinstance(bound, str)))


@dataclass(frozen=True, slots=True)
class Rule:
    """How one canonical field is found: the first pick that has a value, else the default."""

    picks: tuple[Pick, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How events are read from a source.

    Attributes:
        format: "" where the mapping doesn't say.
        fields: rules by canonical field, and "id", the source's own id of an event.
        only: rows in which one of these has no value aren't learners' events; they are skipped and counted apart.
        time_zone: of times that don't say theirs. time_unit: of times given as numbers. time_format: of other texts.
        drop_duplicates: whether a repeated event is dropped.
    """

    fields: Dict[str, Rule]
    format: str = ""
    only: tuple[Pick, ...] = ()
    time_zone: tzinfo = UTC
    time_unit: str = "s"
    time_format: str = ""
    drop_duplicates: bool = True
    name: str = field(default="", compare=False)

    def paths(self) -> list[str]:
        """Return everything that is read from the source, each once."""
        picks = [pick for rule in self.fields.values() for pick in rule.picks] + list(self.only)
        return list(dict.fromkeys(path for pick in picks for path in pick.needs()))

    def extras(self) -> list[str]:
        """Return the optional columns that are passed through."""
        return [name for name in self.fields if c.is_extra(name)]

    def schema(self, ids: bool) -> pa.Schema:
        """Return the schema of its batches, with or without fingerprints."""
        kinds = {"ts": c.TIME, "score": pa.float64(), "acted": pa.bool_()}
        kinds |= dict.fromkeys(c.EXTRA_NUMBERS, pa.float64())
        names = [*c.FIELDS, *self.extras(), *([c.EVENT_ID] if ids else [])]
        kinds[c.EVENT_ID] = pa.uint64()
        return pa.schema([(name, kinds.get(name, c.TEXT)) for name in names])


def by_name(columns: list[str]) -> Mapping:
    """Return the mapping of a table that already has the canonical names."""
    known = [name for name in columns if name in c.FIELDS or c.is_extra(name)]
    fields = {name: Rule((Pick((name,)),)) for name in known}
    fields["type"] = Rule(fields["type"].picks if "type" in fields else (), c.DEFAULT_TYPE)
    return Mapping(fields)


def apply(
    mapping: Mapping, chunk: Chunk, rejected: Rejected, out: RejectedFile | None = None, ids: bool = False
) -> tuple[pa.RecordBatch, int]:
    """Return the usable rows of a chunk in the canonical schema, and how many were skipped; the rest is rejected.

    Args:
        ids: give rows a fingerprint even where the canonical columns are all there is.
    """
    for refusal, original in chunk.refused:
        rejected.add(refusal)
        if out:
            out.add(refusal, original)
    work = _Work(mapping, chunk)
    wanted = work.wanted()
    good = wanted.copy()
    for name in work.columns_in_order():
        for reason, bad in work.problems(name):
            wrong = bad & good
            if not wrong.any():
                continue
            good &= ~wrong
            rows = np.flatnonzero(wrong)
            told = [Refusal(reason, chunk.file, int(chunk.lines[row]), work.found(name, int(row))) for row in rows[:5]]
            rejected.count(reason, rows.size, told)
            if out:
                for row in rows:
                    out.add(Refusal(reason, chunk.file, int(chunk.lines[row])), chunk.original(int(row)))
    return work.batch(good, ids), int(chunk.rows - wanted.sum())


class _Work:
    """One chunk under one mapping: the canonical columns, and what is wrong with their rows."""

    def __init__(self, mapping: Mapping, chunk: Chunk) -> None:
        self.mapping, self.chunk = mapping, chunk
        self.done: dict[str, pa.Array] = {}

    def wanted(self) -> c.Mask:
        keep = np.ones(self.chunk.rows, dtype=bool)
        for pick in self.mapping.only:
            keep &= pc.is_valid(self._text(pick)).to_numpy(zero_copy_only=False)
        return keep

    def columns_in_order(self) -> list[str]:
        return [*c.FIELDS, *self.mapping.extras()]

    def problems(self, name: str) -> list[tuple[str, c.Mask]]:
        if (column := self._as_it_is(name)) is not None:
            self.done[name] = column
            return []
        if name == "ts":
            return self._ts()
        if name == "score" or name in c.EXTRA_NUMBERS:
            return self._number(name)
        if name == "acted":
            return self._acted()
        return self._named(name)

    def batch(self, good: c.Mask, needs_ids: bool) -> pa.RecordBatch:
        ids = self._ids()
        if ids is None and needs_ids and self.chunk.rows:
            ids = of_rows([self.done[name] for name in c.FIELDS])
        schema = self.mapping.schema(ids is not None)
        if ids is not None:
            self.done[c.EVENT_ID] = pa.array(ids)
        batch = pa.record_batch([self.done[name] for name in schema.names], schema=schema)
        return batch if good.all() else batch.filter(pa.array(good))

    def found(self, name: str, row: int) -> str:
        """Return what the source says in a row where a field was looked for."""
        for pick in self._rule(name).picks:
            values = [value_of(self.chunk.columns[path][row]) for path in pick.paths if path in self.chunk.columns]
            told = pick.by.join(str(value) for value in values if value is not None)
            if told:
                return shown(told)
        return ""

    def _rule(self, name: str) -> Rule:
        return self.mapping.fields.get(name, Rule())

    def _column(self, path: str) -> pa.Array:
        column = self.chunk.columns.get(path)
        return pa.nulls(self.chunk.rows) if column is None else column

    def _text(self, pick: Pick) -> pa.DictionaryArray:
        parts = [c.texts(self._column(path)) for path in pick.paths]
        if len(parts) == 1:
            text = parts[0]
        else:
            joined = pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), pick.by)
            text = pc.dictionary_encode(joined)
        match, values = pick.match, pick.values

        def changed(word: str) -> str | None:
            if match is not None:
                found = match.search(word)
                if found is None:
                    return None
                word = (found[1] if match.groups else found[0]) or ""
            return (word if values is None else values.get(word)) or None

        return text if match is None and values is None else c.of_words(text, changed)

    def _as_it_is(self, name: str) -> pa.Array | None:
        """Return a field's column where it is canonical already, as that of most Parquet files; else None."""
        rule = self._rule(name)
        if len(rule.picks) != 1 or rule.default is not None:
            return None
        pick = rule.picks[0]
        if not pick.plain or (pick.low, pick.high) != (0.0, 1.0):
            return None
        column = self.chunk.columns.get(pick.paths[0])
        return column if column is not None and c.is_canonical(name, column) else None

    def _raw(self, pick: Pick) -> pa.Array:
        return self._column(pick.paths[0]) if pick.plain else self._text(pick)

    def _named(self, name: str) -> list[tuple[str, c.Mask]]:
        rule = self._rule(name)
        texts = [self._text(pick) for pick in rule.picks]
        default = rule.default
        if len(texts) == 1 and (default is None or not texts[0].null_count):
            text = texts[0]
        else:
            ways = [part.cast(pa.string()) for part in texts] + [pa.scalar(default, pa.string())]
            whole = pc.coalesce(*ways)
            text = pc.dictionary_encode(pa.array([default] * self.chunk.rows) if not texts else whole)
        text = text if text.type == c.TEXT else text.cast(c.TEXT)
        self.done[name] = text
        problems = []
        if name in c.TEXTS and text.null_count:
            problems.append((f"{name} is missing", pc.is_null(text).to_numpy(zero_copy_only=False)))
        longest = c.LONGEST.get(name, 1000)
        if within(text.dictionary, longest):
            return problems
        bad_words = {
            f"{name} is longer than {longest} characters": _longer(text, longest),
            f"{name} has a NUL character": pc.match_substring(text.dictionary, "\0"),
        }
        return problems + [(reason, _of_words(text, bad)) for reason, bad in bad_words.items() if pc.any(bad).as_py()]

    def _ts(self) -> list[tuple[str, c.Mask]]:
        m = self.mapping
        micros = np.zeros(self.chunk.rows, dtype=np.int64)
        known = np.zeros(self.chunk.rows, dtype=bool)
        for pick in self._rule("ts").picks:
            found, readable = c.times(self._raw(pick), m.time_zone, m.time_unit, m.time_format)
            micros = np.where(known, micros, found)
            known = known | readable
        self.done["ts"] = pa.array(micros, c.TIME)
        span = f"ts is not between {c.EARLIEST} and {c.LATEST}"
        return [("ts is missing or not a time", ~known), (span, ~c.plausible(micros))]

    def _number(self, name: str) -> list[tuple[str, c.Mask]]:
        rule = self._rule(name)
        values = np.full(self.chunk.rows, np.nan)
        unreadable = np.zeros(self.chunk.rows, dtype=bool)
        for pick in rule.picks:
            found, readable = c.numbers(self._raw(pick))
            open_ = np.isnan(values) & ~unreadable
            unreadable |= open_ & ~readable
            values = np.where(open_, self._scaled(pick, found), values)
        if rule.default is not None:
            values[np.isnan(values) & ~unreadable] = float(rule.default)
        self.done[name] = pa.array(values, mask=np.isnan(values))
        problems = [(f"{name} is not a number", unreadable)]
        if name == "score":
            problems.append(("score is not between 0 and 1", (values < 0) | (values > 1)))
        else:
            problems.append((f"{name} is not finite", np.isinf(values)))
        return problems

    def _scaled(self, pick: Pick, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if (pick.low, pick.high) == (0.0, 1.0):
            return values
        low, high = (
            c.numbers(self._column(bound))[0] if isinstance(bound, str) else bound for bound in (pick.low, pick.high)
        )
        span = np.asarray(high, dtype=np.float64) - low
        with np.errstate(invalid="ignore"):
            scaled = (values - low) / np.where(span > 0, span, np.nan)
            # A hundred of a hundred is 1, whatever the rounding.
            return np.where(values == high, np.where(span > 0, 1.0, np.nan), scaled)

    def _acted(self) -> list[tuple[str, c.Mask]]:
        rule = self._rule("acted")
        codes = np.full(self.chunk.rows, -1, dtype=np.int8)
        unreadable = np.zeros(self.chunk.rows, dtype=bool)
        for pick in rule.picks:
            found, readable = c.flags(self._raw(pick))
            open_ = (codes < 0) & ~unreadable
            unreadable |= open_ & ~readable
            codes = np.where(open_, found, codes)
        if rule.default is not None:
            codes[(codes < 0) & ~unreadable] = rule.default == "true"
        self.done["acted"] = pa.array(codes == 1, mask=codes < 0)
        return [("acted is not true or false", unreadable)]

    def _ids(self) -> NDArray[np.uint64] | None:
        chunk = self.chunk
        if not self.mapping.drop_duplicates:
            return _own_ids(chunk)
        rule = self.mapping.fields.get("id")
        if rule is None:
            return chunk.ids
        told = self._text(rule.picks[0])
        return np.where(
            pc.is_valid(told).to_numpy(zero_copy_only=False),
            of_column(told),
            _own_ids(chunk) if chunk.ids is None else chunk.ids,
        )


def _of_words(text: pa.DictionaryArray, bad: pa.Array) -> c.Mask:
    """Return the rows that have a bad word, of a mask of the dictionary's words."""
    return np.asarray(pc.fill_null(pc.take(bad, text.indices), False).to_numpy(zero_copy_only=False))


def _own_ids(chunk: Chunk) -> NDArray[np.uint64]:
    """Return an id of its own for every row, so that none repeats another."""
    return np.asarray(of_column(pa.array([chunk.file]))[0] + chunk.lines.astype(np.uint64))


def _longer(text: pa.DictionaryArray, longest: int) -> pa.Array:
    return pc.greater(pc.utf8_length(text.dictionary), longest)

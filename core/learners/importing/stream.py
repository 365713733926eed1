"""Opens a source of learners' events and yields them in the canonical schema, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pyarrow as pa

from core.learners.events import EventsError
from core.learners.importing import canonical as c
from core.learners.importing import delimited, detect, documents, jsonlines, oulad, parquet, records, sql
from core.learners.importing.chunk import Chunk
from core.learners.importing.guess import suggested
from core.learners.importing.mapping import Mapping, apply, by_name
from core.learners.importing.mappingfile import builtin, load_mapping
from core.learners.importing.paths import BadPath, steps
from core.learners.importing.rejected import EXAMPLES, Refusal, Rejected, RejectedFile
from core.learners.importing.source import Source

REPEATED = "the event is there twice"


class EventStream:
    """Learners' events as batches in the canonical schema, in the source's order.

    Each iteration reads the source from the start. Batches have `learner_id`, `domain`, `skill`, `type` (text,
    dictionary-encoded), `ts` (microseconds, UTC), `score` (0 to 1, null where there is none), `acted` (null where it
    isn't known), the optional columns that the source has, and `event_id` where repeated rows can't be known by the
    others. Iterating raises EventsError where the source can't be read on.

    Attributes:
        source: as messages call it. format: one of `detect.FORMATS`. mapping: what it is read with.
        rejected: rows that couldn't be used so far; whole after the last batch.
        skipped: rows so far that aren't learners' events by the mapping's `only`.
        rows: usable rows so far.
        notes: sentences about the source that a user should know.
    """

    def __init__(self, sources: list[Source], mapping: Mapping, name: str) -> None:
        self.source, self.format, self.mapping = name, sources[0].format, mapping
        self.rejected = Rejected()
        self.skipped = 0
        self.rows = 0
        self.notes: list[str] = []
        self._sources = sources
        self._out: Path | None = None

    def again(self) -> EventStream:
        """Return the same source and mapping as a stream of its own: what this one counted and writes stays."""
        return EventStream(self._sources, self.mapping, self.source)

    def write_rejected(self, path: Path) -> EventStream:
        """Write rejected rows to a file while the stream is read: CSV if its name ends so, else JSON lines.

        Each has the file, the line, the reason and the row as it was. Say it before the first batch is read.
        """
        self._out = path
        return self

    def reject_repeated(self, rows: int, told: Iterator[tuple[str, str]]) -> None:
        """Count repeated events, found where a learner's events come together; `told`: each in short, and whole."""
        first: list[Refusal] = []
        with ExitStack() as stack:
            out = stack.enter_context(RejectedFile(self._out, append=True)) if self._out else None
            for short, event in told if out else islice(told, EXAMPLES):
                refusal = Refusal(REPEATED, self.source, 0, short)
                first += [refusal] if len(first) < EXAMPLES else []
                if out:
                    out.add(refusal, event)
        self.rows -= rows
        self.rejected.count(REPEATED, rows, first)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, from the source's start."""
        self.rejected, self.skipped, self.rows = Rejected(), 0, 0
        self.notes.clear()
        wanted = self.mapping.paths()
        # Rows of files with different columns can only be compared by what stands for the whole row.
        alike = len({tuple(source.columns or ()) for source in self._sources}) == 1
        with ExitStack() as stack:
            out = stack.enter_context(RejectedFile(self._out)) if self._out else None
            for source in self._sources:
                for chunk in source.chunks(wanted):
                    batch, skipped = apply(self.mapping, chunk, self.rejected, out, ids=not alike)
                    self.skipped += skipped
                    self.rows += batch.num_rows
                    if batch.num_rows:
                        yield batch
                self.notes += source.notes
                source.notes.clear()


def open_events(
    source: str | Path,
    format: str = "auto",  # noqa: A002
    mapping: Mapping | str | Path | None = None,
    query: str | None = None,
) -> EventStream:
    """Open learners' events.

    Args:
        source: a file (gzip or not), a folder of files of one format, a folder of OULAD's tables, or an SQLAlchemy URL.
        format: "auto": by content; else one of `detect.FORMATS`.
        mapping: a mapping, the path of its YAML file, or the name of one that comes with the program ("xapi");
            None: the one of the format, or canonical column names.
        query: what to select, for a database.

    Raises:
        EventsError: there is nothing there, it isn't a known format, or columns are missing; the message offers the
            mapping that it would need.
        MappingError: the mapping has mistakes.
    """
    if format not in ("auto", *detect.FORMATS):
        raise EventsError(f'format "{format}" is not known; expected auto or one of {", ".join(detect.FORMATS)}')
    given = mapping if isinstance(mapping, Mapping) or mapping is None else load_mapping(mapping)
    kind = given.format if format == "auto" and given and given.format else format
    name = sql.safe_name(str(source)) if sql.is_url(str(source)) else str(source)
    sources = _sources(source, kind, query)
    for one in sources:
        _check_columns(one, given)
    if given is None:
        # Files of a folder may have more or fewer of the optional columns.
        columns = [column for one in sources for column in one.columns or ()]
        given = builtin(sources[0].mapping) if sources[0].mapping else by_name(list(dict.fromkeys(columns)))
    return EventStream(sources, given, name)


def _sources(source: str | Path, kind: str, query: str | None) -> list[Source]:
    if sql.is_url(str(source)):
        if kind not in ("auto", "sql"):
            raise EventsError(f"{sql.safe_name(str(source))}: is a database; its format is sql, not {kind}")
        return [sql.open_query(str(source), query)]
    path = Path(source)
    if query is not None or kind == "sql":
        raise EventsError(f"{path}: is no database; a query needs an SQLAlchemy URL such as sqlite:///events.db")
    if not path.exists():
        raise EventsError(
            f"{path}: no such file; expected a file of events ({', '.join(detect.FILE_FORMATS)}), a folder of them, a "
            "folder of OULAD's tables, or an SQLAlchemy URL with a query"
        )
    if path.is_dir():
        if kind == "oulad" or (kind == "auto" and oulad.is_folder(path)):
            return [oulad.open_folder(path)]
        return _folder(path, kind)
    if kind == "oulad":
        raise EventsError(f"{path}: is a file; OULAD is a folder of tables: give the folder")
    return [_file(path, kind)]


def _folder(path: Path, kind: str) -> list[Source]:
    """Return the files of a folder and those below, in order of name."""
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    if not files:
        raise EventsError(f"{path}: is an empty folder; expected files of events, or {oulad.TABLES}")
    try:
        sources = [_file(file, kind) for file in files]
    except EventsError as error:
        raise EventsError(
            f"{path}: a folder is read as files of one format, or as {oulad.TABLES}; but: {error}"
        ) from None
    seen = sorted({one.format for one in sources})
    if len(seen) > 1:
        raise EventsError(f"{path}: has files of several formats ({', '.join(seen)}); give them one by one")
    return sources


def _file(path: Path, kind: str) -> Source:
    found = detect.file_format(path)
    if kind != "auto" and kind != found:
        if not {kind, found} <= detect.NESTED:
            raise EventsError(f"{path}: is {found} by its content, not {kind}")
        found = kind
    if found == "csv":
        names, delimiter = delimited.header(path)
        return Source(str(path), "csv", names, lambda wanted: delimited.read(path, names, delimiter, wanted))
    if found == "parquet":
        return Source(str(path), "parquet", parquet.names(path), lambda wanted: parquet.read(path, wanted))
    notes: list[str] = []

    def read(wanted: list[str]) -> Iterator[Chunk]:
        if lines and jsonlines.is_flat(wanted):
            return jsonlines.read(path, wanted)
        flow = documents.by_line(path, notes) if lines else documents.by_element(path, notes)
        return records.chunks(str(path), flow, wanted)

    lines = detect.one_record_a_line(path)
    columns = documents.keys(path, lines) if found == "jsonl" else None
    return Source(str(path), found, columns, read, "" if found == "jsonl" else found, notes)


def _check_columns(source: Source, mapping: Mapping | None) -> None:
    """Raise EventsError where a source lacks columns; `mapping` is the one that was given."""
    if mapping is not None and source.format in detect.NESTED:
        for path in mapping.paths():  # a record may lack a key that others have; but a path has to be one
            try:
                steps(path)
            except BadPath as error:
                raise EventsError(f"{mapping.name or 'mapping'}: {path}: expected {error}") from None
        return
    if source.columns is None:
        return
    has = f"it has {', '.join(source.columns) or 'no columns'}"
    if mapping is not None:
        absent = [path for path in mapping.paths() if path not in source.columns]
        if absent:
            named = f"the mapping {mapping.name} names".replace("  ", " ")
            raise EventsError(f"{source.name}: column {', '.join(absent)} is missing, which {named}; {has}")
        return
    absent = [name for name in c.REQUIRED if name not in source.columns]
    if absent:
        raise EventsError(
            f"{source.name}: column {', '.join(absent)} is missing; {has}. If they have other names, save this as "
            f"mapping.yaml, check it, and give it as the mapping:\n\n{suggested(source.columns, source.format)}"
        )

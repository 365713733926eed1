"""Events of any order and any number, brought together by learner in bounded memory: dealt out, then scanned in parts.

Rows are dealt out, as they come, to parts by a fingerprint of their learner's id; they lie in memory up to a limit,
then in temporary files. When the source has ended, each part is put in order and scanned by itself. What is left is
one `Scan` of all learners: the same, to the last bit, as that of all events sorted in memory.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from itertools import islice
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Protocol, TypeVar
from weakref import finalize

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.compiled import cores
from core.learners import kernel
from core.learners import traits as t
from core.learners.arrow import nullable
from core.learners.dealing import Named, Unordered, begins, deal, unnumbered
from core.learners.events import EventsError
from core.learners.importing.canonical import EVENT_ID
from core.learners.importing.collect import told_event
from core.learners.names import Names, ranked, sort_order
from core.learners.packing import Words, most_words, pack
from core.learners.part import Lying, Part, Vocabulary, Window, repetitions_of_part, scan_part
from core.learners.recall import Recall
from core.learners.recall_fit import fit_recall, in_sample
from core.learners.rows import NO_IDS, ROW, Ids, Numbers, Offsets, Rows

PARTS = 128
_SLAB = 1 << 23  # words that memory is asked for at once: large pieces cost the system much less
KEEP_BYTES = 3 << 29
"""Bytes of rows in memory: the first three quarters stay there, what comes then waits for files, or is on the way."""
_ROUNDS = 8
"""Into so many of these bytes one part is written to files at once."""
_EVENT_BYTES = 24  # in the files, with its score and its id
_PIECES = 1024  # arrays that the system takes in one call, at most

_Result = TypeVar("_Result")

_Pieces = list[list[Words]]
_Leaving = tuple[Path, list[Words]]
"""A file, and what is to be appended to it."""


@dataclass(frozen=True, slots=True)
class Population:
    """All learners of a source, scanned.

    Attributes:
        learners: ids, sorted, a large_string array of shape (L,). scan: of as many.
        last: time of each one's last event, microseconds since 1970, shape (L,).
        domains: the vocabulary of `top_domain`. events: how many there are, each once.
    """

    learners: pa.Array
    scan: kernel.Scan
    last: NDArray[np.int64]
    domains: tuple[str, ...]
    events: int


class Parts:
    """Takes batches in the canonical schema, then gives each part's events. A context, because it may leave files.

    Args:
        parts: how many; a power of two. keep_bytes: of rows in memory. folder: for the files; None: the system's.
        in_files: in the end all rows lie in files, where other processes can read them.
    """

    def __init__(
        self,
        parts: int = PARTS,
        keep_bytes: int = KEEP_BYTES,
        folder: Path | None = None,
        in_files: bool = False,
    ) -> None:
        self.parts = parts
        self._round, self._in_files = keep_bytes // _ROUNDS, in_files
        self._folder = folder and folder.resolve()  # others may stand elsewhere
        self._staying = 0 if in_files else keep_bytes - 2 * self._round
        self._learners, self._domains, self._skills, self._types = Names(parts), Names(), Names(), Names()
        self._columns = {
            "learner_id": _Column(self._learners),
            "domain": _Column(self._domains),
            "skill": _Column(self._skills),
            "type": _Column(self._types),
        }
        self._memory = _Memory()
        self._rows = _Dealt(parts)
        self._ids: _Dealt | None = None
        self._begun = False
        self._last = np.iinfo(np.int64).min
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._writer = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.shutdown(cancel_futures=True)
        self._memory.end()  # what waits to be used again would wait for ever
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def spilled(self) -> bool:
        """Whether rows lie in files."""
        return self._temporary is not None

    @property
    def as_of(self) -> int:
        """Time of the last event, microseconds since 1970; raises EventsError when there is none."""
        if not len(self._learners):
            raise EventsError("no events: nothing to analyse (every row was rejected or the file is empty)")
        return self._last

    def add(self, batch: pa.RecordBatch) -> None:
        """Deal out the rows of a batch. Raises EventsError where there is no room for the files."""
        if batch.num_rows:
            self._hold(self._dealt(self._numbered(batch)))

    def add_all(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Deal out all batches, several at a time, while the next ones are read."""
        waiting: deque[Future[Future[_Dealing]]] = deque()
        with ThreadPoolExecutor(1) as numbering, ThreadPoolExecutor(cores()) as dealing:

            def number(batch: pa.RecordBatch) -> Future[_Dealing]:
                return dealing.submit(self._dealt, self._numbered(batch))

            for batch in batches:
                if batch.num_rows:
                    waiting.append(numbering.submit(number, batch))
                while len(waiting) > 2 * cores():
                    self._hold(waiting.popleft().result().result())
            while waiting:
                self._hold(waiting.popleft().result().result())

    def _numbered(self, batch: pa.RecordBatch) -> Unordered:
        """Return a batch with numbers for names. One batch after the other: names are numbered as they come up."""
        ts = batch.column("ts").cast(pa.int64()).to_numpy()
        self._last = max(self._last, int(ts.max()))
        names = {name: column.named(batch.column(name)) for name, column in self._columns.items()}
        return Unordered(
            names["learner_id"],
            ts,
            names["domain"],
            names["skill"],
            names["type"],
            nullable(batch.column("score").cast(pa.float64())),
            nullable(batch.column("acted").cast(pa.bool_())),
            batch.column(EVENT_ID).to_numpy() if EVENT_ID in batch.schema.names else NO_IDS,
        )

    def _dealt(self, events: Unordered) -> _Dealing:
        starts = begins(events.who, self.parts)
        rows, ids = np.empty(events.ts.size, dtype=ROW), np.empty(events.ids.size, dtype=np.uint64)
        deal(events, starts, rows, ids)
        words = np.empty(most_words(rows.size, self.parts), dtype=np.uint64)
        places = pack(rows, starts, words)
        return _Dealing(self._memory.copy(words[: places[-1]]), places, ids if ids.size else None, starts)

    def _hold(self, dealt: _Dealing) -> None:
        if self._ids is None and dealt.ids is not None and not self._begun:
            self._ids = _Dealt(self.parts)
        elif self._ids is not None and dealt.ids is None:
            self._ids = None  # without ids for all of them, events are compared by what they say
        self._begun = True
        self._rows.add(dealt.rows, dealt.places)
        if self._ids is not None and dealt.ids is not None:
            self._ids.add(dealt.ids, dealt.starts)
        held = self._rows.held_bytes + (self._ids.held_bytes if self._ids else 0)
        if self._staying:
            if held > self._staying:
                self._staying = 0
                self._rows.stay()
                if self._ids:
                    self._ids.stay()
        elif held > self._round:  # as many may still be on their way to the files
            self._spill()

    def _spill(self) -> None:
        """Have what doesn't stay in memory written to files, while the next rows come."""
        self._wait()
        with self._telling():
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="canary-events-", dir=self._folder)
            folder = Path(self._temporary.name)
            leaving = self._rows.let_go(folder, "rows")
            if self._ids is not None:
                leaving += self._ids.let_go(folder, "ids")
        self._written = self._writer.submit(_write_all, leaving)

    def _wait(self) -> None:
        """Wait until the files hold what they were to."""
        if self._written is not None:
            with self._telling():
                self._written.result()
            self._written = None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            raise EventsError(
                f"{where}: events that don't fit into memory can't be kept there: {error.strerror}; TMPDIR names "
                f"another folder, with about {_EVENT_BYTES} bytes an event free"
            ) from None

    @cached_property
    def _texts(self) -> pa.Array:
        return self._learners.texts()

    @cached_property
    def _begins(self) -> NDArray[np.int64]:
        return np.concatenate(([0], np.cumsum(self._learners.counts))).astype(np.int64)

    @cached_property
    def _vocabularies(self) -> tuple[Vocabulary, ...]:
        return tuple(Vocabulary(*ranked(names)) for names in (self._domains, self._skills, self._types))

    @property
    def domains(self) -> tuple[str, ...]:
        """The vocabulary of domains, sorted. Of all parts; so ask when all batches have been added."""
        return self._vocabularies[0].words

    def learners(self) -> pa.Array:
        """Return the ids of all learners, part by part."""
        return self._texts

    def rows_of(self, part: int) -> slice:
        """Return where a part's learners are among all."""
        return slice(int(self._begins[part]), int(self._begins[part + 1]))

    def part(self, number: int, last: bool = True) -> Part:
        """Return a part, when all batches have been added; `last`: its rows are not asked for again.

        Raises EventsError where there is no room for the files.
        """
        if self._in_files:
            self._in_files = False
            self._spill()
        self._wait()
        self._memory.end()
        return Part(
            self._rows.take(number, last),
            None if self._ids is None else self._ids.take(number, last),
            int(self._learners.counts[number]),
            *self._vocabularies,
        )

    def told(self, number: int, repeated: Rows) -> Iterator[tuple[str, str]]:
        """Yield of rows that repeated others, see `PartScan`, what they are in short, and as JSON."""
        names = self._texts[self.rows_of(number)]
        domains, skills, types = (vocabulary.words for vocabulary in self._vocabularies)
        for ts, score, who, domain, skill, kind in repeated.tolist():
            yield told_event(names[who].as_py(), ts, domains[domain], skills[skill], types[kind >> 2], score)


class Engine(Protocol):
    """Where parts are worked on."""

    def map(self, work: Callable[..., _Result], calls: Iterable[tuple[Any, ...]]) -> Iterator[_Result]:
        """Do some work with each of the arguments, several at a time; yield the results in order."""
        ...


class Threads:
    """This process's threads: one a core, unless told otherwise."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or cores()

    def map(self, work: Callable[..., _Result], calls: Iterable[tuple[Any, ...]]) -> Iterator[_Result]:
        """Do some work with each of the arguments; no more of them are taken ahead than can be worked on."""
        waiting: deque[Future[_Result]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for arguments in calls:
                waiting.append(pool.submit(work, *arguments))
                if len(waiting) > self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def scan_parts(
    parts: Parts,
    as_of: int | None = None,
    weeks: int = t.WEEKS,
    reject: Callable[[int, Iterator[tuple[str, str]]], None] | None = None,
    engine: Engine | None = None,
) -> Population:
    """Scan all parts; `reject` is told how many rows repeated others, and what they are.

    Raises EventsError when there is no event.
    """
    end = parts.as_of
    window = Window(end if as_of is None else as_of, weeks)
    engine = engine or Threads()
    names = parts.learners()
    recall = _fit_recall(parts, window, in_sample(names), engine)
    sums = np.zeros(len(names), dtype=kernel.SUMS)
    gains = np.empty((len(names), weeks), dtype=np.int16)
    half_lives = np.empty(len(names))
    last = np.empty(len(names), dtype=np.int64)
    total = 0
    calls = ((parts.part(number), window, recall) for number in range(parts.parts))
    for number, found in enumerate(engine.map(scan_part, calls)):
        rows = parts.rows_of(number)
        sums[rows], gains[rows], half_lives[rows] = found.scan.sums, found.scan.gains, found.scan.half_lives
        last[rows] = found.last
        total += found.events
        if found.repeated is not None and reject is not None:
            reject(len(found.repeated), parts.told(number, found.repeated))
    order = sort_order(names)
    if order is not None:
        names = names.take(pa.array(order))
        sums, gains, half_lives, last = sums[order], gains[order], half_lives[order], last[order]
    return Population(names, kernel.Scan(sums, gains, window.as_of, half_lives, recall), last, parts.domains, total)


def _fit_recall(parts: Parts, window: Window, chosen: NDArray[np.bool_], engine: Engine) -> Recall | None:
    """Fit the model of recall on the learners chosen; only the parts that have any of them are looked at."""
    numbers = [number for number in range(parts.parts) if chosen[parts.rows_of(number)].any()]
    calls = ((parts.part(number, last=False), window, chosen[parts.rows_of(number)]) for number in numbers)
    found = []
    before = 0  # learners chosen
    for number, repetitions in zip(numbers, engine.map(repetitions_of_part, calls), strict=True):
        repetitions[:, 4] += before
        before += int(chosen[parts.rows_of(number)].sum())
        found.append(repetitions)
    return fit_recall(np.concatenate(found))


class _Memory:
    """Room for words, from large pieces. Those that no words refer to any more are used again: new ones cost the system
    as much as a copy of them, because it clears them first."""

    def __init__(self) -> None:
        self._slab: Words = np.empty(0, dtype=np.uint64)
        self._free: list[memoryview] = []
        self._ended = False
        self._lock = Lock()

    def copy(self, words: Words) -> Words:
        """Return a copy of some words."""
        with self._lock:
            if self._slab.size < words.size:
                self._slab = self._piece(words.size)
            taken, self._slab = self._slab[: words.size], self._slab[words.size :]
        taken[:] = words
        return taken

    def _piece(self, words: int) -> Words:
        if words > _SLAB:
            return np.empty(words, dtype=np.uint64)
        memory = self._free.pop() if self._free else np.empty(_SLAB, dtype=np.uint64).data
        # Of a memoryview, so that this array, and not what is beneath, is what all slices of it refer to.
        slab: Words = np.frombuffer(memory, dtype=np.uint64)
        finalize(slab, self._reuse, memory).atexit = False
        return slab

    def _reuse(self, memory: memoryview) -> None:
        if not self._ended:
            self._free.append(memory)

    def end(self) -> None:
        """Ask for no room any more: what is free, now or later, goes back to the system."""
        self._ended = True
        self._slab = np.empty(0, dtype=np.uint64)
        self._free.clear()


class _Dealt:
    """Words dealt out to parts: the first ones stay in memory, the next go to one file a part, the last wait for it."""

    def __init__(self, parts: int) -> None:
        self.held_bytes = 0
        self._parts = parts
        self._stay: _Pieces = [[] for _ in range(parts)]
        self._held: _Pieces = [[] for _ in range(parts)]
        self._files: list[Path] = []

    def add(self, dealt: Words, starts: Offsets) -> None:
        """Take an array whose words starts[i] to starts[i + 1] belong to part i."""
        for part, held in enumerate(self._held):
            if starts[part + 1] > starts[part]:
                held.append(dealt[starts[part] : starts[part + 1]])
        self.held_bytes += dealt.nbytes

    def _taken(self) -> _Pieces:
        taken, self._held, self.held_bytes = self._held, [[] for _ in range(self._parts)], 0
        return taken

    def stay(self) -> None:
        """Have what has come so far, the first time, stay in memory."""
        self._stay = self._taken()

    def let_go(self, folder: Path, name: str) -> list[_Leaving]:
        """Return what has come since, to be written to files in a folder."""
        if not self._files:
            self._files = [folder / f"{name}-{part}" for part in range(self._parts)]
        return list(zip(self._files, self._taken(), strict=True))

    def take(self, part: int, last: bool) -> Lying:
        """Return a part; `last`: what is in memory is forgotten."""
        found: list[Words | Path] = []
        for place in (self._stay, self._held):
            found += [np.concatenate(place[part])] if place[part] else []
            if last:
                place[part] = []
            if place is self._stay and self._files:
                found.append(self._files[part])
        return tuple(found)


def _write_all(leaving: list[_Leaving]) -> None:
    for file, pieces in leaving:  # those without pieces too: a part's file that isn't there has been lost
        with file.open("ab", buffering=0) as opened:
            _write(opened, pieces)
        pieces.clear()


def _write(file: FileIO, pieces: Sequence[Words]) -> None:
    """Append pieces to a file, many with each call of the system; raises OSError where there is no room."""
    waiting = deque(piece.data.cast("B") for piece in pieces)
    while waiting:
        written = os.writev(file.fileno(), list(islice(waiting, _PIECES)))
        while waiting and written >= waiting[0].nbytes:
            written -= waiting.popleft().nbytes
        if written:  # a piece cut off: by a limit of the system, or by a full disk, which the next call will tell
            waiting[0] = waiting[0][written:]


@dataclass(frozen=True, slots=True)
class _Dealing:
    """Rows dealt out and packed: those of part i are the words from places[i] to places[i + 1]; and their ids, where
    the source has any: from starts[i] to starts[i + 1]."""

    rows: Words
    places: Offsets
    ids: Ids | None
    starts: Offsets


class _Column:
    """A column of text that comes batch by batch, often with the same dictionary again."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._dictionary: pa.Array = pa.array([], pa.string())
        self._numbers: Numbers = np.empty(0, dtype=np.int32)

    def named(self, column: pa.DictionaryArray) -> Named:
        """Return the number of each row's name; only names that are used get one."""
        if not _same(column.dictionary, self._dictionary):
            self._dictionary = column.dictionary
            self._numbers = np.full(len(column.dictionary), -1, dtype=np.int32)
        found = Named(column.indices.to_numpy(), self._numbers)
        new = unnumbered(found)
        if new.size:
            words = self._dictionary if new.all() else self._dictionary.filter(pa.array(new))
            self._numbers[new] = self._names.add(words)
        return found


def _same(one: pa.Array, other: pa.Array) -> bool:
    """Say whether two arrays of text are the same memory."""
    if len(one) != len(other) or one.offset != other.offset:
        return False
    return [b and b.address for b in one.buffers()] == [b and b.address for b in other.buffers()]

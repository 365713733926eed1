"""The cohort engine: traits in memory and from files, k-means, memory; on made-up learners of the size it is meant for.

`python -m benchmarks.learners EVENTS.parquet OUT.parquet` is one run from file to file, measured from within.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Row
from core.demo.population import make_population
from core.learners import (
    WEEKS,
    Events,
    Log,
    Parts,
    analyze,
    cohorts_of,
    constants_of,
    finish,
    observe,
    open_events,
    recall_of,
    recall_of_log,
    scan,
    scan_log,
    scan_parts,
    traits_of,
    warm,
)

NAME = "learners"
LEARNERS = 500_000
TIMES = 10
"""The large file has so many times the learners."""

_ROOT = Path(__file__).resolve().parents[1]
_BATCH = 1 << 17
_BATCHES = 8  # written at once


def run(folder: Path, learners: int = LEARNERS, times: int = TIMES) -> list[Row]:
    """Measure; `folder` needs room for some 15 bytes an event of the large file, and temporary files for as many."""
    warm()
    events, _ = make_population(learners)
    rows = [_sorted(events), _recall(events), _unsorted(events), _batches(events), _plain(events), _assignment(events)]
    for write, order in ((_write, "sorted by learner"), (_write_by_time, "in order of time")):
        rows += _files(events, folder, write, order, times)
    return rows


def _files(
    events: Events, folder: Path, write: Callable[[Events, Path, int], None], order: str, times: int
) -> list[Row]:
    """Measure runs over a file and one of so many times the learners, and compare them."""
    small, large = folder / "learners.parquet", folder / "many-learners.parquet"
    for path, copies in ((small, 1), (large, times)):
        write(events, path, copies)
    learners = events.learners.size
    one = _file_to_file(small, folder, f"{learners:,} learners, {order}", "< 8 s, < 2 GB", 8.0, 2.0)
    many = _file_to_file(large, folder, f"{learners * times:,} learners, {order}, streamed", "< 4 GB", None, 4.0)
    longer = many.figures["seconds"] / times / one.figures["seconds"]
    ratio = Row(
        NAME,
        f"Time a learner with {times} times as many, {order}",
        f"{longer:.2f} times as long",
        {"ratio": longer},
        "within 15 %",
        longer <= 1.15,
    )
    for path in (small, large):
        path.unlink()
    return [one, many, ratio]


def _sorted(events: Events) -> Row:
    """Measure all traits from sorted events in memory, and the share of the memory's speed that it takes."""

    def all_traits() -> None:
        scanned = scan(events)
        finish(scanned, constants_of([scanned]))

    seconds = _best(all_traits)
    learners, count = events.learners.size, len(events)
    size = sum(c.nbytes for c in (events.ts, events.domain, events.skill, events.type, events.score, events.acted))
    copied = _copy_speed()
    rate = learners / seconds
    return Row(
        NAME,
        f"Traits but recall of {learners:,} learners, {count / learners:.0f} events each, in memory and sorted",
        f"{rate / 1e6:.2f} M learners/s: {count / seconds / 1e6:.0f} M events/s, {size / seconds / 1e9:.1f} GB/s of "
        f"them read, where memory is copied at {copied / 1e9:.1f} GB/s",
        {
            "learners_per_s": rate,
            "events_per_s": count / seconds,
            "read_bytes_per_s": size / seconds,
            "copied_bytes_per_s": copied,
        },
        "1.5 M learners/s",
        rate >= 1.5e6,
    )


def _recall(events: Events) -> Row:
    """Measure all traits with the half-life of recall, its model fitted anew each time."""

    def all_traits() -> None:
        scanned = scan(events, recall=recall_of(events, events.as_of, WEEKS))
        finish(scanned, constants_of([scanned]))

    rate = events.learners.size / _best(all_traits)
    return Row(
        NAME,
        "The same with the half-life of recall",
        f"{rate / 1e6:.2f} M learners/s",
        {"learners_per_s": rate},
        "1.5 M learners/s",
        rate >= 1.5e6,
    )


def _unsorted(events: Events) -> Row:
    """Measure all traits from columns in memory in order of time; the model of recall is fitted anew each time."""
    log = Log.of(events, np.argsort(events.ts, kind="stable"))

    def but_recall() -> None:
        scanned = scan_log(log)
        finish(scanned, constants_of([scanned]))

    def all_traits() -> None:
        scanned = scan_log(log, recall=recall_of_log(log))
        finish(scanned, constants_of([scanned]))

    rate, whole = (events.learners.size / _best(work) for work in (but_recall, all_traits))
    return Row(
        NAME,
        "Traits but recall, not sorted: columns in memory, in order of time",
        f"{rate / 1e6:.2f} M learners/s; {whole / 1e6:.2f} M/s with the half-life of recall",
        {"learners_per_s": rate, "with_recall_learners_per_s": whole},
        "0.7 M learners/s",
        rate >= 0.7e6,
    )


def _batches(events: Events) -> Row:
    """Measure all traits from Arrow batches in order of time, with names, as files are read."""
    batches = list(_in_order_of_time(events))

    def all_traits() -> None:
        with Parts(keep_bytes=1 << 40) as parts:
            parts.add_all(batches)
            found = scan_parts(parts)
        finish(found.scan, found.scan.constants())

    rate = events.learners.size / _best(all_traits)
    return Row(
        NAME,
        "All traits from Arrow batches in order of time, names looked up",
        f"{rate / 1e6:.2f} M learners/s",
        {"learners_per_s": rate},
    )


def _in_order_of_time(events: Events) -> Iterator[pa.RecordBatch]:
    who = np.repeat(np.arange(events.learners.size, dtype=np.int32), np.diff(events.offsets))
    ids = pa.DictionaryArray.from_arrays(pa.array(who), pa.array(events.learners.tolist(), pa.string()))
    table = events.table().set_column(0, "learner_id", ids)
    order = np.argsort(events.ts, kind="stable")
    for first in range(0, order.size, _BATCH):
        yield from table.take(pa.array(order[first : first + _BATCH])).to_batches()


def _plain(events: Events, learners: int = 2000) -> Row:
    """Measure the plain analyzer on some of the learners, its objects made beforehand."""
    objects = [events.of_learner(index) for index in range(learners)]
    constants = scan(events).constants()

    def all_traits() -> None:
        for one in objects:
            traits_of(observe(one, constants.as_of, constants.weeks), constants)

    rate = learners / _best(all_traits)
    return Row(
        NAME, "The plain analyzer, the same definitions, one core", f"{rate:,.0f} learners/s", {"learners_per_s": rate}
    )


def _assignment(events: Events) -> Row:
    """Measure scaling and assignment to frozen centroids, from traits."""
    model, table = cohorts_of(scan(events), k=5)
    rate = table.size / _best(lambda: model.assign(table))
    return Row(
        NAME,
        "Assignment of learners, by their traits, to frozen centroids",
        f"{rate / 1e6:.1f} M learners/s",
        {"learners_per_s": rate},
        "10 M learners/s",
        rate >= 10e6,
    )


def _write(events: Events, path: Path, copies: int) -> None:
    """Write events sorted by learner, so many times with other learners."""
    table = events.table()
    with pq.ParquetWriter(path, table.schema) as writer:
        for copy in range(copies):
            ids = np.repeat(np.char.add(f"{copy}-", events.learners), np.diff(events.offsets))
            writer.write_table(table.set_column(0, "learner_id", pa.array(ids, pa.string())))


def _write_by_time(events: Events, path: Path, copies: int) -> None:
    """Write events in order of time, as a log has them, each so many times in a row of another learner."""
    order = np.argsort(events.ts, kind="stable")
    who = np.repeat(np.arange(events.learners.size), np.diff(events.offsets))[order]
    table = events.table().take(pa.array(order))
    names = [pa.array(np.char.add(f"{copy}-", events.learners), pa.string()) for copy in range(copies)]
    step = _BATCH // copies
    with pq.ParquetWriter(path, table.schema) as writer:
        groups: list[pa.Table] = []
        for first in range(0, order.size, step):
            some, of = table.slice(first, step), pa.array(who[first : first + step])
            groups += [some.set_column(0, "learner_id", name.take(of)) for name in names]
            if len(groups) >= _BATCHES * copies or first + step >= order.size:
                writer.write_table(pa.concat_tables(groups))
                groups = []


def _file_to_file(events: Path, folder: Path, who: str, aim: str, within_s: float | None, within_gb: float) -> Row:
    """Measure a run from Parquet to Parquet, cohorts included, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.learners", str(events), str(folder / "cohorts.parquet")]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"the run of {events.name} ended with {done.returncode}")
    found = json.loads(done.stdout)
    seconds, gigabytes = found["seconds"], found["peak_bytes"] / 1e9
    stages = ", ".join(f"{name} {found['stages'][name]:.1f}" for name in ("read", "traits", "cluster", "write"))
    return Row(
        NAME,
        f"Parquet to Parquet, cohorts included, {who}",
        f"{seconds:.1f} s ({stages}), {gigabytes:.2f} GB at most",
        {"seconds": seconds, "peak_gb": gigabytes} | {f"{name}_s": s for name, s in found["stages"].items()},
        aim,
        gigabytes < within_gb and (within_s is None or seconds < within_s),
    )


def _best(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of some durations in seconds, after one that does not count."""
    work()
    durations = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return min(durations)


def _copy_speed(size: int = 1 << 28, threads: int = 2) -> float:
    """Return how many bytes a second can be copied from memory to memory, on that many threads."""
    pairs = [(np.ones(size // 8), np.empty(size // 8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return threads * size / _best(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs)))


def _peak_bytes() -> int:
    """Return the most memory that this process has had so far."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, where there is no /proc
    # Not ru_maxrss, which on Linux begins with that of the process that started this one.
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) * 1024


def _measured(events: Path, out: Path) -> None:
    """Do one run and print what it took; compiled code is loaded beforehand, as it is kept from the first use on."""
    warm()
    began = time.perf_counter()
    found = analyze(open_events(events), out)
    document = {
        "seconds": time.perf_counter() - began,
        "stages": found.seconds,
        "peak_bytes": _peak_bytes(),
    }
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    _measured(Path(sys.argv[1]), Path(sys.argv[2]))

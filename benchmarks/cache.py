"""Which cohort is a learner in: answered from the run's file, from this process's memory, and from a Redis."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Row, Spread, ms
from core.demo.population import make_population
from core.learners import LearnerRows, find_cohorts, open_cache, runs
from core.settings import Settings
from core.store import Store

NAME = "cache"
LEARNERS = 200_000
ASKED = 200
_REDIS = shutil.which("redis-server")


def run(folder: Path, learners: int = LEARNERS, asked: int = ASKED) -> list[Row]:
    """Measure, over a run with so many learners, of whom `asked` are asked for."""
    home = folder / "cache"
    home.mkdir()
    settings = Settings(home=home)
    store = Store.open(settings.url, home)
    try:
        ids = _remember(store, learners, asked)
        rows = LearnerRows(store, open_cache(settings))
        file, memory = (_timed(rows.membership, ids) for _ in range(2))
        found = [_row("from the run's file", learners, file), _row("from the process's memory", learners, memory)]
        if _REDIS is not None:
            with _redis(home) as (url, process):
                at = settings.model_copy(update={"cache_url": url, "cache_entries": 1, "cache_timeout_s": 1.0})
                _timed(LearnerRows(store, open_cache(at)).membership, ids)
                shared = _timed(LearnerRows(store, open_cache(at)).membership, ids)
                hung = LearnerRows(store, open_cache(settings.model_copy(update={"cache_url": url})))
                hung.membership(ids[0])  # connected
                process.send_signal(signal.SIGSTOP)
                stopped = _timed(hung.membership, ids)
            found += [
                _row("from Redis", learners, shared),
                _row("from the run's file, with a Redis that hangs", learners, stopped),
            ]
    finally:
        store.close()
    return found


def _row(where: str, learners: int, took: Spread) -> Row:
    what = f"Which cohort one of {learners:,} learners is in, {where}"
    return Row(NAME, what, f"p50 {ms(took.p50)}, longest of {took.count} {ms(took.max)}", took.named())


def _remember(store: Store, learners: int, asked: int) -> list[str]:
    events, _ = make_population(learners, seed=1)
    model, table = find_cohorts(events)
    id_ = runs.new_id()
    path = runs.files_of(store.home, id_).assignments
    path.parent.mkdir()
    runs.write_assignments(path, events, table, model)
    found = runs.Found("benchmark", learners, len(events), model, simulated="made up")
    runs.remember(store, found, id_)
    return [str(learner) for learner in events.learners[:: max(1, learners // asked)][:asked]]


def _timed(ask: Callable[[str], object], ids: list[str]) -> Spread:
    took = []
    for learner in ids:
        began = time.perf_counter()
        if ask(learner) is None:
            raise RuntimeError("there is no run to answer from")
        took.append(time.perf_counter() - began)
    return Spread.of(took)


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    socket = folder / "redis.sock"
    command = [str(_REDIS), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.02)
        yield f"unix://{socket}", process
    finally:
        process.kill()
        process.wait()

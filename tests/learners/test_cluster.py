import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from distributed import Client

from core.demo.population import make_population
from core.learners import EventsError, analyze, dask, open_events
from core.learners.cluster import Dask
from core.learners.part import Part, PartScan, scan_part
from core.learners.partition import Parts, scan_parts

ROOT = Path(__file__).parents[2]


def slowly(part: Part, *rest: Any) -> PartScan:
    time.sleep(0.15)
    return scan_part(part, *rest)


class SlowDask(Dask):
    """Takes its time, so that a worker can be killed in the middle; and kills one after some parts."""

    def __init__(self, client: Client, victim: int) -> None:
        super().__init__(client)
        self.victim, self.killed = victim, False

    def map(self, work: Any, calls: Any) -> Iterator[Any]:
        if work is not scan_part:
            yield from super().map(work, calls)
            return
        for number, result in enumerate(super().map(slowly, calls)):
            if number == 8 and not self.killed:
                os.kill(self.victim, signal.SIGKILL)
                self.killed = True
            yield result


@pytest.fixture
def made(tmp_path: Path) -> Path:
    pq.write_table(make_population(2000)[0].table(), tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and two workers, each a process of its own that nobody starts again."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    told = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(told), "--port", "0"]
    started = [_start([*command, "--host", "127.0.0.1", "--no-dashboard"], environment, tmp_path)]
    try:
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(told), "--nthreads", "1"]
        worker += ["--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(tmp_path)]
        started += [_start(worker, environment, tmp_path) for _ in range(2)]
        with Client(scheduler_file=str(told), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address, [process.pid for process in started[1:]]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _start(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("ab")
    )


@pytest.mark.slow
def test_a_worker_killed_half_way_changes_nothing(made: Path, tmp_path: Path, cluster: tuple[str, list[int]]) -> None:
    address, workers = cluster
    here = analyze(open_events(made), tmp_path / "here.parquet", parts=32)
    with dask(address) as engine:
        killing = SlowDask(engine.client, workers[0])
        there = analyze(open_events(made), tmp_path / "there.parquet", parts=32, engine=killing)
        assert killing.killed
        assert len(engine.client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert there.model.to_json() == here.model.to_json()
    assert pq.read_table(tmp_path / "there.parquet").equals(pq.read_table(tmp_path / "here.parquet"))


@pytest.mark.slow
def test_a_cluster_of_its_own(made: Path, tmp_path: Path) -> None:
    here = analyze(open_events(made), tmp_path / "here.parquet")
    with dask(workers=2) as engine:
        there = analyze(open_events(made), tmp_path / "there.parquet", engine=engine)
    assert there.model.to_json() == here.model.to_json()


class Elsewhere:
    """Moves a part's file away, as a folder that the workers don't share would have it."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def map(self, work: Any, calls: Any) -> Any:
        for arguments in calls:
            arguments[0].rows[0].unlink()
            yield from self.engine.map(work, [arguments])


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_files_is_said(made: Path, tmp_path: Path) -> None:
    with dask(workers=1) as engine, Parts(folder=tmp_path, in_files=True) as parts:
        parts.add_all(open_events(made))
        with pytest.raises(EventsError, match=r"a worker can't read .*/rows-0: .* --folder names it"):
            scan_parts(parts, engine=Elsewhere(engine))


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.learners.cluster.CONNECT_S", 1)
    with pytest.raises(EventsError, match="no Dask scheduler answers at"), dask("tcp://127.0.0.1:9"):
        pass


def test_dask_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EventsError, match="pip install"), dask():
        pass

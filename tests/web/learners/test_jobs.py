from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.learners import runs
from core.learners.job import Request
from core.store import Store
from core.web.learners.jobs import Jobs, JobState, keep_upload


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    yield opened
    opened.close()


def request(store: Store, **more: object) -> Request:
    return Request(home=str(store.home), url=store.url, **more)  # type: ignore[arg-type]


def wait(jobs: Jobs, until: Callable[[JobState], bool], within_s: float = 60.0) -> JobState:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if jobs.state is not None and until(jobs.state):
            return jobs.state
        time.sleep(0.05)
    pytest.fail(f"still {jobs.state}")


def left(store: Store) -> list[str]:
    return sorted(path.name for path in (store.home / runs.FOLDER).rglob("*") if path.is_file())


def test_a_run_is_remembered_when_it_ends(store: Store) -> None:
    jobs = Jobs()
    assert jobs.start(store, request(store, made_up=300)).ok
    assert jobs.state is not None
    assert jobs.state.running
    assert "under way" in jobs.start(store, request(store, made_up=300)).text
    ended = wait(jobs, lambda state: not state.running)
    assert (ended.error, ended.cancelled) == ("", False)
    with store.read() as connection:
        kept = runs.load_run(connection, ended.run)
    assert kept is not None
    assert (kept.found.learners, kept.found.simulated) == (300, "simulated learners")
    assert "ended already" in jobs.cancel(ended.number).text


def test_a_run_that_is_stopped_leaves_nothing(store: Store) -> None:
    jobs = Jobs()
    jobs.start(store, request(store, made_up=200_000))
    wait(jobs, lambda state: state.stage == "reading")
    assert jobs.state is not None
    assert jobs.cancel(jobs.state.number).ok
    ended = wait(jobs, lambda state: not state.running)
    assert (ended.run, ended.error, ended.cancelled) == ("", "", True)
    assert left(store) == []
    with store.read() as connection:
        assert runs.all_runs(connection) == []
    assert jobs.start(store, request(store, made_up=300)).ok  # and the next one may begin
    wait(jobs, lambda state: not state.running)


def test_what_is_wrong_with_a_file_is_told_and_the_upload_removed(store: Store) -> None:
    jobs = Jobs()
    uploaded = keep_upload(store.home, "../../etc/events.csv", b"a,b\n1,2\n")
    assert uploaded.parent == store.home / runs.FOLDER / "uploads"
    assert uploaded.suffix == ".csv"
    jobs.start(store, request(store, source=str(uploaded), name="events.csv"), uploaded)
    ended = wait(jobs, lambda state: not state.running)
    assert "learner_id" in ended.error
    assert ended.name == "events.csv"
    assert left(store) == []

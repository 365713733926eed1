from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.learners import EventsError, job, open_events, runs
from core.learners.money import money_of
from core.store import Store
from tests.learners.test_runs import population


def events_file(folder: Path, **columns: list[Any]) -> Path:
    table = population().table()
    for name, values in columns.items():
        table = table.append_column(name, pa.array((values * len(table))[: len(table)], pa.float64()))
    pq.write_table(table, folder / "events.parquet")
    return folder / "events.parquet"


def ask(home: Path, source: Path | str, **more: Any) -> job.Request:
    return job.Request(home=str(home), url=f"sqlite:///{home / 'canary.sqlite'}", source=str(source), **more)


def test_a_file_becomes_a_run(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    said: list[dict[str, Any]] = []
    made = job.work(store, ask(tmp_path, events_file(tmp_path), k=3), job.Told(said.append))
    store.close()
    assert [s["stage"] for s in said if s["rows"]] == sorted(
        [s["stage"] for s in said if s["rows"]], key=job.STAGES.index
    )
    assert {s["stage"] for s in said} == set(job.STAGES)
    assert made.found.learners == 60
    assert made.found.seconds["total"] == pytest.approx(
        sum(made.found.seconds[stage] for stage in job.STAGES), abs=0.01
    )
    assert made.found.rejected["rows"] == 0
    files = runs.files_of(tmp_path, made.id)
    assert files.assignments.exists()
    assert files.events.exists()
    assert not files.rejected.exists()


def test_rejected_rows_are_kept_to_be_looked_at(tmp_path: Path) -> None:
    lines = ["learner_id,ts,domain,skill"]
    lines += [f"u{i % 9},2025-10-0{1 + i % 9}T10:00:00Z,d{i % 3},s{i % 5}" for i in range(90)]
    (tmp_path / "e.csv").write_text("\n".join([*lines, "u1,not a time,d1,s1"]) + "\n")
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    made = job.work(store, ask(tmp_path, tmp_path / "e.csv"), job.Told(lambda _: None))
    store.close()
    assert made.found.rejected["rows"] >= 1
    assert "not a time" in runs.files_of(tmp_path, made.id).rejected.read_text()


def test_nothing_is_left_of_a_run_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b\n1,2\n")
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    with pytest.raises(EventsError, match="learner_id"):
        job.work(store, ask(tmp_path, tmp_path / "e.csv"), job.Told(lambda _: None))
    with store.read() as connection:
        assert runs.all_runs(connection) == []
    store.close()


def test_money_is_summed_by_learner(tmp_path: Path) -> None:
    path = events_file(tmp_path, revenue=[1.5, None], cost=[None, 0.5])
    money = money_of(open_events(path))
    assert money is not None
    table = pq.read_table(path).group_by("learner_id").aggregate([("revenue", "sum"), ("cost", "sum")])
    told = {row["learner_id"]: (row["revenue"], row["cost"]) for row in money.to_pylist()}
    assert told == {r["learner_id"]: (r["revenue_sum"], r["cost_sum"]) for r in table.to_pylist()}


def test_a_repeated_event_is_paid_once(tmp_path: Path) -> None:
    row = "u1,2025-10-01T10:00:00Z,d,s,"
    (tmp_path / "e.csv").write_text(f"learner_id,ts,domain,skill,revenue\n{row}3\n{row}3\n{row}4\n")
    money = money_of(open_events(tmp_path / "e.csv"))
    assert money is not None
    assert money.to_pylist() == [{"learner_id": "u1", "revenue": 7.0, "cost": None}]


def test_a_source_without_money_has_none(tmp_path: Path) -> None:
    assert money_of(open_events(events_file(tmp_path))) is None


def program(request: job.Request) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "core.learners"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({name: getattr(request, name) for name in request.__slots__}) + "\n")
    process.stdin.flush()
    return process


def test_the_program_says_how_it_goes_and_what_came_of_it(tmp_path: Path) -> None:
    process = program(ask(tmp_path, events_file(tmp_path), k=2))
    assert process.stdout is not None
    said = [json.loads(line) for line in process.stdout]
    assert process.wait(60) == 0
    assert said[0]["stage"] == "reading"
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    with store.read() as connection:
        assert [run.id for run in runs.all_runs(connection)] == [said[-1]["run"]]
    store.close()


def test_the_program_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    process = program(ask(tmp_path, tmp_path / "nowhere.csv"))
    assert process.stdout is not None
    last = [json.loads(line) for line in process.stdout][-1]
    assert process.wait(60) == 1
    assert "no such file" in last["error"]


def test_without_events_kept_the_answer_is_the_same(tmp_path: Path) -> None:
    path = events_file(tmp_path, revenue=[1.0])
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    said: list[dict[str, Any]] = []
    kept = job.work(store, ask(tmp_path, path), job.Told(lambda _: None))
    streamed = job.work(store, ask(tmp_path, path, keep_events=False), job.Told(said.append))
    store.close()
    assert streamed.model.to_json() == kept.model.to_json()
    assert (streamed.found.learners, streamed.found.events) == (kept.found.learners, kept.found.events)
    ours, theirs = (runs.files_of(tmp_path, run.id) for run in (streamed, kept))
    assert pq.read_table(ours.assignments).equals(pq.read_table(theirs.assignments))
    assert ours.money.exists()
    assert not ours.events.exists()
    assert {s["stage"] for s in said} == set(job.STAGES)


@pytest.mark.parametrize("keep", [True, False])
def test_a_window_that_holds_few_learners_says_how_long_it_should_be(tmp_path: Path, keep: bool) -> None:
    rows = [f"old{i},2020-01-01T00:00:0{i % 9}Z,d,s{i % 3}" for i in range(40)]
    rows += [f"new{i},2025-01-0{1 + i}T00:00:00Z,d,s" for i in range(5)]
    (tmp_path / "e.csv").write_text("\n".join(["learner_id,ts,domain,skill", *rows]) + "\n")
    store = Store.open(f"sqlite:///{tmp_path / 'canary.sqlite'}", tmp_path)
    made = job.work(store, ask(tmp_path, tmp_path / "e.csv", keep_events=keep), job.Told(lambda _: None))
    store.close()
    (note,) = made.found.rejected["notes"]
    assert "nly 5 of 45 learners" in note
    assert "262" in note  # weeks from the first of January 2020 to the last event

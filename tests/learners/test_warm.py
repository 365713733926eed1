"""After warming, real runs find all they need compiled."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numba.core.registry import CPUDispatcher

from core.demo.population import make_population
from core.learners import (
    Log,
    analyze,
    find_cohorts,
    is_warm,
    kernel,
    open_events,
    recall_fit,
    recall_of_log,
    scan_log,
    warm,
)


def signatures() -> dict[str, int]:
    """Return how many versions there are of each compiled function of the room."""
    return {
        f"{name}.{one}": len(function.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("core.learners")
        for one, function in vars(module).items()
        if isinstance(function, CPUDispatcher) and function.py_func.__module__ == name
    }


def test_nothing_is_left_to_compile(tmp_path: Path) -> None:
    warm()
    assert is_warm()
    before = signatures()
    events, _ = make_population(recall_fit.SAMPLE + 1000)
    table = events.table()
    pq.write_table(table, tmp_path / "e.parquet")
    pq.write_table(table.append_column("note", table["skill"]), tmp_path / "more.parquet")
    texts = {name: table[name].cast(pa.string()) for name in ("learner_id", "ts", "domain", "skill", "score", "acted")}
    pyarrow.csv.write_csv(pa.table(texts), tmp_path / "e.csv")
    for name in ("e.parquet", "more.parquet", "e.csv"):
        analyze(open_events(tmp_path / name), tmp_path / "out.parquet")
    model, _ = find_cohorts(events)
    kernel.scan_one(events, 3, model.constants)
    log = Log.of(events, events.ts.argsort())
    scan_log(log, recall=recall_of_log(log))
    assert signatures() == before

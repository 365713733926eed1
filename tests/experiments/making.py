"""Learners made for tests, with effects that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


def learners(rows: int = 4000, seed: int = 0, share: float = 0.5) -> pa.Table:
    """Return an experiment: revenue +10 % in EU and +20 % in US, completion 60 -> 70 %, cost the same."""
    rng = np.random.default_rng(seed)
    new = rng.random(rows) < share
    region = rng.choice(["EU", "US"], rows)
    before = rng.gamma(2, 10, rows)
    lift = np.where(new, np.where(region == "EU", 1.1, 1.2), 1.0)
    return pa.table(
        {
            "learner": [f"l{i:06}" for i in range(rows)],
            "version": np.where(new, "new", "old"),
            "region": region,
            "day": pa.array(np.datetime64("2025-11-01") + rng.integers(0, 10, rows)),
            "before": before,
            "revenue": before * rng.gamma(8, 0.125, rows) * lift,
            "cost": rng.gamma(5, 4, rows),
            "completed": rng.random(rows) < np.where(new, 0.7, 0.6),
        }
    )


def saved(table: pa.Table, path: Path) -> Path:
    """Write a table as CSV or Parquet, by the file's name."""
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path

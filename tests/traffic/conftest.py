"""A store with deployments as the traffic room sees them: rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from core.store import Store, schema

Put = Callable[..., None]


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(database, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def put(store: Store) -> Put:
    """Return what writes a deployment's row, in a transaction of its own: `put("d1", share=0.1, state="running")`."""

    def write(deployment: str, *, at: Store = store, **changed: object) -> None:
        status = {name: changed.pop(name) for name in ("phase", "phase_started", "judged_at") if name in changed}
        values = {
            "flag": "analyzer",
            "plan": "",
            "baseline": "original",
            "candidate": "fast",
            "salt": "analyzer:fast",
            "state": "running",
            "revision": 1,
            "share": 0.0,
            "created": 1.0,
        } | changed
        values["status"] = {"phase": 0, "phase_started": 1.0, "rolled_back_at": None, "judged_at": 1.0} | status
        with at.transaction() as tx:
            known = update(schema.deployment).where(schema.deployment.c.id == deployment).values(**values)
            if not tx.connection.execute(known).rowcount:
                tx.connection.execute(insert(schema.deployment).values(id=deployment, **values))

    return write

"""Business figures: totals per learner while a phase runs, and the sums over learners that remain of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations_with_replacement
from typing import Any

from sqlalchemy import Connection, Float, Select, Table, cast, delete, func, insert, select, tuple_

from core.store import schema
from core.store.sample import BusinessSums, LearnerTotals
from core.store.upsert import insert_adding

METRICS = ("cost", "requests", "revenue")
"""What is summed, in sorted order."""

_LIVE = schema.learner_total
_FOLDED = schema.business_sums
_PAIRS = tuple(combinations_with_replacement(METRICS, 2))


def add_learner_totals(
    connection: Connection, deployment: str, phase_started: float, totals: Iterable[LearnerTotals]
) -> None:
    """Add to what learners have brought since a phase of a deployment began, within the caller's transaction."""
    merged: dict[tuple[str, str], list[float]] = {}
    for t in totals:
        sums = merged.setdefault((t.version, t.learner), [0, 0.0, 0.0])
        for i, value in enumerate((t.requests, t.revenue, t.cost)):
            sums[i] += value
    rows = [
        {
            "deployment": deployment,
            "phase_started": phase_started,
            "version": version,
            "learner": learner,
            "requests": requests,
            "revenue": revenue,
            "cost": cost,
        }
        for (version, learner), (requests, revenue, cost) in merged.items()
    ]
    if rows:
        connection.execute(insert_adding(connection, _LIVE, "requests", "revenue", "cost"), rows)


def business_sums(connection: Connection, deployment: str, phase_started: float) -> dict[str, BusinessSums]:
    """Return the sums over learners of one phase, by version: what was folded plus what is still kept per learner."""
    sums = _folded(connection, deployment, phase_started)
    for live in _sums(connection, _of(_LIVE, deployment, phase_started)):
        sums[live.version] = _plus(sums[live.version], live) if live.version in sums else live
    return sums


def learners_of_both(connection: Connection, deployment: str, phase_started: float, a: str, b: str) -> int:
    """Return how many learners made requests of both of two versions, in a phase that isn't folded yet."""
    # Grouped, not joined: of a table that has just grown a database may not know yet that a join by key is cheap.
    chosen = _of(_LIVE, deployment, phase_started).where(_LIVE.c.version.in_((a, b)))
    moved = chosen.with_only_columns(_LIVE.c.learner).group_by(_LIVE.c.learner).having(func.count() > 1)
    return connection.scalar(select(func.count()).select_from(moved.subquery())) or 0


def fold_learner_totals(connection: Connection, deployment: str, phase_started: float, limit: int | None = None) -> int:
    """Put the sums of a phase that has ended in the place of its learners' rows, within the caller's transaction.

    A learner whose requests come in after that counts once more, as a new one.

    Args:
        connection: of the store.
        deployment, phase_started: the phase.
        limit: fold so many learners at most, so that a transaction stays short; call again until it returns 0.

    Returns:
        How many rows were folded.
    """
    chosen = _of(_LIVE, deployment, phase_started).order_by(_LIVE.c.version, _LIVE.c.learner).limit(limit)
    new = _sums(connection, chosen)
    if not new:
        return 0
    before = _folded(connection, deployment, phase_started)
    gone = delete(_LIVE).where(_LIVE.c.deployment == deployment, _LIVE.c.phase_started == phase_started)
    if limit is not None:
        # A range of the key, which is found at once; a list of them takes a database minutes.
        key = tuple_(_LIVE.c.version, _LIVE.c.learner)
        last = connection.execute(chosen.with_only_columns(*key).limit(1).offset(limit - 1)).one_or_none()
        gone = gone if last is None else gone.where(key <= tuple(last))
    connection.execute(gone)
    for sums in new:
        total = _plus(before[sums.version], sums) if sums.version in before else sums
        where = {"deployment": deployment, "phase_started": phase_started, "version": sums.version}
        connection.execute(delete(_FOLDED).filter_by(**where))
        connection.execute(insert(_FOLDED), where | {"learners": total.learners, "sums": _pack(total)})
    return sum(sums.learners for sums in new)


def _of(table: Table, deployment: str, phase_started: float) -> Select[Any]:
    return select(table).where(table.c.deployment == deployment, table.c.phase_started == phase_started)


def _folded(connection: Connection, deployment: str, phase_started: float) -> dict[str, BusinessSums]:
    rows = connection.execute(_of(_FOLDED, deployment, phase_started))
    return {row.version: _unpack(row.version, row.learners, row.sums) for row in rows}


def _sums(connection: Connection, chosen: Select[Any]) -> list[BusinessSums]:
    """Sum rows of `learner_total` by version, in the database: they may be half a million."""
    rows = chosen.subquery()
    value = {name: cast(rows.c[name], Float) for name in METRICS}  # a bigint squared and summed could overflow
    query = select(
        rows.c.version,
        func.count(),
        *(func.sum(value[name]) for name in METRICS),
        *(func.sum(value[a] * value[b]) for a, b in _PAIRS),
    ).group_by(rows.c.version)
    return [
        BusinessSums(
            version,
            learners,
            dict(zip(METRICS, sums[: len(METRICS)], strict=True)),
            dict(zip(_PAIRS, sums[len(METRICS) :], strict=True)),
        )
        for version, learners, *sums in connection.execute(query)
    ]


def _plus(a: BusinessSums, b: BusinessSums) -> BusinessSums:
    return BusinessSums(
        a.version,
        a.learners + b.learners,
        {name: a.sums[name] + b.sums[name] for name in METRICS},
        {pair: a.products[pair] + b.products[pair] for pair in _PAIRS},
    )


def _pack(sums: BusinessSums) -> dict[str, dict[str, float]]:
    return {"sums": dict(sums.sums), "products": {" ".join(pair): sums.products[pair] for pair in _PAIRS}}


def _unpack(version: str, learners: int, packed: dict[str, dict[str, float]]) -> BusinessSums:
    products = {(a, b): packed["products"][f"{a} {b}"] for a, b in _PAIRS}
    return BusinessSums(version, learners, packed["sums"], products)

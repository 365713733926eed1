"""Who pushes figures: what each sender sent last and how often, so that one that has gone quiet can be named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from core.store import schema

PUSH = "push"
KEEP_S = 7 * 86_400.0
"""Wall seconds after which a sender that says nothing is forgotten: processes come and go, each with its own name."""

_MINUTE_S = 60.0
_SOURCE = schema.source


@dataclass(frozen=True, slots=True)
class Push:
    """What one push came to.

    Attributes:
        records: requests and probes, or samples, that counted. repeated: of them that were here already.
        rejected: how many were not taken, by reason. dropped: lost by the sender before it, as it says itself.
        skew_s: the sender's clock against ours, seconds; None where it doesn't tell its time.
        versions: that it reports every request of.
    """

    records: int
    repeated: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    skew_s: float | None = None
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sender:
    """One that pushes, as it is known. Wall times; counts since it was first heard.

    Attributes:
        heard: when its last batch came. last: records in it.
        per_s: records a second, over a minute that has gone by.
        versions: of which it reports every request, so that a batch without any is a healthy zero.
    """

    flag: str
    name: str
    heard: float
    last: int
    per_s: float
    batches: int
    records: int
    repeated: int
    rejected: Mapping[str, int]
    dropped: int
    skew_s: float | None
    versions: tuple[str, ...]

    def is_quiet(self, wall: float, after_s: float) -> bool:
        """Say whether it has sent nothing, not even a sign of life, for so many wall seconds."""
        return wall - self.heard >= after_s


def note_push(connection: Connection, flag: str, name: str, push: Push, wall: float) -> None:
    """Remember a push, within the caller's transaction."""
    key = (_SOURCE.c.kind == PUSH) & (_SOURCE.c.flag == flag) & (_SOURCE.c.name == name)
    known = connection.execute(select(_SOURCE.c.facts).where(key)).scalar_one_or_none()
    values = {"asked": wall, "heard": wall, "problem": "", "facts": _added(known or {}, push, wall)}
    if known is not None:
        connection.execute(update(_SOURCE).where(key).values(values))
        return
    connection.execute(insert(_SOURCE), {"kind": PUSH, "flag": flag, "name": name, **values})
    connection.execute(delete(_SOURCE).where((_SOURCE.c.kind == PUSH) & (_SOURCE.c.asked < wall - KEEP_S)))


def senders(connection: Connection) -> tuple[Sender, ...]:
    """Return everybody who pushes, the last heard first."""
    rows = connection.execute(select(_SOURCE).where(_SOURCE.c.kind == PUSH).order_by(_SOURCE.c.asked.desc()))
    return tuple(_sender(row.flag, row.name, row.asked, row.facts) for row in rows)


def _added(facts: Mapping[str, Any], push: Push, wall: float) -> dict[str, Any]:
    minute = int(wall // _MINUTE_S)
    before, now, last = facts.get("minute", minute), facts.get("now", 0), facts.get("last_minute", 0)
    if minute != before:
        last, now = now if minute == before + 1 else 0, 0
    rejected = Counter(facts.get("rejected", {}))
    rejected.update(push.rejected)
    return {
        "batches": facts.get("batches", 0) + 1,
        "records": facts.get("records", 0) + push.records,
        "repeated": facts.get("repeated", 0) + push.repeated,
        "rejected": dict(rejected),
        "dropped": facts.get("dropped", 0) + push.dropped,
        "skew_s": push.skew_s,
        "versions": list(push.versions),
        "last": push.records,
        "minute": minute,
        "now": now + push.records,
        "last_minute": last,
        "since": facts.get("since", wall),
    }


def _sender(flag: str, name: str, heard: float, facts: Mapping[str, Any]) -> Sender:
    into = heard - facts["minute"] * _MINUTE_S
    age = heard - facts["since"]
    # The minute under way and what is missing of it from the one before; of a young sender what there is.
    span = min(_MINUTE_S, max(age, 1.0))
    seen = facts["now"] + facts["last_minute"] * max(0.0, 1 - into / _MINUTE_S)
    return Sender(
        flag=flag,
        name=name,
        heard=heard,
        last=facts["last"],
        per_s=seen / span,
        batches=facts["batches"],
        records=facts["records"],
        repeated=facts["repeated"],
        rejected=facts["rejected"],
        dropped=facts["dropped"],
        skew_s=facts["skew_s"],
        versions=tuple(facts["versions"]),
    )

"""A lease with a fencing token: at most one holder acts, even if the one before it wakes up late."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Select, insert, select, update

from core.store import schema
from core.store.errors import Fenced
from core.store.store import Store, Tx

_LEASE = schema.lease


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act in a role. All times are wall times, seconds since 1970.

    Attributes:
        name: of the role. holder: who has it, unique to one run of one process; "" when it was given back.
        token: rises with each change of holder.
        expires: when it is free for others unless the holder beats before.
        beat: last sign of life. late_s: how late that tick began. tick_s: how long it took.
    """

    name: str
    holder: str
    token: int
    expires: float
    beat: float
    late_s: float
    tick_s: float

    def is_held(self, wall: float, grace_s: float = 0.0) -> bool:
        """Say whether somebody may act by it at a wall time.

        A beat that lies further ahead than a lease is long was made before the clock was set back; it proves nothing.
        """
        length = self.expires - self.beat
        return bool(self.holder) and wall < self.expires + grace_s and self.beat <= wall + length + grace_s


def current_lease(connection: Connection, name: str) -> Lease | None:
    """Return the lease as it stands, run out or not; None where nobody ever had it."""
    row = connection.execute(_query(name)).one_or_none()
    return Lease(**row._mapping) if row is not None else None


def acquire_lease(store: Store, name: str, holder: str, ttl_s: float) -> int | None:
    """Take a lease that is free, has run out or is the holder's already.

    Returns:
        The token to act with, the same as before for the same holder; None while another one holds it.

    Raises:
        StoreUnavailable: the database can't be written.
    """
    if not holder:
        raise ValueError("a holder needs a name")
    with store.transaction() as tx:
        now = time.time()
        lease = current_lease(tx.connection, name)
        if lease is None:
            values = {"name": name, "holder": holder, "token": 1, "expires": now + ttl_s, "beat": now}
            tx.connection.execute(insert(_LEASE), values | {"late_s": 0.0, "tick_s": 0.0})
            return 1
        ours = lease.holder == holder
        if not ours and lease.is_held(now):
            return None
        token = lease.token if ours else lease.token + 1
        _change(tx, name, holder=holder, token=token, expires=now + ttl_s, beat=now)
        return token


def hold_fence(tx: Tx, name: str, token: int, *, run_out: bool = False) -> None:
    """Make sure that this transaction is only committed while the lease is ours: call it before writing.

    `run_out`: a lease that ran out is good enough, as long as nobody has taken it.

    Raises:
        Fenced: the lease has run out or gone to another holder. Let it pass through, so that nothing is committed.
    """
    lease = current_lease(tx.connection, name)
    if lease is None or lease.token != token or not lease.holder:
        raise Fenced(f"the lease {name!r} is not held with token {token} any more")
    if lease.expires <= time.time() and not run_out:
        raise Fenced(f"the lease {name!r} with token {token} ran out {time.time() - lease.expires:.1f} s ago")


def beat(tx: Tx, name: str, token: int, ttl_s: float, late_s: float, tick_s: float, *, run_out: bool = False) -> None:
    """Extend a lease by `ttl_s` wall seconds from now, and note how late the tick began and how long it took.

    Args:
        run_out: extend it also after it ran out, if nobody has taken it since: the token is still ours then.

    Raises:
        Fenced: it isn't ours to extend.
    """
    hold_fence(tx, name, token, run_out=run_out)
    now = time.time()
    _change(tx, name, expires=now + ttl_s, beat=now, late_s=late_s, tick_s=tick_s)


def release_lease(store: Store, name: str, token: int) -> None:
    """Give a lease back, so that another one needn't wait for its end; nothing happens if it isn't ours any more."""
    with store.transaction() as tx:
        lease = current_lease(tx.connection, name)
        if lease is not None and lease.token == token:
            _change(tx, name, holder="", expires=0.0)


def _query(name: str) -> Select[tuple[str, str, int, float, float, float, float]]:
    return select(_LEASE).where(_LEASE.c.name == name)


def _change(tx: Tx, name: str, **values: object) -> None:
    tx.connection.execute(update(_LEASE).where(_LEASE.c.name == name).values(**values))

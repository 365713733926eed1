"""The store: one database and the directory beside it, shared by every process of an installation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, make_url, select
from sqlalchemy.exc import DBAPIError, TimeoutError  # noqa: A004

from core.store import anchor, eventlog, migrations, schema
from core.store.breaker import Breaker
from core.store.clock import Clock
from core.store.engine import open_engine, patient, reader, writer
from core.store.errors import StoreUnavailable, Trouble, is_ours, unavailable
from core.store.eventlog import Event, Head
from core.store.files import locked

logger = logging.getLogger(__name__)

_TROUBLE_S = 30.0  # wall seconds for which a failure to write says something of now
_CLOCK_S = 1.0  # wall seconds for which a clock that was read is believed


class Tx:
    """A transaction that writes: everything in it is committed together, or nothing is.

    Attributes:
        store: that it belongs to. connection: to read and write through.
    """

    def __init__(self, store: Store, connection: Connection) -> None:
        self.store = store
        self.connection = connection
        self.head: Head | None = None  # end of the event log after the last append, if there was one

    def append(
        self,
        kind: str,
        actor: str,
        reason: str,
        deployment: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Append an event at the present time.

        Raises:
            ValueError, TypeError: `data` is not JSON.
        """
        wall = time.time()
        event = eventlog.append(
            self.connection,
            at=self.store.clock().plan(wall),
            wall=wall,
            deployment=deployment,
            kind=kind,
            actor=actor,
            reason=reason,
            data=data or {},
        )
        self.head = Head(event.seq, event.hash)
        return event


class Store:
    """A database that is migrated and ready. Threads may share one; processes each open their own.

    Attributes:
        url: of the database. home: directory of the anchor and of lock files.
        engine: reads; to write, use `transaction`.
    """

    def __init__(self, url: str, home: Path, engine: Engine) -> None:
        """Use `Store.open`."""
        self.url = url
        self.home = home
        self.engine = engine
        self._reader = reader(engine)
        self._writer = writer(engine)
        self._patient = patient(self._writer)
        self._breaker = Breaker(engine.dialect.name != "sqlite")
        self._trouble: Trouble | None = None
        self._troubled = 0.0
        self._clock = Clock()
        self._clock_read = float("-inf")
        self._clock_lock = threading.Lock()
        self._thread = threading.local()

    @classmethod
    def open(cls, url: str, home: Path) -> Store:
        """Open a database, and make or migrate its tables; several processes may do so at the same time.

        Raises:
            StoreUnavailable: it can't be opened, or a newer version of this program has written it.
        """
        home = home.absolute()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(f"directory {home}", error) from error
        engine = open_engine(url)
        store = cls(url, home, engine)
        try:
            with locked(home / "store.lock"), store._explained():
                migrations.upgrade(store._patient)
            with store.read() as connection:
                head = eventlog.head_of(connection)
            store._advance_anchor(head)
        except OSError as error:
            raise unavailable(f"directory {home}", error) from error
        except BaseException:
            engine.dispose()
            raise
        return store

    @classmethod
    def peek(cls, url: str, home: Path) -> Store:
        """Open a database as it is, to look at it: nothing is made or migrated.

        Raises:
            StoreUnavailable: it isn't there, or can't be read.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
            raise StoreUnavailable(
                f"The database {parsed.database} isn't there. Start a server (canary serve), which makes it, or check "
                "CANARY_HOME and CANARY_DATABASE_URL",
                Trouble.GONE,
            )
        store = cls(url, home.absolute(), open_engine(url))
        try:
            with store.read() as connection:
                connection.execute(select(1))
        except StoreUnavailable:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection that isn't in use."""
        self.engine.dispose()

    @property
    def name(self) -> str:
        """The database as a person would name it; without the password."""
        url = self.engine.url
        return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent snapshot and can't write.

        Raises:
            StoreUnavailable: the database can't be read.
        """
        with self._explained(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Give a transaction that writes, alone among all processes; it is committed at the end of the block.

        Keep it short: every other writer waits. An exception undoes all of it.

        Raises:
            StoreUnavailable: the database can't be written, or others have kept it for longer than 10 s.
            RuntimeError: this thread is within one already, for which the new one would wait for ever.
        """
        if getattr(self._thread, "writing", False):
            raise RuntimeError("a transaction within a transaction: use the one that is open")
        self._thread.writing = True
        try:
            with self._explained(), self._begun() as connection:
                tx = Tx(self, connection)
                yield tx
                connection.commit()
        except StoreUnavailable as error:
            if error.trouble in {Trouble.FULL, Trouble.READ_ONLY, Trouble.DAMAGED}:
                self._trouble, self._troubled = error.trouble, time.monotonic()
            raise
        finally:
            self._thread.writing = False
        self._trouble = None
        if tx.head is not None:
            self._advance_anchor(tx.head)

    @property
    def trouble(self) -> Trouble | None:
        """Why this process can read but not write, as its last attempt showed; None after a while without any."""
        return self._trouble if time.monotonic() - self._troubled < _TROUBLE_S else None

    def _begun(self) -> Connection:
        """Return a connection in a transaction that writes.

        Beginning is tried twice: nothing has been done yet, so that a connection that broke just then costs nothing.
        What goes wrong later isn't repeated here, because only the caller can tell whether it may be.
        """
        for last in (False, True):
            connection = self._writer.connect()
            try:
                connection.begin()
                if connection.dialect.name != "sqlite":
                    eventlog.lock_log(connection)
            except DBAPIError as error:
                connection.close()
                if last or not error.connection_invalidated:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise AssertionError("unreachable")

    def clock(self) -> Clock:
        """Return the plan's clock, at most a second old; real time where none was set."""
        with self._clock_lock:
            if time.monotonic() - self._clock_read < _CLOCK_S:
                return self._clock
        with self.read() as connection:
            row = connection.execute(select(schema.clock)).one_or_none()
        return self._keep(Clock(row.anchor_wall, row.anchor_plan, row.speed) if row is not None else Clock())

    def set_clock(self, clock: Clock) -> None:
        """Set the plan's clock for every process; each sees it within a second."""
        row = {"id": 1, "anchor_wall": clock.anchor_wall, "anchor_plan": clock.anchor_plan, "speed": clock.speed}
        with self.transaction() as tx:
            tx.connection.execute(delete(schema.clock))
            tx.connection.execute(insert(schema.clock), row)
        self._keep(clock)

    def _keep(self, clock: Clock) -> Clock:
        with self._clock_lock:
            self._clock, self._clock_read = clock, time.monotonic()
        return clock

    def _advance_anchor(self, head: Head) -> None:
        """Move the anchor on; what is committed stays so even if that fails, so that failure is told, not raised."""

        def hash_at(seq: int) -> str | None:
            with self.read() as connection:
                return eventlog.hash_at(connection, seq)

        try:
            problem = anchor.advance(self.home, head, hash_at)
        except (OSError, StoreUnavailable) as error:
            problem = str(error)
        if problem:
            logger.error("The event log's anchor was not moved on: %s. Run `canary log --verify`.", problem)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        self._breaker.check()
        try:
            yield
        except DBAPIError as error:
            if is_ours(error):
                raise
            raise self._breaker.noted(unavailable(self.name, error)) from error
        except TimeoutError as error:
            raise unavailable(self.name, error) from error
        self._breaker.worked()

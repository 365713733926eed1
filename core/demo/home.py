"""The demo's home: one demo at a time in it, never among real deployments, the plan's clock wound up and stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

from sqlalchemy import func, select

from core.delivery import Action, Command, Deliveries
from core.settings import Settings
from core.store import Clock, Store, schema
from core.traffic import FlagService

ACTOR = "demo"
_MARK = "demo-home"


class DemoError(RuntimeError):
    """The demo can't run; the message says why, and what to do."""


class DemoHome:
    """State of a demo: the store, and a lock so that no second demo uses it."""

    def __init__(self, settings: Settings) -> None:
        """Take the home.

        Raises:
            DemoError: it can't be written, another demo runs in it, or it holds deployments that are no demo's.
            StoreUnavailable: the database can't be opened.
        """
        self.settings = settings
        self.home = settings.home.absolute()
        self.folder = self.home / "demo"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DemoError(
                f"the directory {self.folder} can't be used ({error.strerror}); check CANARY_HOME"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise DemoError(
                f"a demo is already running in {self.home}; end it, or give this one its own: "
                "CANARY_HOME=data/state-2 canary demo"
            ) from None
        self._store = Store.open(settings.url, self.home)
        self._claim()

    def _claim(self) -> None:
        mark = self.folder / _MARK
        if mark.exists():
            return
        with self._store.read() as connection:
            others = connection.execute(select(func.count()).select_from(schema.deployment)).scalar_one()
        if others:
            self.close()
            raise DemoError(
                f"{self._store.name} holds {others} deployments that are no demo's, and a demo would speed up "
                "their clock; give it a home of its own: CANARY_HOME=data/state-demo canary demo"
            )
        mark.write_text("The demo may change the clock here and, with --reset, delete everything.\n")

    def reset(self) -> None:
        """Forget what earlier demos left; compiled code and tokens stay.

        Raises:
            DemoError: the database isn't a file in the home.
        """
        if self.settings.database_url is not None:
            raise DemoError(
                "--reset deletes a database file in CANARY_HOME only; CANARY_DATABASE_URL names another one"
            )
        self._store.close()
        # The write-ahead log first: alone it is nothing, but beside a new database it would be replayed into it.
        for name in ("canary.sqlite-wal", "canary.sqlite-shm", "canary.sqlite", "anchor.json"):
            (self.home / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        shutil.rmtree(self.home / "logs", ignore_errors=True)
        shutil.rmtree(self.home / "cohorts", ignore_errors=True)
        self._store = Store.open(self.settings.url, self.home)

    def wind_up(self, speed: float) -> None:
        """Let the plan's clock run at `speed` from now on, and end what an earlier demo left unfinished.

        Plan time never goes back: it goes on where the last record ends, if that is later than now.
        """
        now = time.time()
        self._store.set_clock(Clock(now, max(now, self._last_record()), speed))
        self._abort("an earlier demo left it unfinished")

    def stop_clock(self) -> None:
        """End what is under way, and let the clock go at the speed of time: nobody watches it any more."""
        self._abort("the demo was ended")
        now = time.time()
        self._store.set_clock(Clock(now, self._store.clock().plan(now), 1.0))

    def _last_record(self) -> float:
        with self._store.read() as connection:
            event = connection.execute(select(func.max(schema.event.c.at))).scalar_one_or_none()
            sample = connection.execute(
                select(func.max(schema.sample.c.start + schema.sample.c.seconds))
            ).scalar_one_or_none()
        return max(event or 0.0, sample or 0.0)

    def _abort(self, reason: str) -> None:
        deliveries = Deliveries(self._store, FlagService(self._store))
        for status in deliveries.all():
            if not status.state.ended:
                deliveries.command(status.id, Command(Action.ABORT, ACTOR, reason))

    def close(self) -> None:
        """Let go of it."""
        self._store.close()
        os.close(self._lock)


def tail(log: Path, lines: int = 12) -> str:
    """Return the end of a log file."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""

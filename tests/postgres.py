"""A real PostgreSQL for the tests: one cluster a session, started by them, and a fresh database for each test.

The migrations make the tables once, in a database that each test gets a copy of (`CREATE DATABASE ... TEMPLATE`).
It listens on a socket in a folder of its own, writes nothing through to the disk, and ends with the session.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from glob import glob
from itertools import count
from pathlib import Path

import psycopg
import pytest

TEMPLATE = "migrated"
_NOT_DURABLE = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=2GB")


def find_bin() -> Path | None:
    """Return the folder of the newest server's programs; None where there is no server to start."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which("initdb")
    return Path(path).parent if path else None


def _user() -> str | None:
    """Return whom the server runs as: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return pytest.skip("needs a user other than root to run PostgreSQL as")


def _memory() -> str | None:
    """Return a folder in memory, where copies of a database are cheap; None where it is small or there is none."""
    folder = "/dev/shm"
    with suppress(OSError):
        if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2 * 2**30:
            return folder
    return None


class Cluster:
    """A server and its databases. `durable`: what it acknowledged is there after it was killed, too."""

    def __init__(self, durable: bool = False) -> None:
        programs = find_bin()
        if programs is None:
            pytest.skip("needs PostgreSQL's server (initdb), which is not installed")
        self.bin = programs
        self.user = _user()
        # Not pytest's folder: its parents are closed to other users, and a socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="canary-pg-", dir=_memory()))
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self.data = self.folder / "data"
        self._numbers = count()
        self._server: subprocess.Popen[bytes] | None = None
        # Without fsync what is committed survives the server's death, if not the machine's.
        self._options = _NOT_DURABLE if durable else (*_NOT_DURABLE, "synchronous_commit=off")
        self._run("initdb", "-D", str(self.data), "-U", "canary", "-A", "trust", "-N", "--locale=C.UTF-8", "-E", "UTF8")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        done = subprocess.run(command, user=self.user, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=120")
        options = [word for setting in (*settings, *self._options) for word in ("-c", setting)]
        with (self.folder / "server.log").open("ab") as log:
            command = [str(self.bin / "postgres"), "-D", str(self.data), *options]
            self._server = subprocess.Popen(command, user=self.user, cwd="/", stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
                return
            except psycopg.OperationalError:
                log = self.folder / "server.log"
                assert self._server.poll() is None and time.monotonic() < end, log.read_text()  # noqa: PT018
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server: SIGQUIT at once, as a crash does; SIGINT in order."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(30)
            self._server = None

    def close(self) -> None:
        """Stop the server and remove all that it had."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """Return the socket on which it listens."""
        return self.folder / ".s.PGSQL.5432"

    def conninfo(self, database: str) -> str:
        """Return what psycopg connects by."""
        return f"host={self.folder} user=canary dbname={database}"

    def url(self, database: str) -> str:
        """Return what SQLAlchemy connects by."""
        return f"postgresql+psycopg://canary@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction; return its rows."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """Make a database; return its name."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        strategy = " STRATEGY FILE_COPY" if int(self.bin.parent.name) >= 15 else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}{strategy}")
        return name

    def shut_out(self, name: str) -> None:
        """Let nobody into a database any more, and end the connections that there are; `let_in` undoes it."""
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def let_in(self, name: str) -> None:
        """Let connections in again."""
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

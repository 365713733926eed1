"""What can go wrong with the store, as sentences that say what to do."""

from __future__ import annotations

import sqlite3
from enum import StrEnum

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, TimeoutError  # noqa: A004


class Trouble(StrEnum):
    """What is the matter with a database, in a word or two that may be told to anybody."""

    UNREACHABLE = "unreachable"
    LOCKED = "locked"
    READ_ONLY = "read-only"
    FULL = "full"
    GONE = "gone"
    DAMAGED = "damaged"
    OTHER = "unusable"


class StoreUnavailable(Exception):
    """The database can't be opened, read or written; the message says why and what to do. `trouble`: in a word."""

    def __init__(self, message: str, trouble: Trouble = Trouble.OTHER) -> None:
        super().__init__(message)
        self.trouble = trouble


class Fenced(Exception):
    """A writer's lease has run out or gone to another holder: what it was about to write must not be written."""


class BackupError(Exception):
    """A backup that can't be made, read or restored. The text says why and what to do; nothing was changed."""


class LogFileError(Exception):
    """An event log that can't be imported; nothing of it was.

    Attributes:
        line: of the file, 1 for the header; None where the file isn't to blame. reason: what is wrong.
    """

    def __init__(self, name: str, line: int | None, reason: str) -> None:
        where = name if line is None else f"{name}, line {line}"
        super().__init__(f"{where}: {reason}. Nothing was imported.")
        self.line = line
        self.reason = reason


_FULL = "can't be written: the disk is full. Free some space; nothing that was committed is lost"
_LOCKED = (
    "is held by another process. Try again; if it stays so, look for a program that has it open (a copy or a backup in "
    "progress, a stopped process)"
)
_TABLES = (
    "hasn't the tables that this program expects: it was replaced, or another version made it. Check CANARY_HOME and "
    "CANARY_DATABASE_URL, and start the program again"
)
_UNREACHABLE = "can't be reached. Check that the database server runs and that CANARY_DATABASE_URL is right"

_FILE = (  # what SQLite says (in part), what kind of trouble that is, and what a person can do about it
    (("locked", "busy"), Trouble.LOCKED, _LOCKED),
    (
        ("readonly", "read-only", "permission denied"),
        Trouble.READ_ONLY,
        "can't be written. Check the owner and the permissions of the file and of its directory",
    ),
    (("full", "no space"), Trouble.FULL, _FULL),
    (
        ("unable to open",),
        Trouble.GONE,
        "is gone or can't be opened. Put it back from a backup (`canary restore`), or check CANARY_HOME and "
        "CANARY_DATABASE_URL",
    ),
    (("no such table", "no such column"), Trouble.GONE, _TABLES),
    (
        ("malformed", "not a database", "disk i/o error"),
        Trouble.DAMAGED,
        "is damaged. Stop every process that uses it and restore it from a backup (`canary restore`); the event log "
        "can be brought back from an export",
    ),
)
_SERVER = (  # SQLSTATEs of PostgreSQL (their beginning), and what it says where there is none: it let nobody in
    (("55P03", "40001", "40P01"), (), Trouble.LOCKED, _LOCKED),
    (
        ("57014",),
        (),
        Trouble.LOCKED,
        "takes too long. Try again; if it stays so, the server is overloaded, or another program holds a lock on it",
    ),
    (
        ("25006",),
        (),
        Trouble.READ_ONLY,
        "can't be written: it is a replica, or set read-only. Use the primary's address",
    ),
    (("53100",), (), Trouble.FULL, _FULL),
    (
        ("53300",),
        ("too many clients", "connection slots"),
        Trouble.UNREACHABLE,
        "has no connection left. Raise its max_connections, or run fewer processes",
    ),
    (
        ("28",),
        ("authentication failed", "pg_hba.conf", "no password supplied", "role "),
        Trouble.UNREACHABLE,
        "doesn't let this program in. Check user and password in CANARY_DATABASE_URL, and the server's pg_hba.conf",
    ),
    (
        ("3D000",),
        ("does not exist",),
        Trouble.GONE,
        "does not exist on its server. Create it (createdb), or correct CANARY_DATABASE_URL",
    ),
    (("42P01", "42703"), (), Trouble.GONE, _TABLES),
    (
        ("42501",),
        (),
        Trouble.READ_ONLY,
        "may not be used so by this user. Make the user of CANARY_DATABASE_URL its owner",
    ),
    (("XX",), (), Trouble.DAMAGED, "is damaged. Stop every process that uses it and restore it from a backup"),
    (("08", "57P", "25P03"), ("",), Trouble.UNREACHABLE, _UNREACHABLE),
)


def unavailable(database: str, error: DBAPIError | TimeoutError | OSError) -> StoreUnavailable:
    """Put a driver's or the system's error into a sentence."""
    if isinstance(error, DBAPIError):
        said = str(error.orig).strip()
        trouble, advice = _file(said) if isinstance(error.orig, sqlite3.Error) else _server(error)
    elif isinstance(error, TimeoutError):
        said, trouble = "no connection became free", Trouble.UNREACHABLE
        advice = "answers too slowly for what is asked of it. Try again"
    else:
        said = error.strerror or str(error)
        trouble, advice = _file(said)
    return StoreUnavailable(f"The database {database} {advice}. (It said: {said})", trouble)


def is_ours(error: DBAPIError) -> bool:
    """Say whether an error is a mistake of this program, not the state of its database."""
    if isinstance(error, IntegrityError):
        return True
    if isinstance(error, ProgrammingError) and (state := _sqlstate(error)) is not None:
        return _of_server(state) is None
    return isinstance(error, ProgrammingError | DataError)


def _file(said: str) -> tuple[Trouble, str]:
    for words, trouble, advice in _FILE:
        if any(word in said.lower() for word in words):
            return trouble, advice
    return Trouble.OTHER, "can't be used"


def _server(error: DBAPIError) -> tuple[Trouble, str]:
    return _of_server(_sqlstate(error), str(error.orig)) or (Trouble.OTHER, "can't be used")


def _of_server(state: str | None, said: str = "") -> tuple[Trouble, str] | None:
    for states, words, trouble, advice in _SERVER:
        if state.startswith(states) if state else any(word in said for word in words):
            return trouble, advice
    return None


def _sqlstate(error: DBAPIError) -> str | None:
    """Return the server's code for what went wrong; None where it gave none, as of a connection that is lost."""
    return getattr(error.orig, "sqlstate", None)

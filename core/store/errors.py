"""What can go wrong with the store, as sentences that say what to do."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


class StoreUnavailable(Exception):
    """The database can't be opened, read or written; the message says why and what to do."""


class Fenced(Exception):
    """A writer's lease has run out or gone to another holder: what it was about to write must not be written."""


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


_ADVICE = (  # what drivers say (in part), and what a person can do about it
    (
        ("locked", "busy"),
        "is held by another process. Try again; if it stays so, look for a program that has the file open (a copy or a "
        "backup in progress, a stopped process)",
    ),
    (
        ("readonly", "read-only"),
        "can't be written. Check the owner and the permissions of the file and of its directory",
    ),
    (("full",), "can't be written: the disk is full. Free some space; nothing that was committed is lost"),
    (
        ("unable to open",),
        "is gone or can't be opened. Put it back from a backup, or check CANARY_HOME and CANARY_DATABASE_URL",
    ),
    (
        ("no such table", "no such column"),
        "hasn't the tables that this program expects: it was replaced, or another version made it. Check CANARY_HOME "
        "and CANARY_DATABASE_URL, and start the program again",
    ),
    (
        ("malformed", "not a database", "disk i/o error"),
        "is damaged. Stop every process that uses it and restore it from a backup; the event log can be brought back "
        "from an export",
    ),
    (
        ("connection", "connect"),
        "can't be reached. Check that the database server runs and that CANARY_DATABASE_URL is right",
    ),
)


def unavailable(database: str, error: DBAPIError | OSError) -> StoreUnavailable:
    """Put a driver's or the system's error into a sentence."""
    said = str(error.orig) if isinstance(error, DBAPIError) else error.strerror or str(error)
    advice = next((text for words, text in _ADVICE if any(word in said.lower() for word in words)), "can't be used")
    return StoreUnavailable(f"The database {database} {advice}. (It said: {said})")

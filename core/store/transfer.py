"""The event log as a file of JSON lines, out and in again: the same chain, hash by hash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from sqlalchemy import Connection

from core.store.errors import LogFileError
from core.store.eventlog import (
    GENESIS,
    Event,
    Head,
    canonical,
    event_of,
    hash_of,
    head_of,
    insert_events,
    lock_log,
    storable,
    stream_rows,
)
from core.store.store import Store

FORMAT = "cohort-canary event log"
VERSION = 1

_BATCH = 1000
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "seq": int,
    "at": (int, float),
    "wall": (int, float),
    "deployment": str,
    "kind": str,
    "actor": str,
    "reason": str,
    "data": dict,
    "previous": str,
    "hash": str,
}


def export_log(connection: Connection, file: IO[str]) -> int:
    """Write the event log, one JSON document a line: a header (format, version, count, head), then the events.

    Returns:
        How many events were written.
    """
    head = head_of(connection)
    header = {"format": FORMAT, "version": VERSION, "count": head.count, "head": head.hash}
    file.write(canonical(header) + "\n")
    count = 0
    for row in stream_rows(connection):
        event = event_of(row)
        file.write(canonical({name: getattr(event, name) for name in _FIELDS}) + "\n")
        count += 1
    return count


def import_log(store: Store, path: Path) -> int:
    """Read an exported log into a database whose log is empty, verifying each event; all of it or nothing.

    Returns:
        How many events were read.

    Raises:
        LogFileError: the file isn't an export, or the chain in it is broken, or the database has events already.
        OSError: the file can't be read.
        StoreUnavailable: the database can't be written.
    """
    with path.open(encoding="utf-8", errors="surrogateescape") as file, store.transaction() as tx:
        here = lock_log(tx.connection)
        if here.count > 0:
            raise LogFileError(path.name, None, f"the database's log has {here.count} events already; it must be empty")
        head = Head(0, GENESIS)
        batch: list[Event] = []
        for event in _verified(path.name, file):
            batch.append(event)
            head = Head(event.seq, event.hash)
            if len(batch) == _BATCH:
                insert_events(tx.connection, batch, head)
                batch.clear()
        if batch:
            insert_events(tx.connection, batch, head)
        tx.head = head
    return head.count


def read_log(path: Path) -> list[Event]:
    """Return the events of an exported log, each verified, without a database.

    Raises:
        LogFileError: the file isn't an export, or the chain in it is broken.
        OSError: the file can't be read.
    """
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return list(_verified(path.name, file))


def _verified(name: str, file: IO[str]) -> Iterator[Event]:
    lines = enumerate(file, start=1)
    line, text = next(lines, (1, ""))
    header = _parse(name, line, text)
    if header.get("format") != FORMAT:
        raise LogFileError(name, line, f'not an exported event log: expected "format": "{FORMAT}"')
    if header.get("version") != VERSION:
        raise LogFileError(name, line, f"format version {header.get('version')!r}; this program reads {VERSION}")
    end = Head(0, GENESIS)
    for line, text in lines:
        event = _event(name, line, _parse(name, line, text))
        if event.seq != end.count + 1:
            raise LogFileError(name, line, f"expected event {end.count + 1}, found event {event.seq}")
        if event.previous != end.hash:
            raise LogFileError(name, line, f"event {event.seq} isn't chained to the one before it")
        end = Head(event.seq, event.hash)
        yield event
    if (header.get("count"), header.get("head")) != (end.count, end.hash):
        reason = f"the header promises {header.get('count')} events; the file holds {end.count}"
        if header.get("count") == end.count:
            reason = f"the header's hash isn't that of event {end.count}"
        raise LogFileError(name, line, reason)


def _parse(name: str, line: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise LogFileError(name, line, f"not JSON ({error})") from error
    if not isinstance(value, dict):
        raise LogFileError(name, line, f"expected a JSON object, found {type(value).__name__}")
    return value


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _event(name: str, line: int, fields: dict[str, Any]) -> Event:
    if fields.keys() != _FIELDS.keys():
        odd = ", ".join(sorted(fields.keys() ^ _FIELDS.keys()))
        raise LogFileError(name, line, f"fields missing or not known: {odd}")
    for field, kind in _FIELDS.items():
        value = fields[field]
        if (
            not isinstance(value, kind)
            or isinstance(value, bool)
            or (isinstance(value, str) and storable(value) != value)
        ):
            raise LogFileError(name, line, f"{field} is {value!r}")
    event = Event(**fields | {"at": float(fields["at"]), "wall": float(fields["wall"])})
    data = canonical(event.data)
    expected = hash_of(
        event.seq, event.at, event.wall, event.deployment, event.kind, event.actor, event.reason, data, event.previous
    )
    if event.hash != expected:
        raise LogFileError(name, line, f"event {event.seq} was altered: its hash doesn't fit what it says")
    return event

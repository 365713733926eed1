"""What is remembered, and whether it could be brought back: database, tables, event log, backups, room on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from core.delivery import RESTORE_DRILLED
from core.delivery.words import duration
from core.doctor.check import Installation, Verdict, check, failed, ok, warning
from core.store import Store, events, migrations, verify_log

FEW_BYTES, TOO_FEW_BYTES = 2 * 10**9, 200 * 10**6
BACKUP_S, DRILL_S = 2 * 86_400.0, 90 * 86_400.0


@check("database")
def database(at: Installation) -> Iterator[Verdict]:
    """Can it be read and written, and how soon does it answer?"""
    if at.store is None:
        yield failed("it can't be opened", at.trouble)
        return
    began = time.perf_counter()
    with at.store.read() as connection:
        found = migrations.revision(connection)
    took = time.perf_counter() - began
    if found is None:
        yield warning("it is empty: no server has been started on it", "Start one: canary serve")
        return
    with at.store.transaction():
        pass  # that it begins says that it may be written
    said = f"{at.store.engine.dialect.name} at {at.store.name} can be read and written"
    yield ok(f"{said}; it answers in {1e3 * took:.1f} ms")


@check("tables")
def tables(at: Installation) -> Iterator[Verdict]:
    """Are the tables those of this version?"""
    if at.store is None:
        return
    with at.store.read() as connection:
        found = migrations.revision(connection)
    if found == migrations.HEAD:
        yield ok(f"at revision {found}, as this version expects")
    elif found is not None and found > migrations.HEAD:
        yield failed(
            f"at revision {found}, known here up to {migrations.HEAD}: a newer version has migrated them",
            "Install that version, or restore a backup from before it",
        )
    elif found is not None:
        yield warning(
            f"at revision {found}; this version migrates them to {migrations.HEAD} at its next start",
            "Make a backup before: canary backup",
        )


@check("event log")
def event_log(at: Installation) -> Iterator[Verdict]:
    """Is the chain whole, and as its anchor has it?"""
    if (store := store_of(at)) is None:
        return
    found = verify_log(store)
    if not found.ok:
        yield failed(found.problem, "Find out who changed it; compare with a backup (canary backup --check FILE)")
    elif found.warning:
        yield warning(found.warning, "Put anchor.json back from a backup, if there is one")
    else:
        yield ok(f"{found.count:,} events, whole and anchored")


@check("backups")
def backups(at: Installation) -> Iterator[Verdict]:
    """Is there one, and has one ever been brought back?"""
    if (store := store_of(at)) is None:
        return
    now = time.time()
    newest = max((p.stat().st_mtime for p in (at.settings.home / "backups").glob("*.tar.gz")), default=None)
    if newest is None:
        yield warning(
            "there is none in backups/ in CANARY_HOME (those elsewhere can't be seen from here)",
            "canary backup --out FILE, on another disk, once a day",
        )
    elif now - newest > BACKUP_S:
        yield warning(f"the newest is {duration(now - newest)} old", "canary backup, once a day")
    else:
        yield ok(f"the newest is {duration(now - newest)} old")
    with store.read() as connection:
        drilled = events(connection, kinds=[RESTORE_DRILLED], newest_first=True, limit=1)
    if not drilled or now - drilled[0].wall > DRILL_S:
        when = f"for {duration(now - drilled[0].wall)}" if drilled else "yet"
        yield warning(f"no restore has been practised {when}", "canary drill restore")
    elif not drilled[0].data.get("ok"):
        yield failed(f"the last restore drill did not come back whole: {drilled[0].reason}", "canary drill restore")
    else:
        yield ok(f"a restore was practised {duration(now - drilled[0].wall)} ago: {drilled[0].reason}")


@check("disk")
def disk(at: Installation) -> Iterator[Verdict]:
    """Is there room?"""
    places = {at.settings.home}
    if at.store is not None and at.store.engine.dialect.name == "sqlite":
        places.add(Path(at.store.name).parent)
    for place in sorted(places):
        there = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
        free = shutil.disk_usage(there).free
        said = f"{free / 1e9:.1f} GB free at {place}"
        if free < TOO_FEW_BYTES:
            yield failed(f"{said}: soon nothing can be recorded, and then nothing is decided", "Free some space")
        elif free < FEW_BYTES:
            yield warning(said, "Free some space, or move CANARY_HOME")
        else:
            yield ok(said)


def store_of(at: Installation) -> Store | None:
    """Return the store if it has this version's tables."""
    if at.store is None:
        return None
    with at.store.read() as connection:
        return at.store if migrations.revision(connection) == migrations.HEAD else None

"""A backup as a file: a compressed tar whose first member says what it is, and what each of the others must hash to."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from core.store.errors import BackupError

FORMAT = "cohort-canary backup"
VERSION = 1
MANIFEST = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup: its name, size in bytes and SHA-256 in hex."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A file that is too large, or too easily made again, to be in a backup: where it was, its size and time."""

    path: str
    bytes: int
    modified: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        created: ISO time, UTC. program: version that made it. kind: of the database, "sqlite" or "postgresql".
        revision: of its tables.
        tables: rows of each table. events, head: length of the event log and its last hash.
        anchored: how many events the anchor vouches for; None without one.
        log_problem: what `verify_log` found wrong; "" normally.
        secrets: whether tokens and the learners' key are in it.
        files: its other members. references: files that it only names.
    """

    created: str
    program: str
    kind: str
    revision: str
    tables: dict[str, int]
    events: int
    head: str
    anchored: int | None
    log_problem: str
    secrets: bool
    files: tuple[Member, ...]
    references: tuple[Reference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the file."""
        return {"format": FORMAT, "version": VERSION} | asdict(self)


def member_of(path: Path) -> Member:
    """Return what a backup says of a file."""
    with path.open("rb") as file:
        return Member(path.name, path.stat().st_size, _hash(file))


def write_archive(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write a backup, readable by its owner only; it is there whole or not at all.

    Args:
        path: of the backup. manifest: of it. folder: where the files are that it names.

    Raises:
        OSError: it can't be written.
    """
    new = path.with_name(f".{path.name}.new")
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json(), indent=1) + "\n", encoding="utf-8")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=3) as tar:
                for name in (MANIFEST, *(member.name for member in manifest.files)):
                    tar.add(folder / name, name)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def read_archive(path: Path, into: Path | None = None, names: Sequence[str] | None = None) -> Manifest:
    """Check every byte of a backup against its manifest, and unpack it if asked to.

    Args:
        path: of the backup. into: folder to put its files in; None: only check. names: only these; None: all.

    Raises:
        BackupError: it isn't a backup, a later version of this program made it, or it is damaged.
    """
    try:
        with tarfile.open(path, "r:gz") as tar:
            manifest = _manifest(path, tar)
            expected = {member.name: member for member in manifest.files}
            while (info := tar.next()) is not None:
                if (member := expected.pop(info.name, None)) is None or not info.isfile():
                    raise BackupError(f"{path}: holds {info.name!r}, of which its manifest doesn't know")
                file = tar.extractfile(info)
                assert file is not None
                wanted = into is not None and (names is None or info.name in names)
                if _hash(file, into / info.name if into is not None and wanted else None) != member.sha256:
                    raise BackupError(f"{path}: {info.name} is damaged: its hash isn't the manifest's")
            if expected:
                raise BackupError(f"{path}: {', '.join(expected)} is missing: the backup was cut off or altered")
            return manifest
    except OSError as error:
        if isinstance(error, tarfile.ReadError | EOFError) or error.errno is None:
            raise BackupError(f"{path}: is damaged or no backup ({error})") from error
        raise BackupError(f"{path}: can't be read: {error.strerror}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BackupError(f"{path}: is damaged, cut off, or no backup ({error})") from error


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    info = tar.next()
    file = tar.extractfile(info) if info is not None and info.name == MANIFEST else None
    if file is None:
        raise BackupError(f"{path}: is not a backup of this program: it doesn't begin with {MANIFEST}")
    try:
        said = json.load(file)
        if said["format"] != FORMAT or said["version"] > VERSION:
            raise BackupError(
                f"{path}: format {said['format']!r}, version {said['version']}: this program reads {VERSION}"
            )
        known = {f.name: said[f.name] for f in fields(Manifest)}
        files = tuple(Member(**member) for member in said["files"])
        references = tuple(Reference(**reference) for reference in said["references"])
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{path}: its {MANIFEST} can't be read ({error!r})") from error
    if any("/" in member.name or member.name.startswith(".") for member in files):
        raise BackupError(f"{path}: its {MANIFEST} names files outside the backup")
    return Manifest(**known | {"files": files, "references": references})


def _hash(file: IO[bytes], copy: Path | None = None) -> str:
    digest = hashlib.sha256()
    out = os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") if copy is not None else None
    try:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if out is not None:
                out.write(chunk)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    finally:
        if out is not None:
            out.close()
    return digest.hexdigest()

"""HAProxy's map file: what a restart of HAProxy brings. Read, and replaced whole with one value changed."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.store import replace_file
from core.traffic.switch import SwitchError

_POLL_S = 0.01


def value_in(text: str, key: str) -> str | None:
    """Return the value that a map's text gives a key, or None; of several the first, as HAProxy takes it."""
    for line in text.splitlines():
        found, value = _entry(line)
        if found == key:
            return value
    return None


def with_value(text: str, key: str, value: str) -> str:
    r"""Return a map's text with one entry changed or added; comments and other entries stay as they are.

    >>> with_value("# flags\nother 3\nanalyzer 1\n", "analyzer", "10")
    '# flags\nother 3\nanalyzer 10\n'
    """
    lines, done = [], False
    for line in text.splitlines():
        if _entry(line)[0] != key:
            lines.append(line)
        elif not done:
            lines.append(f"{key} {value}")
            done = True
    return "\n".join([*lines, *([] if done else [f"{key} {value}"])]) + "\n"


def _entry(line: str) -> tuple[str, str]:
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return "", ""
    key, _, value = stripped.replace("\t", " ").partition(" ")
    return key, value.strip()


class MapFile:
    """One map file, written by any number of processes on this machine."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s

    def get(self, key: str) -> str | None:
        """Return a key's value, or None. Raises SwitchError."""
        return value_in(self._text(), key)

    def put(self, key: str, value: str) -> None:
        """Give a key a value; the file is replaced whole and on the disk when this returns. Raises SwitchError."""
        try:
            text, mode = self._text(), stat.S_IMODE(self.path.stat().st_mode)
            changed = with_value(text, key, value)
            if changed != text:
                replace_file(self.path, changed, mode=mode)
        except OSError as error:
            raise SwitchError(f"the map file {self.path} can't be written: {error.strerror or error}") from None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other processes from setting the switch meanwhile. Raises SwitchError when one of them doesn't end."""
        path = self.path.with_name(f".{self.path.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise SwitchError(f"{path} can't be opened: {error.strerror or error}") from None
        try:
            ends = time.monotonic() + self.timeout_s
            while not _taken(descriptor):
                if time.monotonic() > ends:
                    raise SwitchError(f"another process has been setting the switch for {self.timeout_s:g} s")
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(descriptor)  # gives the lock back, as the end of the process does

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SwitchError(
                f"the map file {self.path} can't be read: {why}; HAProxy would not start again with it"
            ) from None


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

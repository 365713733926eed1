"""Child processes that never outlive their parent, and ending them within a bounded time."""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """Return what to run in a child before exec, so that the kernel signals it when its parent dies (Linux only).

    Elsewhere it does nothing: our own processes also watch their standard input, which the parent holds open.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return prepare


def start(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str],
    *,
    cwd: Path,
    talks: bool = True,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its errors appended to a log file.

    Args:
        talks: its stdout is ours to read; else that goes to the log, too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if talks else errors,
            stderr=errors,
            env=dict(env),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the children in order
            preexec_fn=die_with_parent(),
        )


def first_line(process: subprocess.Popen[bytes], within_s: float, stopped: Callable[[], bool]) -> bytes:
    """Return the first line that a child says; b"" when it ended, was too slow, or we are to stop."""
    assert process.stdout is not None
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not stopped():
        readable, _, _ = select.select([process.stdout], [], [], 0.2)
        if readable:
            return process.stdout.readline()
    return b""


def end(processes: Sequence[subprocess.Popen[bytes]], patience_s: float = 5.0) -> None:
    """Ask our children to end, and kill those that don't within `patience_s`; their own children go with them."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        _signal_group(process.pid, signal.SIGTERM)
    for process in running:
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)  # the child leads the session that `start` gave it
    except ProcessLookupError:
        return


async def stdin_lines(on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
    """Read lines from standard input until it is closed, which means that the parent is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        on_line(line)
    on_end()

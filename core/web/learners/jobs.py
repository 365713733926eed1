"""Runs started from a page: one at a time a server, in a process of its own that is the server's, not a browser's."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.learners import runs
from core.learners.job import Request
from core.store import Store, StoreUnavailable
from core.web.actions import Told
from core.web.views.marks import Tone

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[3]
OF_EVENTS = ("-m", "core.learners")
MADE_UP = ("-m", "core.demo.cohorts")
"""Programs, not imports: what makes learners up is a room above this one."""
UPLOADS = "uploads"
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a run is, or what came of it.

    Attributes:
        number: counts the runs of this server. name: of what is read.
        stage: what it does now. rows: events so far. began, ended: wall times; `ended` None while it runs.
        run: its id, once it is remembered. error: why there is none. cancelled: somebody stopped it.
    """

    number: int
    name: str
    stage: str
    rows: int
    began: float
    ended: float | None = None
    run: str = ""
    error: str = ""
    cancelled: bool = False

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.ended is None


@dataclass(frozen=True, slots=True)
class _Files:
    """What a run leaves behind. `run`: its id."""

    home: Path
    run: str
    log: Path
    uploaded: Path | None


class Jobs:
    """The runs of one server process; every browser sees the same one."""

    def __init__(self, on_found: Callable[[], None] = lambda: None) -> None:
        """Begin with none. `on_found`: called in a thread once one has found cohorts."""
        self._on_found = on_found
        self._lock = threading.Lock()
        self._state: JobState | None = None
        self._process: subprocess.Popen[str] | None = None

    @property
    def state(self) -> JobState | None:
        """The run under way, else the last one; None before the first."""
        return self._state

    def start(self, store: Store, request: Request, uploaded: Path | None = None) -> Told:
        """Start a run, if none is under way. `uploaded`: a file to remove afterwards."""
        with self._lock:
            if self._state is not None and self._state.running:
                _remove(uploaded)
                return Told(Tone.WATCH, f"Nothing was started: a run over {self._state.name} is under way.")
            runs.sweep(store)
            request = replace(request, run=runs.new_id())
            program = MADE_UP if request.made_up else OF_EVENTS
            name = request.name or (f"{request.made_up:,} made-up learners" if request.made_up else request.source)
            log = store.home / "logs" / "cohorts.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            try:
                with log.open("ab") as errors:
                    process = subprocess.Popen(
                        [sys.executable, *program],
                        cwd=ROOT,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        text=True,
                        start_new_session=True,
                    )
                assert process.stdin is not None
                process.stdin.write(json.dumps(asdict(request)) + "\n")
                process.stdin.flush()
            except OSError as error:
                _remove(uploaded)
                return Told(Tone.BAD, f"The run can't be started: {error}.")
            number = 1 if self._state is None else self._state.number + 1
            self._state = JobState(number, name, "starting", 0, time.time())
            self._process = process
        files = _Files(store.home, request.run, log, uploaded)
        threading.Thread(target=self._listen, args=(process, number, files), name="cohorts", daemon=True).start()
        return Told(Tone.GOOD, f"Started a run over {name}.")

    def cancel(self, number: int) -> Told:
        """Stop the run of that number; nothing of it is kept."""
        with self._lock:
            state, process = self._state, self._process
            if state is None or process is None or state.number != number or not state.running:
                return Told(Tone.GOOD, "Nothing to stop: it has ended already.")
            self._state = replace(state, cancelled=True)
            process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        return Told(Tone.GOOD, f"Stopped the run over {state.name}; nothing of it is kept.")

    def _listen(self, process: subprocess.Popen[str], number: int, files: _Files) -> None:
        run = error = ""
        assert process.stdout is not None
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                logger.warning("a run said what is no JSON: %.200s", line)
                continue
            run, error = said.get("run", run), said.get("error", error)
            if "stage" in said:
                with self._lock:
                    if self._state is not None and self._state.number == number:
                        self._state = replace(self._state, stage=said["stage"], rows=said["rows"])
        code = process.wait()
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        _remove(files.uploaded)
        if not run:
            runs.discard(files.home, files.run)
            error = error or f"the run ended with exit code {code}; the end of {files.log.name} in the logs says more"
        else:
            try:
                self._on_found()  # so that who is told of it needn't wait to see it
            except (StoreUnavailable, OSError) as problem:
                logger.warning("the run could not be read beforehand: %s", problem)
        with self._lock:
            if self._state is not None and self._state.number == number:
                cancelled = self._state.cancelled and not run
                self._state = replace(
                    self._state,
                    ended=time.time(),
                    run=run,
                    error="" if run or cancelled else error,
                    cancelled=cancelled,
                )


def keep_upload(home: Path, name: str, data: memoryview | bytes) -> Path:
    """Write an uploaded file to the home, under a name that nobody chose but for its endings; return where."""
    folder = home / runs.FOLDER / UPLOADS
    folder.mkdir(parents=True, exist_ok=True)
    endings = "".join(ending for ending in Path(name).suffixes[-2:] if ending[1:].isalnum())
    path = folder / f"{runs.new_id()}{endings}"
    path.write_bytes(data)
    return path


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)

"""HAProxy as the traffic switch: from the decision to the share that is set, kept in the map's file, and read back."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Row, Spread, ms
from benchmarks.history import make_home
from core.delivery import Action, Command, Deliveries
from core.settings import Settings
from core.traffic import open_flags, open_switch

NAME = "switch"
DECISIONS = 60
_HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
_CONFIG = """
global
    stats socket {folder}/admin.sock level operator
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend learners
    bind unix@{folder}/http.sock
    http-request set-var(txn.share) str(analyzer),map_str_int({folder}/canary.map,0)
    http-request return status 200 content-type text/plain lf-string "%[var(txn.share)]"
"""


def run(folder: Path, decisions: int = DECISIONS) -> list[Row]:
    """Measure rollbacks with a retry between any two; nothing where there is no HAProxy."""
    if _HAPROXY is None:
        return []
    home = make_home(folder / NAME, spans=2)
    with _haproxy(folder) as (socket, map_file):
        settings = Settings(
            home=home.path, switch="haproxy", haproxy_sockets=(str(socket),), haproxy_map=str(map_file), lease_s=60.0
        )
        store = home.open()
        flags = open_flags(settings, store)
        deliveries = Deliveries(store, open_switch(settings, flags))
        took = []
        try:
            for _ in range(decisions):
                back = Command(Action.ROLL_BACK, "benchmark", "measured")
                began = time.perf_counter()
                outcome = deliveries.command(home.deployment, back)
                took.append(time.perf_counter() - began)
                if not outcome.switched or outcome.refusal is not None:
                    raise RuntimeError(f"HAProxy was not switched: {outcome.note or outcome.refusal}")
                deliveries.command(home.deployment, Command(Action.RETRY, "benchmark", "and again"))
        finally:
            flags.close()
            store.close()
    spread = Spread.of(took)
    what = "Rollback by HAProxy: decided, committed, set, written to its file, read back, logged"
    return [Row(NAME, what, f"median {ms(spread.p50)}, longest of {spread.count} {ms(spread.max)}", spread.named())]


@contextmanager
def _haproxy(folder: Path) -> Iterator[tuple[Path, Path]]:
    socket, map_file, config = folder / "admin.sock", folder / "canary.map", folder / "haproxy.cfg"
    map_file.write_text("analyzer 0\n")
    config.write_text(_CONFIG.format(folder=folder))
    process = subprocess.Popen([str(_HAPROXY), "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("haproxy did not start")
            time.sleep(0.02)
        yield socket, map_file
    finally:
        process.terminate()
        process.wait()

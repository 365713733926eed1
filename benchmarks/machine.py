"""Which machine and which versions a figure belongs to; nothing that tells where the machine is or who owns it."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

_VERSIONS = ("streamlit", "starlette", "uvicorn", "sqlalchemy", "numpy")


@dataclass(frozen=True)
class Machine:
    """A machine as far as it matters to speed.

    Attributes:
        cores: that this process may use. memory_gib: all there is. load: mean number of busy processes of the last
            minute when the measuring began; above 0.5 something else was running.
        versions: of what does the work, by name.
    """

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    load: float
    versions: dict[str, str]

    def line(self) -> str:
        """Return the machine in one line."""
        named = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        busy = f"; load {self.load:.1f} before, so other work shared the cores" if self.load > 0.5 else ""
        cores = f"{self.cores} core{'s' if self.cores != 1 else ''}"
        return f"{self.cpu}, {cores}, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}, {named}{busy}"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def this_machine() -> Machine:
    """Return the machine we run on."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load=os.getloadavg()[0],
        versions={name: version(name) for name in _VERSIONS} | {"sqlite": sqlite3.sqlite_version},
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        if platform.system() != "Darwin":
            return platform.machine()
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False, timeout=10
        )
        return asked.stdout.strip() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())

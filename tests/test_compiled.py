"""Machine code is found again, and not once anything that it was made from has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import compiled

MODULE = """
from core.compiled import compiled
from core.other import %s as factor


@compiled
def times(x):
    return factor * x


if __name__ == "__main__":
    times(1)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of three modules, one of which compiles."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "compiled.py").write_bytes(Path(compiled.__file__).read_bytes())
    (tmp_path / "core" / "other.py").write_text("A = 2.0\nB = 5.0\n")
    (tmp_path / "core" / "third.py").write_text("C = 1.0\n")
    (tmp_path / "core" / "mine.py").write_text(MODULE % "A")
    return tmp_path


def _run(project: Path, **environment: str) -> tuple[float, int, str]:
    """Return what a fresh process gets, how much it had to compile, and where that is kept."""
    code = (
        "from core.mine import times; from core.compiled import _folder; got = times(3.0); "
        "print(got, sum(times.stats.cache_misses.values()), _folder('core.mine'))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "CANARY_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    got, misses, folder = done.stdout.split()
    return float(got), int(misses), folder


def test_machine_code_is_kept_until_what_it_was_made_from_changes(project: Path) -> None:
    assert _run(project)[:2] == (6.0, 1)
    (project / "core" / "third.py").write_text("C = 4.0\n")
    assert _run(project)[:2] == (6.0, 0)
    (project / "core" / "other.py").write_text("A = 7.0\nB = 5.0\n")  # the module itself is the same
    assert _run(project)[:2] == (21.0, 1)
    (project / "core" / "other.py").write_text("A = 8.0\n")
    assert _run(project)[:2] == (24.0, 1)
    assert len(list((project / "core" / "__pycache__" / "numba").glob("core.mine-*"))) == 2  # the oldest is gone


def test_where_machine_code_is_kept(project: Path, tmp_path: Path) -> None:
    home, chosen = tmp_path / "home", tmp_path / "chosen"
    assert _run(project, NUMBA_CACHE_DIR=str(chosen))[2].startswith(str(chosen))
    assert list(chosen.rglob("*.nbi"))
    # A file in the place of a folder: nothing can be written there, whoever asks.
    beside = project / "core" / "__pycache__" / "numba"
    beside.parent.mkdir(exist_ok=True)
    beside.touch()
    assert _run(project, CANARY_HOME=str(home))[2].startswith(str(home))
    assert _run(project, CANARY_HOME=str(beside), XDG_CACHE_HOME=str(beside)) == (6.0, 1, "None")


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("from core.learners import traits as t", ["core/learners/traits/__init__.py"]),
        (
            "from core.learners import (\n    recall,  # why\n    part,\n)",
            ["core/learners/recall.py", "core/learners/part.py"],
        ),
        ("from core.learners.recall import Recall, STEPS", ["core/learners/recall.py"]),
        ("import core.compiled", ["core/compiled.py"]),
        ("import numpy\n    from core import settings", []),
    ],
)
def test_what_a_module_is_made_from(text: str, files: list[str], root: Path) -> None:
    assert [path.relative_to(root).as_posix() for path in compiled._sources_named(text)] == files

"""What the documents say is so: their commands run and answer as shown, their links lead somewhere, their names exist.

Commands stand in ```console blocks, behind "$ ". All blocks of a document run in order in one shell, with a home of its
own; the lines shown after a command must come in its output, in that order ("..." stands for any). A comment before a
block changes that: `<!-- not run: REASON -->` leaves it out, `<!-- exit N -->` expects another exit code of its last
command, and `<!-- background -->` leaves its command running until the end and waits until it answers HTTP.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from core.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:^<!-- (?P<note>[^>]*) -->\n)?^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8501"  # as written in the documents


@dataclass(frozen=True)
class Block:
    commands: list[str]
    shown: list[str]
    note: str


def _blocks(document: Path) -> list[Block]:
    found = []
    for match in BLOCK.finditer(document.read_text()):
        commands: list[str] = []
        shown: list[str] = []
        for line in match["body"].splitlines():
            if line.startswith("$ "):
                commands.append(line[2:])
            elif commands and commands[-1].endswith("\\"):
                commands[-1] += "\n" + line
            elif line.strip() not in {"", "..."}:
                shown.append(line.strip())
        found.append(Block(commands, shown, match["note"] or ""))
    return found


def _script(blocks: list[Block]) -> str:
    """Return a bash program that runs the blocks and prints a line "=== N" before each."""
    lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    for number, block in enumerate(blocks):
        lines.append(f"printf '\\n=== {number}\\n'")  # an answer may end without a line break
        if block.note == "background":
            lines += [f"{command} >&2 &" for command in block.commands]
            url = f"http://127.0.0.1:{PORT}/healthz"
            lines.append(f"for _ in $(seq 150); do curl -so /dev/null {url} && break; sleep 0.2; done")
        elif expected := re.fullmatch(r"exit (\d+)", block.note):
            *before, last = block.commands
            lines += [*before, f"status=0; {last} || status=$?", f'test "$status" = {expected[1]}']
        else:
            lines += block.commands
    return "\n".join(lines) + "\n"


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which everything of this one is found, and that what is written there doesn't go to."""
    folder = tmp_path_factory.mktemp("docs") / "checkout"
    folder.mkdir()
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)
    (folder.parent / "shared").symlink_to(ROOT.parent / "shared")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_do_what_the_document_shows(document: Path, home: Path, checkout: Path, free_port: int) -> None:
    blocks = [block for block in _blocks(document) if not block.note.startswith("not run: ")]
    if not blocks:
        return
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "CANARY_PORT": str(free_port), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", _script(blocks).replace(PORT, str(free_port))],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    outputs = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for block, output in zip(blocks, outputs, strict=True):
        at = 0
        for line in block.shown:
            at = output.find(line, at)
            assert at >= 0, f"{block.commands} doesn't print {line!r} (any more, or there); it prints:\n{output}"


def test_what_is_not_run_says_why() -> None:
    notes = [block.note for document in DOCUMENTS for block in _blocks(document) if block.note]
    assert [note for note in notes if not re.fullmatch(r"not run: .{10,}|exit \d+|background", note)] == []


def _links(document: Path) -> list[Path]:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    return [(document.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    assert [str(target) for target in _links(document) if not target.exists()] == []


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    missing = {path for path in (ROOT / "docs").rglob("*.md") if path != index} - set(_links(index))
    assert sorted(str(path.relative_to(ROOT)) for path in missing) == []


def _code(document: Path) -> str:
    """Return what stands as code in a document."""
    text = document.read_text()
    return "\n".join([*re.findall(r"```\w*\n(.*?)```", text, re.DOTALL), *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_commands_exist(document: Path) -> None:
    code = _code(document)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|\$ |&& )make ([a-z]+)", code, re.MULTILINE)) <= targets
    commands = set(getattr(typer.main.get_command(app), "commands", {}))
    assert set(re.findall(r"(?:^|[ /])canary ([a-z]+(?:-[a-z]+)*)\b", code, re.MULTILINE)) <= commands

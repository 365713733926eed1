"""The rules of the house: which way imports point, what is pinned, how long a page is, whether colours can be read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS = {
    name.strip() for layer in PROJECT["tool"]["importlinter"]["contracts"][0]["layers"] for name in layer.split("|")
}


def test_imports_point_one_way() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_has_its_place_in_the_layers() -> None:
    rooms = {f"core.{path.parent.name}" for path in CORE.glob("*/__init__.py")}
    rooms |= {f"core.{path.stem}" for path in CORE.glob("*.py") if path.stem != "__init__"}
    assert rooms <= LAYERS
    folders = {path.parent.name for path in CORE.glob("*/*.py")}
    assert {name for name in folders if not (CORE / name / "__init__.py").exists()} == set()


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _exported(room: str) -> set[str] | None:
    """Return the names in the `__all__` of a room's `__init__.py`; None of a room that is one file."""
    path = ROOT.joinpath(*room.split("."), "__init__.py")
    if not path.exists():
        return None
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def _imported(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module, name or "") for every import of `core` in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            if node.module and node.module.split(".")[0] == "core":
                yield from ((node.lineno, node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names if alias.name.split(".")[0] == "core")


def _reaches_in(module: str, name: str) -> bool:
    """Say whether an import takes from a neighbour what its `__init__.py` doesn't export."""
    parts = module.split(".")
    if len(parts) == 1:  # from core import <room>
        return False
    exported = _exported(_room(module))
    if exported is None:
        return name.startswith("_")
    if len(parts) == 2:
        return name not in exported and name != ""
    # A module that the neighbour exports as a whole (core.store.histogram) may be imported from.
    return not (len(parts) == 3 and parts[2] in exported and not name.startswith("_"))


def test_a_room_uses_only_what_its_neighbour_exports() -> None:
    files = [*CORE.rglob("*.py"), *(ROOT / "pages").rglob("*.py"), *ROOT.glob("*.py")]
    wrong = []
    for path in files:
        own = _room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for line, module, name in _imported(path):
            if _room(module) != own and _reaches_in(module, name):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {module} {name}".rstrip())
    assert not wrong, "not exported by the neighbour's __init__.py:\n" + "\n".join(wrong)


def test_pages_are_layout() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "pages").glob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 200} == {}


def _pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements" / name).read_text().splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([a-z0-9.-]+)==([A-Za-z0-9.+!]+)", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("run.txt", PROJECT["project"]["dependencies"]),
        ("test.txt", PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["test"]),
    ],
)
def test_pins_satisfy_the_project(file: str, wanted: list[str]) -> None:
    pins = _pins(file)
    for text in wanted:
        requirement = Requirement(text)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pins, f"{name} is not in requirements/{file}: make pins"
        assert requirement.specifier.contains(pins[name]), f"{name}=={pins[name]} is not {requirement}: make pins"


def test_what_is_tested_is_what_runs() -> None:
    run, test = _pins("run.txt"), _pins("test.txt")
    assert {name: version for name, version in run.items() if test.get(name) != version} == {}


def test_the_example_settings_are_all_settings_with_their_defaults() -> None:
    text = (ROOT / "canary.toml.example").read_text()
    example = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    fields = {
        name: f for name, f in Settings.model_fields.items() if "set by `canary demo`" not in (f.description or "")
    }
    assert list(example) == list(fields)
    defaults = Settings.model_construct()
    shown = Settings.model_validate(example)
    optional = {name for name, field in fields.items() if field.default in (None, ())}
    for name in fields.keys() - optional:
        assert getattr(shown, name) == getattr(defaults, name), name


THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
HUES = ["red", "orange", "yellow", "green", "blue", "violet", "gray"]


def _luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_can_be_read(mode: str) -> None:
    theme = THEME[mode]
    grounds = [theme["backgroundColor"], theme["secondaryBackgroundColor"]]
    for hue in HUES:
        for ground in [*grounds, theme[f"{hue}BackgroundColor"]]:
            assert _contrast(theme[f"{hue}TextColor"], ground) >= 4.5, (hue, ground)
        assert min(_contrast(theme[f"{hue}Color"], ground) for ground in grounds) >= 3, hue
    for ground in grounds:
        assert _contrast(theme["textColor"], ground) >= 7
        assert _contrast(theme["linkColor"], ground) >= 4.5
        assert _contrast(theme["primaryColor"], ground) >= 3
        assert min(_contrast(colour, ground) for colour in theme["chartCategoricalColors"]) >= 3
    assert _contrast(theme["primaryColor"], "#ffffff") >= 4.5  # its buttons are lettered in white
    assert len(set(theme["chartCategoricalColors"])) >= 10
    assert len(set(theme["chartSequentialColors"])) == len(set(theme["chartDivergingColors"])) == 10


def test_nothing_on_a_page_comes_from_the_web() -> None:
    assert "http" not in (ROOT / ".streamlit" / "config.toml").read_text()

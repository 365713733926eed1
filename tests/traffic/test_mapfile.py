"""HAProxy's map file: one value changed, the rest as it was, whole whenever somebody looks."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.traffic import SwitchError
from core.traffic.mapfile import MapFile, value_in, with_value

TEXT = "# per cents\n\n  analyzer\t 10  \nother 3\n"


def test_one_value_is_read_and_changed_and_the_rest_stays() -> None:
    assert (value_in(TEXT, "analyzer"), value_in(TEXT, "other"), value_in(TEXT, "per")) == ("10", "3", None)
    assert with_value(TEXT, "analyzer", "50") == "# per cents\n\nanalyzer 50\nother 3\n"
    assert with_value(TEXT, "third", "1") == TEXT + "third 1\n"
    assert with_value("a 1\nb 2\na 3\n", "a", "4") == "a 4\nb 2\n"
    assert with_value("", "a", "4") == "a 4\n"


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "canary.map"
    path.write_text(TEXT)
    path.chmod(0o640)
    MapFile(path, 1.0).put("analyzer", "50")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert MapFile(path, 1.0).get("analyzer") == "50"


def test_a_file_that_is_missing_or_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "canary.map"
    with pytest.raises(SwitchError, match=r"canary\.map can't be read: No such file"):
        MapFile(path, 1.0).get("analyzer")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SwitchError, match="not UTF-8"):
        MapFile(path, 1.0).put("analyzer", "1")


def test_many_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "canary.map"
    path.write_text(TEXT)

    def write(number: int) -> None:
        file = MapFile(path, 20.0)
        with file.turn():
            file.put(f"flag-{number}", str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert [value_in(path.read_text(), f"flag-{n}") for n in range(24)] == [str(n) for n in range(24)]


def test_who_does_not_end_keeps_nobody_waiting_for_ever(tmp_path: Path) -> None:
    path, inside, done = tmp_path / "canary.map", threading.Event(), threading.Event()
    path.write_text(TEXT)

    def stay() -> None:
        with MapFile(path, 1.0).turn():
            inside.set()
            done.wait(20)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(20)
    with pytest.raises(SwitchError, match="another process has been setting the switch"), MapFile(path, 0.1).turn():
        pass
    done.set()
    thread.join(20)

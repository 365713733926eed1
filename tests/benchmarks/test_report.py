from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.figures import Row, Spread, ms, times
from benchmarks.machine import this_machine

ROWS = [
    Row("flags", "Evaluations", "p50 1 ms", {"p50_ms": 1.0}, "p99 < 10 ms", True),
    Row("tick", "A tick", "60 ms", {"max_ms": 60.0}, "< 50 ms", False),
    Row("tick", "The first", "200 ms"),
]


def test_a_spread_is_in_milliseconds() -> None:
    spread = Spread.of([0.001] * 98 + [0.01, 0.5])
    assert (spread.p50, spread.max, spread.count) == (1.0, 500.0, 100)
    assert 10.0 <= spread.p99 <= 15.0
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_numbers_have_the_digits_that_matter() -> None:
    assert [ms(v) for v in (0.123, 3.21, 41.4, 1204.0)] == ["0.12 ms", "3.2 ms", "41 ms", "1,204 ms"]
    assert [times(v) for v in (1.404, 170.5)] == ["× 1.40", "× 170"]


def test_the_readme_gets_the_table_and_keeps_the_rest(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    block = report.to_markdown(ROWS, this_machine(), datetime(2025, 10, 31, tzinfo=UTC))
    for _ in range(2):
        report.write_readme(readme, block)
        text = readme.read_text()
        assert text.startswith("before\n<!-- figures -->\n| What |")
        assert text.endswith("<!-- end of figures -->\nafter\n")
        assert "old" not in text
    assert "| A tick | 60 ms | < 50 ms: missed |" in text
    assert "2025-10-31" in text


def test_a_readme_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    with pytest.raises(ValueError, match="found 0"):
        report.write_readme(readme, "block")
    assert readme.read_text() == "nothing here\n"


def test_the_machine_is_named_and_not_its_place() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert f"Python {machine.python}" in machine.line()
    assert str(Path.home()) not in machine.line()


def test_a_part_does_not_replace_the_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["tick", "--write-readme"], ["tock"]):
        monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
        with pytest.raises(SystemExit, match="2"):
            command.main()

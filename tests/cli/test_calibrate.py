"""`canary calibrate`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from core.cli.root import app


def record(path: Path, rows: int = 240) -> Path:
    rng = np.random.default_rng(3)
    lines = ["kind,ts,requests,availability_pct,latency_p95_ms,latency_p99_ms"]
    at = 1_700_000_000
    for kind, count, p99 in (("well", rows, 450.0), ("slow", 5, 900.0)):
        for n in range(count):
            p95 = 300 + rng.normal(0, 10)
            lines.append(f"{kind},{at + 300 * n},500,100,{p95:.1f},{p99 + rng.normal(0, 20):.1f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["calibrate", *words])
    return done.exit_code, done.output


def test_it_says_what_it_would_catch_and_stop(tmp_path: Path) -> None:
    file = str(record(tmp_path / "m.csv"))
    more = ("--where", "kind=well", "--faults", file, "--by", "kind", "--only", "sl*")
    code, said = run(file, *more)
    assert code == 0, said
    assert "caught 1 of 1 faults" in said
    done = CliRunner().invoke(app, ["calibrate", file, *more, "--json"])
    told = json.loads(done.stdout)
    assert told["healthy"]["spells"] == 10
    assert told["faults"][0]["after"] in {1, 2}


def test_what_can_not_be_done_is_a_sentence(tmp_path: Path) -> None:
    short = str(record(tmp_path / "s.csv", rows=20))
    assert run(short, "--where", "kind=well")[0] == 1
    assert "too few" in run(short, "--where", "kind=well")[1]
    file = str(record(tmp_path / "m.csv"))
    code, said = run(file, "--faults", file, "--by", "kind", "--only", "x*")
    assert (code, "there are well, slow" in said.replace("\n", " ")) == (2, True)
    assert run(str(tmp_path / "none.csv"))[0] == 1
    assert run(file, "--by", "kind")[0] == 2

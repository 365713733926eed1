"""Writes the table of coverages into docs/simulated-experiment.md, of simulated experiments through the estimators.

usage: python scripts/interval_coverage.py
"""

from __future__ import annotations

import re
from pathlib import Path

from core.demo.coverage import Coverage, coverage

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "simulated-experiment.md"
RUNS = ((1000, 4000, 1), (10_000, 2000, 3))
"""Experiments, learners in each, seed."""
HEADS = ("metric", "method", "planted", "held by", "coverage", "its interval", "bias ± standard error")


def cells(row: Coverage) -> tuple[str, ...]:
    """Return a row's figures as text."""
    planted = f"{100 * row.truth:+.3g} %" if row.relative else f"{row.truth:+.3g}"
    return (
        row.metric,
        row.method,
        planted,
        f"{row.held} of {row.replications:,}",
        f"{row.share:.1%}",
        f"{row.low:.1%} to {row.high:.1%}",
        f"{row.bias[0]:+.5f} ± {row.bias[1]:.5f}",
    )


def main() -> None:
    """Run the simulations and put their tables between the document's marks."""
    tables = []
    for replications, learners, seed in RUNS:
        rows = coverage(replications, learners, seed)
        lines = [f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS), *map(cells, rows))]
        told = f"{replications:,} experiments of {learners:,} learners, seed {seed}:\n\n"
        tables.append(told + "\n".join(lines))
    marks = re.compile(r"(<!-- coverage -->\n).*?(\n<!-- end -->)", re.DOTALL)
    text = "\n\n".join(tables)
    DOCUMENT.write_text(marks.sub(lambda match: match[1] + text + match[2], DOCUMENT.read_text()))
    print(text)


if __name__ == "__main__":
    main()

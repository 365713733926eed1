"""The pictures in docs/learners.md, how traits are spread over OULAD's learners. usage: trait_pictures.py FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from core.learners import find_cohorts, read_events, weeks_for_half

OUT = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "traits"
WIDTH, HEIGHT, BARS = 480, 150, 40
TRAITS = {
    "velocity": "velocity",
    "entropy_bits": "domain entropy, bits",
    "concentration": "concentration",
    "reuse_rate": "reuse rate",
    "recency_weighted_reuse": "recency-weighted reuse",
    "half_life_days": "half-life of use, days",
    "recall_half_life_days": "half-life of recall, days",
    "frequency": "frequency",
}


def picture(name: str, values: np.ndarray, learners: int) -> str:
    """Return a histogram as SVG: known values up to their 99th percentile, and how many learners have none."""
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(np.quantile(known, 0.99))) if known.size else (0.0, 1.0)
    high = high if high > low else low + 1
    counts, _ = np.histogram(known, bins=BARS, range=(low, high))
    most, bar, floor = max(int(counts.max()), 1), (WIDTH - 20) / BARS, HEIGHT - 34
    bars = "".join(
        f'<rect x="{10 + i * bar:.1f}" y="{floor - count / most * (floor - 24):.1f}" width="{bar - 1:.1f}" '
        f'height="{count / most * (floor - 24):.1f}"/>'
        for i, count in enumerate(counts)
        if count
    )
    told = f"{known.size:,} of {learners:,} learners; median {np.median(known):.2f}" if known.size else "nobody has it"
    text = '<text x="{x}" y="{y}" text-anchor="{side}">{words}</text>'
    words = [
        text.format(x=10, y=15, side="start", words=f"{name}: {told}"),
        text.format(x=10, y=HEIGHT - 18, side="start", words=f"{low:.2f}"),
        text.format(x=WIDTH - 10, y=HEIGHT - 18, side="end", words=f"{high:.2f}"),
        text.format(x=WIDTH / 2, y=HEIGHT - 4, side="middle", words=f"highest bar {most:,} learners"),
    ]
    style = "text{font:12px sans-serif;fill:#6b7280}rect{fill:#4f7fd9}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img"><title>{name}: {told}</title><style>{style}</style>{bars}{"".join(words)}</svg>\n'
    )


def main() -> int:
    """Write the pictures; say what they show."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    events = read_events(Path(sys.argv[1]))
    weeks = weeks_for_half(events.ts[events.offsets[1:] - 1], events.as_of)
    model, table = find_cohorts(events, weeks=weeks)
    active = table[table["events"] > 0]
    OUT.mkdir(parents=True, exist_ok=True)
    for name, words in TRAITS.items():
        (OUT / f"{name}.svg").write_text(picture(words, active[name], active.size))
    print(f"{active.size:,} of {table.size:,} learners have an event in the last {weeks} weeks")
    print(model.constants)
    print(model.scaler.left_out, model.quality)
    for name in ("trend", "affinity", "trajectory"):
        print(name, np.unique(active[name], return_counts=True))
    print(
        "transfer",
        np.nanmean(active["transfer"]),
        np.isfinite(active["transfer"]).sum(),
        (active["events"] < 20).mean(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The pictures in docs/learners.md, how traits are spread over OULAD's learners. usage: trait_pictures.py FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from core.learners import find_cohorts, read_events, weeks_for_half
from core.learners.traits import AFFINITIES, NOT_KNOWN, TRAJECTORIES, TRENDS

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
    "transfer": "transfer",
}
NAMED = {"trend": TRENDS, "affinity": AFFINITIES, "trajectory": TRAJECTORIES}


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
    words = [
        _text(10, 15, "start", f"{name}: {told}"),
        _text(10, HEIGHT - 18, "start", f"{low:.2f}"),
        _text(WIDTH - 10, HEIGHT - 18, "end", f"{high:.2f}"),
        _text(WIDTH / 2, HEIGHT - 4, "middle", f"highest bar {most:,} learners"),
    ]
    return _svg(HEIGHT, f"{name}: {told}", bars + "".join(words))


def picture_of_names(name: str, codes: np.ndarray, names: tuple[str, ...]) -> str:
    """Return a bar for each name as SVG, with the learners who have it, and how many have none."""
    counts = [int((codes == code).sum()) for code in range(len(names))]
    none = int((codes == NOT_KNOWN).sum())
    told = f"{codes.size - none:,} of {codes.size:,} learners" + (f"; too little of {none:,} to say" if none else "")
    rows = []
    for i, (word, count) in enumerate(zip(names, counts, strict=True)):
        y, width = 28 + 24 * i, count / max(*counts, 1) * (WIDTH - 200)
        rows.append(_text(110, y + 13, "end", word))
        rows.append(f'<rect x="118" y="{y}" width="{max(width, 1) if count else 0:.1f}" height="17"/>')
        rows.append(_text(124 + width, y + 13, "start", f"{count:,}"))
    height = 36 + 24 * len(names)
    return _svg(height, f"{name}: {told}", _text(10, 15, "start", f"{name}: {told}") + "".join(rows))


def _text(x: float, y: float, side: str, words: str) -> str:
    return f'<text x="{x:.4g}" y="{y:g}" text-anchor="{side}">{words}</text>'


def _svg(height: int, title: str, body: str) -> str:
    style = "text{font:12px sans-serif;fill:#6b7280}rect{fill:#4f7fd9}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>{title}</title><style>{style}</style>{body}</svg>\n'
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
    for name, names in NAMED.items():
        (OUT / f"{name}.svg").write_text(picture_of_names(name, active[name], names))
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

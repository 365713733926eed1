from __future__ import annotations

import base64
import json
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from core.delivery import Drill, Figure
from core.web import figures
from core.web.figures import EventMark, Judged, LimitLine
from core.web.palette import DARK, LIGHT, palette
from core.web.views.curves import Curve
from core.web.views.marks import Tone

NOON = 1_761_912_000.0
NAN = float("nan")


def curve(*values: float) -> Curve:
    n = len(values)
    return Curve(NOON + 30.0 * np.arange(1, n + 1), np.array(values), np.full(n, 500, dtype=np.int64))


def draw(figure: Figure | None, **more: object) -> figures.PlotlyFigure:
    return figures.over_time(
        figure, ("fast", curve(0.01, NAN, 0.02)), ("original", curve(0.005, 0.005, 0.006)), LIGHT, **more
    )  # type: ignore[arg-type]


def test_plotly_takes_every_figure() -> None:
    drills = [Drill("d", 1, "monitor", "why", False, NOON, NOON, 0.1, 0.1, 45.0, 45.0)]
    for drawing in (
        draw(Figure.ERROR_RATE),
        draw(None),
        draw(Figure.LATENCY_P99),
        figures.rollback_times(drills, DARK)[0],
    ):
        go.Figure(drawing)  # raises for anything that plotly doesn't know
        assert "scattergl" not in json.dumps(drawing)


def test_rates_are_drawn_in_per_cent_and_gaps_stay_gaps() -> None:
    drawing = draw(Figure.ERROR_RATE, limits=[LimitLine(0.015, "rolls back", True)])
    baseline, candidate = drawing["data"]
    assert candidate["y"] == [1.0, None, 2.0]
    assert baseline["name"] == "original"
    assert drawing["layout"]["shapes"][0]["y0"] == 1.5
    assert candidate["line"]["dash"] != baseline["line"]["dash"]  # not told by colour alone


def test_latencies_keep_their_unit() -> None:
    drawing = figures.over_time(Figure.LATENCY_P99, ("a", curve(40.0)), ("b", curve(50.0)), DARK)
    assert drawing["data"][1]["y"] == [40.0]
    assert drawing["layout"]["yaxis"]["ticksuffix"] == " ms"


def test_limits_are_always_in_sight() -> None:
    drawing = draw(Figure.ERROR_RATE, limits=[LimitLine(0.10, "far", True)])
    low, high = drawing["layout"]["yaxis"]["range"]
    assert low <= 1.0 < 10.0 <= high


def test_events_and_checkpoints_are_drawn() -> None:
    marks = [EventMark(NOON + 30, "rolled back", Tone.BAD, True), EventMark(NOON + 60, "passed", Tone.GOOD, False)]
    judged = [Judged(NOON + 60, 0.012, 0.008, 0.018, "inconclusive"), Judged(NOON + 90, 0.011, None, 0.02, "pass")]
    drawing = draw(Figure.ERROR_RATE, marks=marks, judged=judged, span=(NOON, NOON + 600))
    assert [a["text"] for a in drawing["layout"]["annotations"]] == ["rolled back"]
    assert len(drawing["layout"]["shapes"]) == 2
    dots = drawing["data"][2]
    assert dots["error_y"]["array"] == pytest.approx([0.6, 0.9])
    assert dots["error_y"]["arrayminus"] == pytest.approx([0.4, 0.0])
    assert drawing["layout"]["xaxis"]["range"] == ["2025-10-31 12:00:00", "2025-10-31 12:10:00"]


def test_nothing_to_draw_is_no_error() -> None:
    empty = Curve(np.array([]), np.array([]), np.array([], dtype=np.int64))
    for figure in (None, Figure.ERROR_RATE, Figure.AVAILABILITY):
        go.Figure(figures.over_time(figure, ("a", empty), ("b", empty), LIGHT))
    assert "too little data" in figures.told(Figure.ERROR_RATE, ("a", empty), ("b", empty))


def test_the_text_alternative_says_the_numbers() -> None:
    said = figures.told(
        Figure.ERROR_RATE,
        ("fast", curve(0.01, 0.02)),
        ("original", curve(0.005)),
        [LimitLine(0.015, "over 1.5 %", True)],
    )
    assert "fast: 2 % now, between 1 % and 2 %" in said
    assert "over 1.5 %" in said


def test_a_sparkline_is_a_picture_of_both() -> None:
    uri = figures.sparkline([1.0, NAN, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], LIGHT, [2.5, 1000.0])
    svg = base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).decode()
    assert LIGHT.candidate in svg
    assert LIGHT.baseline in svg
    assert svg.count("M") == 4  # a limit, the baseline, the candidate in two pieces; the far limit isn't drawn
    assert figures.sparkline([NAN], [], LIGHT) == ""


def test_drills_are_drawn_oldest_first_and_unverified_ones_left_out() -> None:
    drills = [
        Drill("d", 2, "monitor", "", False, NOON + 9, NOON, 1.0, 1.0, 20.0, 1.0),
        Drill("d", 1, "me", "", True, NOON + 5, NOON, 1.0, 1.0),
        Drill("d", 1, "me", "", True, NOON, NOON, 1.0, 1.0, 400.0, 1.0),
    ]
    drawing, said = figures.rollback_times(drills, LIGHT)
    assert drawing["data"][0]["y"] == [400.0, 20.0]
    assert said == "2 verified rollbacks, 1 of them within 300 s."


@pytest.mark.parametrize(("name", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_the_palette_is_the_themes(root: Path, name: str, colours: object) -> None:
    theme = tomllib.loads((root / ".streamlit" / "config.toml").read_text())["theme"][name]
    expected = {
        "baseline": theme["chartCategoricalColors"][0],
        "candidate": theme["chartCategoricalColors"][1],
        "text": theme["textColor"],
        "muted": theme["grayTextColor"],
        "line": theme["borderColor"],
        "good": theme["greenTextColor"],
        "watch": theme["orangeTextColor"],
        "bad": theme["redTextColor"],
        "ground": theme["backgroundColor"],
        "several": tuple(theme["chartCategoricalColors"]),
        "steps": tuple(theme["chartSequentialColors"]),
    }
    assert {field: getattr(colours, field) for field in expected} == expected
    assert palette(name) is colours

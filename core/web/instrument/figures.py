"""An instrument check -> Plotly figures, pure: p-values, drifts, smallest effects. Plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.delivery.words import percent
from core.experiments.instrument import MetricCheck
from core.web.figures import PlotlyFigure
from core.web.palette import Palette
from core.web.views.instrument import BINS, Drifts, band, spread
from core.web.views.marks import Tone

_FONT = 12
Drawing = tuple[PlotlyFigure, str]


def p_values(check: MetricCheck, colours: Palette) -> Drawing:
    """Draw how p-values are spread; return the figure and its text alternative."""
    parts = 100 * spread(check)
    low, high = (100 * share for share in band(check))
    outside = int(((parts < low) | (parts > high)).sum())
    data = [
        {
            "type": "bar",
            "x": [(i + 0.5) / BINS for i in range(BINS)],
            "y": parts.tolist(),
            "width": 0.92 / BINS,
            "marker": {"color": colours.baseline},
            "customdata": [f"{i / BINS:.2f} to {(i + 1) / BINS:.2f}" for i in range(BINS)],
            "hovertemplate": "p from %{customdata}: %{y:.1f} % of the splits<extra></extra>",
        }
    ]
    layout = _layout(320) | {
        "shapes": [
            {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "layer": "below",
             "fillcolor": colours.candidate, "opacity": 0.25, "line": {"width": 0}},
            _line(colours.candidate, xref="paper", x0=0, x1=1, y0=100 / BINS, y1=100 / BINS),
        ],
        "xaxis": {"title": _title("p of an A/A split"), "range": [0, 1], "fixedrange": True, "showgrid": False},
        "yaxis": {"title": _title("% of the splits"), "gridcolor": colours.line, "fixedrange": True,
                  "rangemode": "tozero", "automargin": True},
    }  # fmt: skip
    said = f"p-values of {check.metric.name} over {check.p_values.size:,} splits: "
    if not check.p_values.size:
        return {"data": data, "layout": layout}, f"{said}none, for nothing varies in it."
    said += (
        f"{percent(check.rate)} are significant; {outside} of {BINS} bins lie outside the band that holds 95 of 100 "
    )
    said += "by chance."
    return {"data": data, "layout": layout}, said


def drifts(found: Drifts, limit: float, colours: Palette) -> Drawing:
    """Draw drifts with the intervals that decide, and the limit as a band."""
    tones = {Tone.GOOD: colours.good, Tone.BAD: colours.bad}
    symbols = {Tone.GOOD: "circle", Tone.BAD: "x"}
    tone = [tones.get(mark.tone, colours.watch) for mark in found.marks]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [100 * mean for mean in found.mean],
            "y": list(found.names),
            "marker": {"size": 9, "color": tone, "symbol": [symbols.get(m.tone, "circle-open") for m in found.marks]},
            "error_x": {
                "type": "data", "array": [100 * half for half in found.half], "color": colours.muted,
                "thickness": 1.6, "width": 3,
            },
            "customdata": [mark.word for mark in found.marks],
            "hovertemplate": "%{y}: %{x:+.3f} % (%{customdata})<extra></extra>",
        }
    ]  # fmt: skip
    reach = max([100 * limit, *(100 * (abs(m) + h) for m, h in zip(found.mean, found.half, strict=True))]) * 1.1
    layout = _layout(110 + 24 * len(found.names)) | {
        "shapes": [
            {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "x0": -100 * limit, "x1": 100 * limit,
             "layer": "below", "fillcolor": colours.good, "opacity": 0.14, "line": {"width": 0}},
            _line(colours.muted, yref="paper", x0=0, x1=0, y0=0, y1=1),
        ],
        "xaxis": {"title": _title("drift, % of the mean"), "range": [-reach, reach], "gridcolor": colours.line,
                  "zeroline": False, "fixedrange": True, "tickangle": 0, "nticks": 7},
        "yaxis": {"range": [len(found.names) - 0.5, -0.5], "fixedrange": True, "showgrid": False, "automargin": True},
    }  # fmt: skip
    told = "; ".join(
        f"{name} {percent(mean, signed=True)} ({mark.word})"
        for name, mean, mark in zip(found.names, found.mean, found.marks, strict=True)
    )
    return {"data": data, "layout": layout}, f"Drift by segment, of {percent(limit)} allowed. {told}."


def smallest(found: Sequence[tuple[str, float]], target: float, colours: Palette) -> Drawing:
    """Draw the smallest effect that each metric sees, beside the one that has to be seen."""
    names, values = [name for name, _ in found], [100 * value for _, value in found]
    data = [
        {
            "type": "bar", "orientation": "h", "y": names, "x": values,
            "marker": {"color": [colours.baseline if v <= 100 * target else colours.watch for v in values]},
            "text": [percent(value) for _, value in found], "textposition": "outside", "cliponaxis": False,
            "textfont": {"color": colours.text, "size": _FONT},
            "hovertemplate": "%{y}: an effect of %{text} is seen 80 times in 100<extra></extra>",
        }
    ]  # fmt: skip
    layout = _layout(100 + 34 * len(names)) | {
        "shapes": [_line(colours.candidate, yref="paper", x0=100 * target, x1=100 * target, y0=0, y1=1)],
        "annotations": [
            {"x": 100 * target, "yref": "paper", "y": 1.0, "yanchor": "bottom", "showarrow": False,
             "text": f"to be seen: {percent(target)}", "font": {"size": _FONT, "color": colours.candidate}}
        ],
        "xaxis": {"title": _title("smallest effect seen, % of the mean"), "gridcolor": colours.line,
                  "range": [0, 1.25 * max([*values, 100 * target])], "fixedrange": True, "tickangle": 0},
        "yaxis": {"range": [len(names) - 0.5, -0.5], "fixedrange": True, "showgrid": False, "automargin": True},
    }  # fmt: skip
    told = "; ".join(f"{name} {percent(value)}" for name, value in found)
    return {"data": data, "layout": layout}, f"Smallest effect seen, of {percent(target)} to be seen: {told}."


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
        "dragmode": False,
        "showlegend": False,
        "hovermode": "closest",
    }


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": _FONT}}


def _line(colour: str, **ends: Any) -> dict[str, Any]:
    return {"type": "line", "line": {"color": colour, "width": 2, "dash": "dash"}, **ends}

"""A business case -> Plotly figures, pure: how a measure is spread, and what moves it. Plain dictionaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.experiments.business_case import Measure, say
from core.web.figures import PlotlyFigure
from core.web.palette import Palette
from core.web.views.business import Spread, TornadoBar

_FONT = 12


def spread(found: Spread, currency: str, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw a measure over all draws; return the figure and its text alternative."""
    middles = ((found.edges[1:] + found.edges[:-1]) / 2).tolist()
    inside = [found.low <= middle <= found.high for middle in middles]
    data = [
        {
            "type": "bar",
            "x": middles,
            "y": (100 * found.parts).tolist(),
            "width": float(found.edges[1] - found.edges[0]),
            "marker": {
                "color": [colours.baseline if here else _faint(colours.baseline) for here in inside],
                "line": {"width": 0},
            },
            "customdata": [say(found.measure, middle, currency) for middle in middles],
            "hovertemplate": "about %{customdata}: %{y:.2f} % of the draws<extra></extra>",
        }
    ]
    lines = [(found.value, "computed", colours.text, "solid", 1.06)]
    if found.reported is not None:
        lines.append((found.reported, "reported", colours.candidate, "dash", 1.0))
    lines = [line for line in lines if math.isfinite(line[0])]
    places = [float(found.edges[0]), float(found.edges[-1]), *(at for at, *_ in lines)]
    room = 0.04 * (max(places) - min(places))
    layout: dict[str, Any] = {
        "height": 330,
        "margin": {"l": 8, "r": 8, "t": 44, "b": 8},
        "bargap": 0.02,
        "dragmode": False,
        "showlegend": False,
        "shapes": [_line(at, colour, dash) for at, _, colour, dash, _ in lines],
        "annotations": [
            _label(at, f"{word} {say(found.measure, at, currency)}", colour, height, min(places), max(places))
            for at, word, colour, _, height in lines
        ],
        "xaxis": {
            "range": [min(places) - room, max(places) + room],
            **_ticks(found.measure, min(places), max(places), currency),
            "fixedrange": True,
            "showgrid": False,
            "automargin": True,
        },
        "yaxis": {
            "title": {"text": "% of the draws", "font": {"size": _FONT}},
            "gridcolor": colours.line,
            "fixedrange": True,
            "automargin": True,
            "rangemode": "tozero",
        },
    }
    said = f"{found.measure.label}: {say(found.measure, found.value, currency)}; 95 % of the draws lie from "
    said += f"{say(found.measure, found.low, currency)} to {say(found.measure, found.high, currency)}."
    if found.reported is not None:
        said += f" Reported: {say(found.measure, found.reported, currency)}."
    return {"data": data, "layout": layout}, said


def _line(at: float, colour: str, dash: str) -> dict[str, Any]:
    line = {"color": colour, "width": 2, "dash": dash}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _label(at: float, text: str, colour: str, height: float, low: float, high: float) -> dict[str, Any]:
    place = (at - low) / (high - low) if high > low else 0.5
    return {
        "x": at,
        "yref": "paper",
        "y": height,
        "yanchor": "bottom",
        "xanchor": "left" if place < 0.3 else "right" if place > 0.7 else "center",
        "text": text,
        "showarrow": False,
        "font": {"size": _FONT, "color": colour},
    }


def _ticks(measure: Measure, low: float, high: float, currency: str) -> dict[str, Any]:
    """Return up to six round places in [low, high], said as the measure is."""
    step = 10 ** math.floor(math.log10((high - low) / 4)) if high > low else 1.0
    step *= next(size for size in (1, 2, 2.5, 5, 10) if (high - low) / (step * size) <= 6)
    places = [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return {
        "tickangle": 0,
        "tickvals": places,
        "ticktext": [say(measure, at, currency).removesuffix(" a year") for at in places],
    }


def tornado(
    bars: Sequence[TornadoBar], measure: Measure, value: float, currency: str, colours: Palette
) -> tuple[PlotlyFigure, str]:
    """Draw what each input moves, the longest bar on top; return the figure and its text alternative.

    Args:
        value: of the measure at the inputs' own values; the axis of the chart.
    """
    finite = [at for bar in bars for at in bar.at if math.isfinite(at)]
    low, high = min([*finite, value]), max([*finite, value])
    room = 0.24 * ((high - low) or abs(value) or 1.0)
    edge = high + 1.5 * room  # where "never" is drawn
    names = [bar.label for bar in bars]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": f"input at its {'lower' if end == 0 else 'upper'} end",
            "y": names,
            "base": value,
            "x": [(bar.at[end] if math.isfinite(bar.at[end]) else edge) - value for bar in bars],
            "marker": {
                "color": colour,
                "pattern": {
                    "shape": ["" if bar.given else "/" for bar in bars],
                    "size": 7,
                    "solidity": 0.45,
                },
            },
            "text": [bar.ends[end] for bar in bars],
            "textposition": "outside",
            "textfont": {"size": _FONT, "color": colours.text},
            "cliponaxis": False,
            "customdata": [[bar.said[end], bar.ends[end]] for bar in bars],
            "hovertemplate": f"%{{y}} at %{{customdata[1]}}: {measure.label.lower()} %{{customdata[0]}}<extra></extra>",
        }
        for end, colour in ((0, colours.baseline), (1, colours.candidate))
    ]
    layout: dict[str, Any] = {
        "height": 96 + 36 * len(bars),
        "margin": {"l": 8, "r": 8, "t": 44, "b": 8},
        "barmode": "overlay",
        "bargap": 0.35,
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left", "itemclick": False},
        "shapes": [_line(value, colours.text, "solid")],
        "xaxis": {
            "range": [low - room, (edge if len(finite) < 2 * len(bars) else high) + room],
            **_ticks(measure, low, high, currency),
            "fixedrange": True,
            "gridcolor": colours.line,
            "zeroline": False,
            "automargin": True,
        },
        "yaxis": {"autorange": "reversed", "fixedrange": True, "automargin": True, "showgrid": False},
    }
    said = "; ".join(f"{bar.label} from {bar.ends[0]} to {bar.ends[1]}: {bar.said[0]} to {bar.said[1]}" for bar in bars)
    return {"data": data, "layout": layout}, f"What moves the {measure.label.lower()}. {said}."


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.35)"

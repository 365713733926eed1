"""Runs -> Plotly figures, pure: the map of all learners, distributions by cohort, evidence, one learner's events.

Plain dictionaries, as in `core.web.figures`. No scattergl; a map is a heatmap of counts, whoever many learners it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.delivery.words import percent
from core.web.figures import PlotlyFigure
from core.web.palette import Palette
from core.web.views.cohorts import Evidence
from core.web.views.density import HELD, Box, Density, Span
from core.web.views.learner import Activity
from core.web.views.traits import Trait

MAP_CONFIG: dict[str, Any] = {
    "displayModeBar": True,
    "displaylogo": False,
    "scrollZoom": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}
_FONT = 12
MAP_HEIGHT = 540  # pixels
# Fixed, with room for "1,000,000": margins that fit themselves have everything drawn twice.
MAP_MARGIN = {"l": 66, "r": 92, "t": 48, "b": 62}
MAP_ROOM = 0.05
"""Room at each end of a map's axes, as a part of what is shown: so that outlines close inside it."""
_LETTER = 7.2  # width of one, pixels, at the size of names beside an axis
_LEVELS = 250  # of an outline's density: a byte each


def colour_of(number: int, colours: Palette) -> str:
    """Return the colour of a cohort."""
    return colours.several[number % len(colours.several)]


def learner_map(
    plane: Density, names: Sequence[str], order: Sequence[int], colours: Palette, *, box: Box | None = None
) -> PlotlyFigure:
    """Draw all learners as counts, and of each cohort its centre and the outline that holds 80 % of it.

    Args:
        names: of the cohorts, by number. order: in which they are listed, numbers.
        box: what is chosen, drawn where the browser doesn't draw it itself.
    """
    data = _counts(plane, colours)
    data += [_outline(o.number, o.x, o.y, o.density, o.level, names, colours) for o in plane.outlines]
    data += [_centre(plane, i, names[i], colours) for i in order if np.isfinite(plane.centres[i]).all()]
    layout: dict[str, Any] = {
        "height": MAP_HEIGHT,
        "margin": MAP_MARGIN,
        "paper_bgcolor": colours.ground,  # covers the picture beneath
        "dragmode": "select",
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "xanchor": "left", "itemclick": False},
        "uirevision": f"{plane.x.name}/{plane.y.name}",
        "newselection": {"line": {"color": colours.text, "width": 2, "dash": "solid"}},
        "xaxis": _axis(plane.x, plane.x_span, colours),
        "yaxis": _axis(plane.y, plane.y_span, colours),
    }
    if box is not None:
        layout["shapes"] = [_box(box, colours)]
    return {"data": data, "layout": layout}


def _counts(plane: Density, colours: Palette) -> list[dict[str, Any]]:
    """Return the counts, and an empty trace that has their legend.

    The counts themselves are sent, as small numbers, and the logarithm is in the colours' places.
    """
    up, across = plane.counts.shape
    most = max(int(plane.counts.max(initial=1)), 2)
    kind = np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32
    shades = colours.steps[2:]  # a cell with a single learner must be seen
    reach = math.log10(most)
    places = [min(1.0, 10 ** (reach * i / (len(shades) - 1)) / most) for i in range(len(shades))]
    places[-1] = 1.0  # exactly, or browsers refuse the scale
    nobody = "rgba(0,0,0,0)"
    scale = [[0, nobody], [0.5 / most, nobody], [0.5 / most, shades[0]], *map(list, zip(places, shades, strict=True))]
    powers = [10**e for e in range(int(reach) + 1)]
    marks = powers if most < 2 * powers[-1] else [*powers, most]
    legend = {
        "title": {"text": "learners<br>in a cell", "font": {"size": _FONT}},
        "tickvals": [math.log10(m) for m in marks],
        "ticktext": [f"{m:,}" for m in marks],
        "thickness": 10,
        "outlinewidth": 0,
        "len": 0.75,
        "x": 1.01,
    }
    return [
        {
            "type": "heatmap",
            "z": plane.counts.astype(kind),
            "x": plane.x_span.middles(across),
            "y": plane.y_span.middles(up),
            "colorscale": scale,
            "zmin": 0,
            "zmax": most,
            "showscale": False,
            "showlegend": False,
            "hovertemplate": "learners in this cell: %{z:,}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": [None],
            "y": [None],
            "showlegend": False,
            "hoverinfo": "skip",
            "marker": {
                "color": [0],
                "cmin": 0,
                "cmax": reach,
                "colorscale": [[i / (len(shades) - 1), shade] for i, shade in enumerate(shades)],
                "showscale": True,
                "colorbar": legend,
            },
        },
    ]


def _outline(
    number: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    density: NDArray[np.float32],
    level: float,
    names: Sequence[str],
    colours: Palette,
) -> dict[str, Any]:
    top = float(density.max()) or 1.0
    return {
        "type": "contour",
        "name": names[number],
        "x": x,
        "y": y,
        "z": np.round(_LEVELS * density / top).astype(np.uint8),
        "contours": {
            "start": _LEVELS * level / top,
            "end": _LEVELS * level / top,
            "size": _LEVELS,
            "coloring": "lines",
        },
        "colorscale": [[0, colour_of(number, colours)], [1, colour_of(number, colours)]],
        "line": {"width": 2.2, "smoothing": 0.8},
        "showscale": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _centre(plane: Density, number: int, name: str, colours: Palette) -> dict[str, Any]:
    x, y = (float(v) for v in plane.centres[number])
    said = f"{plane.x.label} {plane.x.say(plane.x.value(x))}, {plane.y.label.lower()} {plane.y.say(plane.y.value(y))}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x],
        "y": [y],
        "marker": {
            "symbol": "diamond",
            "size": 13,
            "color": colour_of(number, colours),
            "line": {"color": colours.ground, "width": 2},
        },
        "unselected": {"marker": {"opacity": 1}},  # a box chooses learners, not centres
        "hovertemplate": f"centre of {name}<br>{said}<extra></extra>",
    }


def _axis(trait: Trait, span: Span, colours: Palette) -> dict[str, Any]:
    room = MAP_ROOM * span.size
    places, words = trait.ticks(span.low, span.high)
    return {
        "title": {"text": trait.title, "font": {"size": 13}},
        "range": [span.low - room, span.high + room],
        "gridcolor": colours.line,
        "zeroline": False,
        "automargin": False,
        "tickvals": places,
        "ticktext": words,
    }


def _box(box: Box, colours: Palette) -> dict[str, Any]:
    line = {"color": colours.text, "width": 2}
    return {"type": "rect", "x0": box.x0, "x1": box.x1, "y0": box.y0, "y1": box.y1, "line": line}


def told_map(plane: Density, names: Sequence[str]) -> str:
    """Say what the map shows, for those who can't see it."""
    centres = "; ".join(
        f"{name}: {plane.x.say(plane.x.value(float(x)))} and {plane.y.say(plane.y.value(float(y)))}"
        for name, (x, y) in zip(names, plane.centres, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    )
    return (
        f"{plane.drawn:,} learners by {plane.x.label.lower()} and {plane.y.label.lower()}, as counts in cells. "
        f"Centres of the cohorts: {centres}. Outlines hold {percent(HELD)} of a cohort."
    )


def distributions(
    trait: Trait,
    middles: NDArray[np.float64],
    parts: NDArray[np.float64],
    means: NDArray[np.float64],
    names: Sequence[str],
    order: Sequence[int],
    colours: Palette,
) -> tuple[PlotlyFigure, str]:
    """Draw how a trait is spread in each cohort, one ridge a cohort; return the figure and its text alternative.

    Args:
        middles: of the bins, as places on the trait's scale. parts: of each cohort in each bin, shape (k, bins).
        means: of each cohort, as values. names: by number. order: from the top, numbers.
    """
    k = len(names)
    data: list[dict[str, Any]] = []
    highest = float(parts.max(initial=0.0)) or 1.0
    for ground, number in enumerate(reversed(order)):
        colour = colour_of(number, colours)
        ridge = ground + 0.9 * np.sqrt(parts[number] / highest)
        values = [trait.say(trait.value(float(m))) for m in middles]
        data.append(_line(middles, np.full(middles.size, float(ground)), colours.line, 1))
        data.append(
            _line(middles, ridge, colour, 1.8)
            | {
                "fill": "tonexty",
                "fillcolor": _faint(colour),
                "name": names[number],
                "customdata": [[f"{p:.1%}", v] for p, v in zip(parts[number], values, strict=True)],
                "hoverinfo": "all",
                "hovertemplate": f"{names[number]}: %{{customdata[0]}} at about %{{customdata[1]}}<extra></extra>",
            }
        )
    layout: dict[str, Any] = {
        "height": 60 + 62 * k,
        "margin": {"l": 14 + _LETTER * max(map(len, names)), "r": 12, "t": 12, "b": 52},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "xaxis": _axis(trait, Span(float(middles[0]), float(middles[-1])), colours) | {"fixedrange": True},
        "yaxis": {
            "tickvals": [k - 1 - i for i in range(k)],
            "ticktext": [names[number] for number in order],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "range": [-0.1, k],
        },
    }
    said = "; ".join(f"{name} {trait.say(float(mean))}" for name, mean in ((names[i], means[i]) for i in order))
    return {"data": data, "layout": layout}, f"{trait.label} by cohort. Means: {said}."


def _line(x: NDArray[np.float64], y: NDArray[np.float64], colour: str, width: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": colour, "width": width},
        "hoverinfo": "skip",
    }


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.28)"


def evidence(found: Evidence, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw what spoke for each number of cohorts; return the figure and its text alternative."""
    tried = list(found.tried)
    data = []
    for name, values, colour, dash, symbol in (
        ("silhouette", found.silhouettes, colours.baseline, "solid", "circle"),
        ("stability", found.stabilities, colours.candidate, "dot", "square"),
    ):
        if any(math.isfinite(v) for v in values):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": name,
                    "x": tried,
                    "y": [v if math.isfinite(v) else None for v in values],
                    "line": {"color": colour, "width": 2, "dash": dash},
                    "marker": {"size": 8, "symbol": symbol, "color": colour},
                    "hovertemplate": f"{name} of %{{x}} cohorts: %{{y:.3f}}<extra></extra>",
                }
            )
    layout: dict[str, Any] = {
        "height": 300,
        "margin": {"l": 36, "r": 12, "t": 34, "b": 48},
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        "xaxis": {
            "title": {"text": "cohorts", "font": {"size": 13}},
            "tickvals": tried,
            "fixedrange": True,
            "showgrid": False,
        },
        "yaxis": {"gridcolor": colours.line, "zeroline": False, "fixedrange": True, "rangemode": "tozero"},
        "shapes": [
            {
                "type": "line",
                "x0": found.taken,
                "x1": found.taken,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "line": {"color": colours.muted, "width": 1.4, "dash": "dash"},
            }
        ],
        "annotations": [
            {
                "x": found.taken,
                "yref": "paper",
                "y": 0.02,
                "yanchor": "bottom",
                "xanchor": "left",
                "text": " taken",
                "showarrow": False,
                "font": {"size": _FONT, "color": colours.muted},
            }
        ],
    }
    said = "; ".join(
        f"{k}: silhouette {s:.2f}" + (f", stability {b:.2f}" if math.isfinite(b) else "")
        for k, s, b in zip(found.tried, found.silhouettes, found.stabilities, strict=True)
    )
    return {"data": data, "layout": layout}, f"Evidence for each number of cohorts. {said}. Taken: {found.taken}."


def activity(found: Activity, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw one learner's events a week, by domain; return the figure and its text alternative."""
    data = [
        {
            "type": "bar",
            "name": domain,
            "x": list(found.weeks),
            "y": list(counts),
            "marker": {"color": colour_of(i, colours)},
            "hovertemplate": f"%{{y}} in {domain}, week from %{{x|%e %b %Y}}<extra></extra>",
        }
        for i, (domain, counts) in enumerate(found.domains)
    ]
    layout: dict[str, Any] = {
        "height": 300,
        "barmode": "stack",
        "bargap": 0.15,
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        "xaxis": {"type": "date", "fixedrange": True, "showgrid": False, "automargin": True, "tickformat": "%e %b\n%Y"},
        "yaxis": {
            "title": {"text": "events a week", "font": {"size": 13}},
            "gridcolor": colours.line,
            "fixedrange": True,
            "automargin": True,
            "rangemode": "tozero",
        },
    }
    if found.weeks and max(map(sum, zip(*(counts for _, counts in found.domains), strict=True))) <= 5:
        layout["yaxis"]["dtick"] = 1  # there are no half events
    said = "; ".join(f"{domain} {sum(counts):,}" for domain, counts in found.domains)
    return {"data": data, "layout": layout}, f"Events a week. {said}."


def scores(found: Activity, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw one learner's scores over time; return the figure and its text alternative."""
    at = [moment for moment, _, _ in found.scores]
    values = [value for _, _, value in found.scores]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": at,
        "y": values,
        "text": [skill for _, skill, _ in found.scores],
        "marker": {"color": colours.baseline, "size": 7, "opacity": 0.75},
        "hovertemplate": "%{y:.2f} in %{text}, %{x|%e %b %Y}<extra></extra>",
    }
    layout: dict[str, Any] = {
        "height": 220,
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "dragmode": False,
        "showlegend": False,
        "xaxis": {"type": "date", "fixedrange": True, "showgrid": False, "automargin": True, "tickformat": "%e %b\n%Y"},
        "yaxis": {
            "title": {"text": "score", "font": {"size": 13}},
            "range": [-0.03, 1.05],
            "gridcolor": colours.line,
            "fixedrange": True,
            "automargin": True,
            "zeroline": False,
        },
    }
    mean = sum(values) / max(len(values), 1)
    return {"data": [dots], "layout": layout}, f"{len(values):,} scores over time, {mean:.2f} on average."

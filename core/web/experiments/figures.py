"""Views of an experiment -> Plotly figures, pure: effects, their course by day, segments. Plain dictionaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.experiments import percent
from core.web.figures import PlotlyFigure
from core.web.palette import Palette
from core.web.views.experiment import Course, Effects
from core.web.views.marks import Mark, Tone
from core.web.views.segments import Forest, Heat, Level

_FONT = 12
_ROW = 26
_SYMBOLS = {Tone.GOOD: "triangle-up", Tone.BAD: "triangle-down", Tone.WATCH: "circle-open", Tone.CALM: "circle-open"}


def _colour(mark: Mark, colours: Palette) -> str:
    return {Tone.GOOD: colours.good, Tone.BAD: colours.bad}.get(mark.tone, colours.muted)


def _points(
    names: Sequence[Any],
    marks: Sequence[Mark],
    value: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    colours: Palette,
) -> dict[str, Any]:
    """Return estimates with intervals, a row each: shape and colour say better, worse, or neither."""
    tones = [_colour(mark, colours) for mark in marks]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(value),
        "y": list(names),
        "marker": {
            "size": 11,
            "color": tones,
            "symbol": [_SYMBOLS[mark.tone] for mark in marks],
            "line": {"width": 2, "color": tones},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [h - v for h, v in zip(high, value, strict=True)],
            "arrayminus": [v - lo for v, lo in zip(value, low, strict=True)],
            "color": colours.muted,
            "thickness": 1.8,
            "width": 4,
        },
        "showlegend": False,
    }


def _axis(colours: Palette, title: str, unit: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": _FONT}},
        "ticksuffix": unit,
        "gridcolor": colours.line,
        "zeroline": True,
        "zerolinecolor": colours.text,
        "zerolinewidth": 1.4,
        "fixedrange": True,
        "automargin": True,
    }


def _categories(names: Sequence[str]) -> dict[str, Any]:
    """Return an axis of names from top to bottom, a row each."""
    return {
        "range": [len(names) - 0.5, -0.5],
        "categoryorder": "array",
        "categoryarray": list(names),
        "fixedrange": True,
        "automargin": True,
        "showgrid": False,
        "type": "category",
        "tickfont": {"size": _FONT},
    }


def effects(view: Effects, control: str, alpha: float, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw the relative effect on each metric; return the figure and its text alternative."""
    names = list(view.names)
    points = _points(names, view.marks, view.value, view.low, view.high, colours)
    points["customdata"] = [
        [_signed(v), _signed(lo), _signed(h), mark.word]
        for v, lo, h, mark in zip(view.value, view.low, view.high, view.marks, strict=True)
    ]
    points["hovertemplate"] = (
        "%{y}: %{customdata[0]} (%{customdata[1]} to %{customdata[2]}), %{customdata[3]}<extra></extra>"
    )
    data = [points]
    margins = [(name, at) for name, at in zip(names, view.margin, strict=True) if math.isfinite(at)]
    if margins:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "margin",
                "x": [at for _, at in margins],
                "y": [name for name, _ in margins],
                "marker": {"symbol": "line-ns", "size": 22, "line": {"width": 3, "color": colours.candidate}},
                "hovertemplate": "margin of %{y}: %{x:+.3~g} %<extra></extra>",
            }
        )
    layout: dict[str, Any] = {
        "height": 110 + 46 * len(names),
        "margin": {"l": 8, "r": 24, "t": 16, "b": 8},
        "dragmode": False,
        "showlegend": bool(margins),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False},
        "xaxis": _axis(colours, f"against {control}, with {percent(1 - alpha)} intervals", " %"),
        "yaxis": _categories(names),
    }
    said = "; ".join(
        f"{name} {_signed(v)}, {_signed(lo)} to {_signed(h)}, {mark.word}"
        for name, v, lo, h, mark in zip(names, view.value, view.low, view.high, view.marks, strict=True)
    )
    return {"data": data, "layout": layout}, f"Effects against {control}: {said}."


def _signed(value: float) -> str:
    return percent(value / 100, signed=True)


def course(view: Course, metric: str, alpha: float, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw the effect over all learners up to each day, with its interval and the sequence that holds at all days."""
    unit = " %" if view.relative else ""
    level = percent(1 - alpha)
    bands = [
        (f"{level} at all days together", view.always_low, view.always_high, colours.candidate, "dot"),
        (f"{level} on that day alone", view.low, view.high, colours.baseline, "solid"),
    ]
    data: list[dict[str, Any]] = []
    for name, low, high, colour, dash in bands:
        line = {"color": colour, "width": 1.4, "dash": dash}
        common = {"type": "scatter", "mode": "lines", "x": list(view.days), "hoverinfo": "skip", "legendgroup": name}
        data.append(common | {"y": _known(low), "line": line, "showlegend": False})
        data.append(
            common
            | {"y": _known(high), "line": line, "fill": "tonexty", "fillcolor": _faint(colour, 0.13), "name": name}
        )
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "effect",
            "x": list(view.days),
            "y": _known(view.value),
            "line": {"color": colours.text, "width": 2.2},
            "marker": {"size": 6},
            "customdata": [
                [_words(v, view), _words(lo, view), _words(h, view), _words(alo, view), _words(ah, view)]
                for v, lo, h, alo, ah in zip(
                    view.value, view.low, view.high, view.always_low, view.always_high, strict=True
                )
            ],
            "hovertemplate": "up to %{x}: %{customdata[0]}<br>that day alone %{customdata[1]} to %{customdata[2]}<br>"
            "all days together %{customdata[3]} to %{customdata[4]}<extra></extra>",
        }
    )
    # The first days' intervals may be so wide that nothing else could be seen.
    later = [v for side in (view.low, view.high) for v in side[len(side) // 4 :] if math.isfinite(v)]
    bottom, top = min([*later, 0.0]), max([*later, 0.0])
    room = 0.6 * ((top - bottom) or 1.0)
    layout: dict[str, Any] = {
        "height": 360,
        "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
        "dragmode": False,
        "hovermode": "x",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False},
        "xaxis": {"fixedrange": True, "showgrid": False, "automargin": True, "type": "category", "nticks": 10},
        "yaxis": {
            **_axis(colours, f"{metric}, {'against the control' if view.relative else 'difference'}", unit),
            "range": [bottom - room, top + room],
        },
    }
    said = f"{metric} by day: {_words(view.value[-1], view)} over all days, {_words(view.low[-1], view)} to "
    said += f"{_words(view.high[-1], view)}; at all days together {_words(view.always_low[-1], view)} to "
    return {"data": data, "layout": layout}, f"{said}{_words(view.always_high[-1], view)}."


def _words(value: float, view: Course) -> str:
    if not math.isfinite(value):
        return "unknown"
    return _signed(value) if view.relative else f"{value:+.4g}"


def _known(values: Sequence[float]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values]


def forest(view: Forest, control: str, alpha: float, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw the effect in every level of every segment beside the overall one; its points can be chosen."""
    shown = [level for level in view.levels if math.isfinite(level.value)]
    rows = [view.overall, *shown]
    names = [_name(level) for level in rows]
    points = _points(
        names, [r.mark for r in rows], [r.value for r in rows], [r.low for r in rows], [r.high for r in rows], colours
    )
    points["marker"]["symbol"][0] = "diamond"
    points["marker"]["size"] = [15, *([10] * len(shown))]
    points["customdata"] = [[r.dimension, r.level, f"{r.learners:,}", r.mark.word, *_interval(r, view)] for r in rows]
    points["hovertemplate"] = (
        "%{customdata[0]} %{customdata[1]}: %{customdata[4]} (%{customdata[5]} to %{customdata[6]}), "
        "%{customdata[2]} learners, %{customdata[3]}<extra></extra>"
    )
    drawn = [level for level in shown if math.isfinite(level.shrunken)]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "drawn towards the others, as far as noise asks",
            "x": [level.shrunken for level in drawn],
            "y": [_name(level) for level in drawn],
            "marker": {"symbol": "line-ns", "size": 12, "line": {"width": 2.4, "color": colours.candidate}},
            "hoverinfo": "skip",
        },
        points,
    ]
    lines = [_line(view.overall.value, colours.baseline, "dash")]
    breaks = [i for i in range(1, len(rows)) if rows[i].dimension != rows[i - 1].dimension]
    lines += [_rule(i - 0.5, colours) for i in breaks]
    layout: dict[str, Any] = {
        "height": 96 + _ROW * len(rows),
        "margin": {"l": 8, "r": 24, "t": 40, "b": 8},
        "dragmode": False,
        "clickmode": "event+select",
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemclick": False},
        "shapes": lines,
        "xaxis": _axis(
            colours,
            f"{view.metric} against {control}, with {percent(1 - alpha)} intervals",
            " %" if view.relative else "",
        ),
        "yaxis": _categories(names),
    }
    said = "; ".join(f"{_name(r)} {_interval(r, view)[0]}, {r.mark.word}" for r in rows)
    return {"data": data, "layout": layout}, f"{view.metric} by segment against {control}: {said}."


def _name(level: Level) -> str:
    return f"{level.dimension}: {level.level}" if level.dimension else f"<b>{level.level}</b>"


def _interval(level: Level, view: Forest) -> list[str]:
    numbers = (level.value, level.low, level.high)
    return [_signed(v) if view.relative else f"{v:+.4g}" for v in numbers]


def _line(at: float, colour: str, dash: str) -> dict[str, Any]:
    line = {"color": colour, "width": 1.6, "dash": dash}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _rule(at: float, colours: Palette) -> dict[str, Any]:
    line = {"color": colours.line, "width": 1}
    return {"type": "line", "xref": "paper", "x0": -0.6, "x1": 1, "y0": at, "y1": at, "line": line}


def heat(view: Heat, control: str, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw levels x metrics, coloured by how good the effect is, each with its number; its cells can be chosen."""
    names = [f"{dimension}: {level}" for dimension, level in view.levels]
    known = [abs(v) for row in view.toward for v in row if v is not None]
    limit = max(known, default=1.0) or 1.0
    text = [["few" if v is None else _signed(v) for v in row] for row in view.value]
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": list(view.metrics),
            "y": names,
            "z": [list(row) for row in view.toward],
            "zmin": -limit,
            "zmax": limit,
            "colorscale": [
                [0, _faint(colours.bad, 0.6)],
                [0.5, _faint(colours.line, 0.25)],
                [1, _faint(colours.good, 0.6)],
            ],
            "showscale": False,
            "hoverinfo": "skip",
            "xgap": 2,
            "ygap": 2,
        },
        {
            # A heatmap's cells can't be clicked; these can.
            "type": "scatter",
            "mode": "markers+text",
            "x": [metric for _ in names for metric in view.metrics],
            "y": [name for name in names for _ in view.metrics],
            "text": [cell for row in text for cell in row],
            "textfont": {"size": _FONT, "color": colours.text},
            "marker": {"symbol": "square", "size": 24, "opacity": 0},
            "customdata": [[*level, said] for level, row in zip(view.levels, view.said, strict=True) for said in row],
            "hovertemplate": "%{x}, %{y}: %{customdata[2]}<extra></extra>",
            "selected": {"marker": {"opacity": 0}, "textfont": {"color": colours.text}},
            "unselected": {"marker": {"opacity": 0}, "textfont": {"color": colours.text}},
        },
    ]
    layout: dict[str, Any] = {
        "height": 70 + _ROW * len(names),
        "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
        "dragmode": False,
        "clickmode": "event+select",
        "showlegend": False,
        "xaxis": {
            "side": "top",
            "range": [-0.5, len(view.metrics) - 0.5],
            "fixedrange": True,
            "automargin": True,
            "type": "category",
            "showgrid": False,
        },
        "yaxis": _categories(names),
    }
    said = "; ".join(f"{name}: {', '.join(row)}" for name, row in zip(names, text, strict=True))
    return {"data": data, "layout": layout}, f"Effects on {', '.join(view.metrics)} against {control}. {said}."


def _faint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"

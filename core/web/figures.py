"""Data -> Plotly figure, pure: the chart of a figure over time, and the history of rollbacks.

Figures are plain dictionaries in Plotly's form, which cost little to copy for each viewer. No scattergl:
it needs 'unsafe-eval' in a content security policy.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.delivery import Drill, Figure
from core.delivery.words import figure as say_figure
from core.web.palette import Palette
from core.web.views.curves import Curve
from core.web.views.marks import Tone

PlotlyFigure = dict[str, Any]
CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False, "responsive": True}


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit in a chart: `label` says what it is; an `acting` one belongs to a trigger."""

    value: float
    label: str
    acting: bool


@dataclass(frozen=True, slots=True)
class EventMark:
    """An event in a chart: at plan time `at`; `said` where there is room to say it, else only a line."""

    at: float
    label: str
    tone: Tone
    said: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What was judged of a figure at a checkpoint: the value over the phase so far and its interval."""

    at: float
    value: float
    low: float | None
    high: float | None
    word: str


def times(at: NDArray[np.float64]) -> list[str]:
    """Return plan times as Plotly reads dates; UTC."""
    return [dt.datetime.fromtimestamp(t, dt.UTC).strftime("%Y-%m-%d %H:%M:%S") for t in at.tolist()]


def _scaled(values: Sequence[float] | NDArray[np.float64], scale: float) -> list[float | None]:
    return [None if not math.isfinite(v) else v * scale for v in np.asarray(values, dtype=np.float64).tolist()]


def over_time(
    figure: Figure | None,
    candidate: tuple[str, Curve],
    baseline: tuple[str, Curve],
    colours: Palette,
    *,
    limits: Sequence[LimitLine] = (),
    marks: Sequence[EventMark] = (),
    judged: Sequence[Judged] = (),
    span: tuple[float, float] | None = None,
) -> PlotlyFigure:
    """Draw a figure of both versions over plan time.

    Args:
        figure: what is drawn; None for requests per plan second.
        candidate, baseline: (name, curve) of each version, in the figure's unit.
        colours: of the present appearance.
        limits, marks, judged: limits as lines, events as marked moments, checkpoints as dots with intervals.
        span: plan times of the left and right edge; None: as the curves need.
    """
    rate = figure is not None and figure.unit == "%"
    scale = 100.0 if rate else 1.0
    unit = " %" if rate else f" {figure.unit}" if figure is not None and figure.unit else "/s" if figure is None else ""
    data: list[dict[str, Any]] = []
    drawn: list[float] = []
    for (name, curve), colour, dash, width in (
        (baseline, colours.baseline, "dot", 1.8),
        (candidate, colours.candidate, "solid", 2.4),
    ):
        values = _scaled(curve.value, scale)
        drawn += [v for v in values if v is not None]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": times(curve.at),
                "y": values,
                "customdata": curve.trials.tolist(),
                "line": {"color": colour, "width": width, "dash": dash},
                "connectgaps": False,
                "hovertemplate": f"{name}: %{{y:.4~g}}{unit} of %{{customdata:,}}<extra></extra>",
            }
        )
    if judged:
        data.append(_judged(judged, colours, scale, unit))
        drawn += [scale * v for j in judged for v in (j.value, j.low, j.high) if v is not None and math.isfinite(v)]
    shapes = [_limit_shape(limit, colours, scale) for limit in limits] + [_mark_shape(mark, colours) for mark in marks]
    annotations = [_limit_label(limit, colours, scale) for limit in limits]
    annotations += [_mark_label(mark, colours) for mark in marks if mark.said]
    layout: dict[str, Any] = {
        "height": 340,
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "hovermode": "x unified",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        "dragmode": False,
        "shapes": shapes,
        "annotations": annotations,
        "uirevision": str(figure),
        "xaxis": {
            "type": "date",
            "showgrid": False,
            "automargin": True,
            "fixedrange": False,
            "tickformat": "%H:%M\n%e %b",
        },
        "yaxis": {
            "ticksuffix": unit,
            "gridcolor": colours.line,
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
            "range": _range(drawn, [limit.value * scale for limit in limits], figure),
            "nticks": 6,
        },
    }
    if span is not None:
        layout["xaxis"]["range"] = times(np.asarray(span))
    return {"data": data, "layout": layout}


def _range(drawn: Sequence[float], limits: Sequence[float], figure: Figure | None) -> list[float]:
    """Choose the vertical range: all that is drawn and every limit, from 0 where 0 means something."""
    values = [*drawn, *limits] or [0.0, 1.0]
    low, high = min(values), max(values)
    if figure is Figure.AVAILABILITY:
        room = max(high - low, 0.05)
        return [low - 0.15 * room, min(high + 0.15 * room, 100.0 + 0.1 * room)]
    if figure is None or figure.quantile is not None or low >= 0:
        return [-0.03 * high, high * 1.15] if high > 0 else [0.0, 1.0]
    room = max(high - low, 1e-9)
    return [low - 0.1 * room, high + 0.1 * room]


def _judged(judged: Sequence[Judged], colours: Palette, scale: float, unit: str) -> dict[str, Any]:
    up = [0.0 if j.high is None else max(0.0, (j.high - j.value) * scale) for j in judged]
    down = [0.0 if j.low is None else max(0.0, (j.value - j.low) * scale) for j in judged]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "judged at checkpoints, phase so far",
        "x": times(np.array([j.at for j in judged])),
        "y": [j.value * scale for j in judged],
        "text": [j.word for j in judged],
        "error_y": {
            "type": "data",
            "array": up,
            "arrayminus": down,
            "color": colours.text,
            "thickness": 1.2,
            "width": 4,
        },
        "marker": {"color": colours.candidate, "size": 9, "line": {"color": colours.text, "width": 1.2}},
        "hovertemplate": f"checkpoint: %{{y:.4~g}}{unit}, %{{text}}<extra></extra>",
    }


def _limit_shape(limit: LimitLine, colours: Palette, scale: float) -> dict[str, Any]:
    colour, dash = (colours.bad, "solid") if limit.acting else (colours.watch, "dash")
    y = limit.value * scale
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "y0": y,
        "y1": y,
        "line": {"color": colour, "width": 1.4, "dash": dash},
    }


def _limit_label(limit: LimitLine, colours: Palette, scale: float) -> dict[str, Any]:
    return {
        "xref": "paper",
        "x": 0.995,
        "xanchor": "right",
        "yref": "y",
        "y": limit.value * scale,
        "yanchor": "bottom",
        "text": limit.label,
        "showarrow": False,
        "font": {"size": 12, "color": colours.bad if limit.acting else colours.watch},
    }


def _tone(colours: Palette, tone: Tone) -> str:
    return {Tone.GOOD: colours.good, Tone.WATCH: colours.watch, Tone.BAD: colours.bad, Tone.CALM: colours.muted}[tone]


def _mark_shape(mark: EventMark, colours: Palette) -> dict[str, Any]:
    x = times(np.array([mark.at]))[0]
    line = {
        "color": _tone(colours, mark.tone),
        "width": 1.4 if mark.said else 1,
        "dash": "solid" if mark.said else "dot",
    }
    return {
        "type": "line",
        "xref": "x",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": line,
        "layer": "below",
    }


def _mark_label(mark: EventMark, colours: Palette) -> dict[str, Any]:
    return {
        "xref": "x",
        "x": times(np.array([mark.at]))[0],
        "xanchor": "left",
        "yref": "paper",
        "y": 0.02,
        "yanchor": "bottom",
        "text": mark.label,
        "textangle": -90,
        "showarrow": False,
        "font": {"size": 11, "color": _tone(colours, mark.tone)},
    }


def rollback_times(drills: Sequence[Drill], colours: Palette, target_s: float = 300.0) -> tuple[PlotlyFigure, str]:
    """Draw how long each rollback took until it was verified, oldest first, in plan seconds, against the target.

    Returns the figure and its text alternative. `drills`: newest first.
    """
    verified = [d for d in reversed(drills) if d.verified_plan_s is not None]
    labels = [f"{i}. {times(np.array([d.decided_at]))[0][:16]}" for i, d in enumerate(verified, start=1)]
    values = [d.verified_plan_s for d in verified]
    bar = {
        "type": "bar",
        "x": labels,
        "y": values,
        "customdata": ["a person" if d.by_person else "the monitor" for d in verified],
        "marker": {"color": colours.baseline},
        "hovertemplate": "%{y:.1f} s, decided by %{customdata}<extra></extra>",
        "width": 0.5 if len(verified) < 6 else None,
    }
    top = max([target_s, *(v for v in values if v is not None)]) * 1.15
    layout = {
        "height": 260,
        "margin": {"l": 8, "r": 8, "t": 24, "b": 8},
        "showlegend": False,
        "dragmode": False,
        "xaxis": {"type": "category", "automargin": True, "fixedrange": True},
        "yaxis": {
            "ticksuffix": " s",
            "gridcolor": colours.line,
            "automargin": True,
            "fixedrange": True,
            "range": [0, top],
            "zeroline": False,
        },
        "shapes": [_limit_shape(LimitLine(target_s, "", False), colours, 1.0)],
        "annotations": [_limit_label(LimitLine(target_s, f"target {target_s:g} s", False), colours, 1.0)],
    }
    within = sum(v <= target_s for v in values if v is not None)
    return {
        "data": [bar],
        "layout": layout,
    }, f"{len(values)} verified rollbacks, {within} of them within {target_s:g} s."


def sparkline(
    candidate: Sequence[float], baseline: Sequence[float], colours: Palette, limits: Sequence[float] = ()
) -> str:
    """Draw both versions' last values as a small SVG picture, returned as a data URI for an `img`."""
    width, height, pad = 120.0, 28.0, 2.0
    values = [v for v in (*candidate, *baseline) if math.isfinite(v)]
    if not values:
        return ""
    low, high = min(values), max(values)
    near = [v for v in limits if low - (high - low) <= v <= high + 2 * (high - low)]
    low, high = min([low, *near]), max([high, *near])
    room = high - low or max(abs(high), 1e-9)

    def y(value: float) -> float:
        return pad + (height - 2 * pad) * (1 - (value - low) / room) if high > low else height / 2

    def path(series: Sequence[float], colour: str, stroke: str) -> str:
        n, out, pen = max(len(series) - 1, 1), [], "M"
        for i, value in enumerate(series):
            if not math.isfinite(value):
                pen = "M"
                continue
            out.append(f"{pen}{pad + (width - 2 * pad) * i / n:.1f} {y(value):.1f}")
            pen = "L"
        return f"<path d='{''.join(out)}' fill='none' stroke='{colour}' {stroke}/>" if out else ""

    lines = "".join(
        f"<path d='M0 {y(v):.1f}H{width:g}' stroke='{colours.bad}' stroke-width='.8' stroke-dasharray='3 3'/>"
        for v in near
    )
    drawn = path(baseline, colours.baseline, "stroke-width='1.2' stroke-dasharray='2 2'")
    drawn += path(candidate, colours.candidate, "stroke-width='1.8'")
    box = f"viewBox='0 0 {width:g} {height:g}' preserveAspectRatio='none'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {box}>{lines}{drawn}</svg>"
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def told(
    figure: Figure | None,
    candidate: tuple[str, Curve],
    baseline: tuple[str, Curve],
    limits: Sequence[LimitLine] = (),
) -> str:
    """Say what a chart over time shows, for those who can't see it."""

    def say(value: float) -> str:
        return f"{value:.3g} requests per second" if figure is None else say_figure(figure, value)

    parts = []
    for name, curve in (candidate, baseline):
        seen = curve.value[np.isfinite(curve.value)].tolist()
        if seen:
            parts.append(f"{name}: {say(seen[-1])} now, between {say(min(seen))} and {say(max(seen))}")
        else:
            parts.append(f"{name}: too little data")
    what = "Traffic" if figure is None else figure.label.capitalize()
    return f"{what} over time. {'; '.join(parts)}." + "".join(f" Limit, {limit.label}." for limit in limits)

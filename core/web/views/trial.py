"""A trial of an alarm -> what the Rehearsal page says, and its trade-off curve. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.delivery import calibration
from core.delivery.words import percent
from core.metrics import COLUMNS
from core.web.figures import PlotlyFigure
from core.web.palette import Palette
from core.web.views.marks import Mark, Tone

_HOVER = "limit %{customdata[0]:.2f}: stops %{customdata[1]}, catches %{customdata[2]}<extra></extra>"
_SEEN = Mark(Tone.GOOD, "notifications_active", "caught")
_MISSED = Mark(Tone.BAD, "notifications_off", "missed")


@dataclass(frozen=True, slots=True)
class TrialView:
    """What came of a trial.

    Attributes:
        mark, title, detail: the sentence on top.
        faults: a row each: mark, name, samples until the alarm, score, figure, what the rule of thumb did.
        everyday: a row a figure: name, median, 95th worst percentile.
    """

    mark: Mark
    title: str
    detail: str
    faults: tuple[tuple[Mark, str, str, str, str, str], ...]
    everyday: tuple[tuple[str, str, str], ...]


def trial_view(trial: calibration.Trial, spell_said: str) -> TrialView:
    """Return what the page says. `spell_said`: how long a spell is, in words."""
    low, high = trial.stopped_interval()
    share = trial.stopped / trial.spells if trial.spells else 0.0
    well = share <= trial.alarm.allowed / max(trial.alarm.spells, 1) + 1e-9
    healthy = (
        f"stops {trial.stopped} of {trial.spells} healthy spells of {spell_said} "
        f"({percent(share)}, 95 % interval {percent(low)} to {percent(high)})"
    )
    title = f"Catches {trial.caught} of {len(trial.faults)} faults" if trial.faults else f"Would {healthy}"
    title = title.replace("Would stops", "Would stop")
    detail = (
        f"It {healthy}, none of which it was calibrated on. "
        if trial.faults
        else "Add records of faults to see what it catches. "
    )
    thumb = f"stops {trial.naive_stopped}"
    if trial.faults:
        thumb = f"catches {trial.naive_caught} and {thumb}"
    detail += f"The rule of thumb, availability under 99 % or p99 over 1,000 ms in 2 of 5 samples, {thumb}."
    return TrialView(
        Mark(Tone.GOOD, "tune", "calibrated") if well else Mark(Tone.WATCH, "tune", "stops more than allowed"),
        title,
        detail,
        tuple(_fault(f) for f in trial.faults),
        tuple((s.figure.label, *calibration.everyday(s)) for s in trial.alarm.scales),
    )


def _fault(f: calibration.Caught) -> tuple[Mark, str, str, str, str, str]:
    mark = _MISSED if f.after is None else _SEEN
    after = "" if f.after is None else f"after {f.after} samples"
    naive = "missed" if f.naive is None else f"after {f.naive} samples"
    return mark, f.name, after, f"{f.score:.2f}", f.figure.label, naive


def curve(trial: calibration.Trial, colours: Palette) -> tuple[PlotlyFigure, str]:
    """Draw faults caught against healthy spells stopped, for every limit; return it and its text alternative."""
    spells, faults = max(trial.spells, 1), max(len(trial.faults), 1)
    points = trial.curve
    here = (100 * trial.stopped / spells, 100 * trial.caught / faults)
    naive = (100 * trial.naive_stopped / spells, 100 * trial.naive_caught / faults)
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "line": {"shape": "hv", "color": colours.muted, "width": 2},
            "x": [100 * p.stopped / spells for p in points],
            "y": [100 * p.caught / faults for p in points],
            "customdata": [[p.limit, p.stopped, p.caught] for p in points],
            "hovertemplate": _HOVER,
        },
        _dot(here, colours.candidate, "circle", f"limit {trial.alarm.limit:.2f}"),
        _dot(naive, colours.baseline, "x", "rule of thumb"),
    ]
    layout: dict[str, Any] = {
        "height": 340,
        "margin": {"l": 8, "r": 8, "t": 16, "b": 8},
        "showlegend": False,
        "dragmode": False,
        "xaxis": _axis("healthy spells stopped, %", colours),
        "yaxis": _axis("faults caught, %", colours) | {"range": [-4, 108]},
    }
    said = (
        f"At the limit found it stops {here[0]:.0f} % of the healthy spells and catches {here[1]:.0f} % of the faults; "
        f"the rule of thumb {naive[0]:.0f} % and {naive[1]:.0f} %."
    )
    return {"data": data, "layout": layout}, said


def _dot(at: tuple[float, float], colour: str, symbol: str, text: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [at[0]],
        "y": [at[1]],
        "text": [text],
        "textposition": "bottom right" if at[0] < 60 else "bottom left",
        "marker": {"color": colour, "size": 12, "symbol": symbol},
        "hovertemplate": f"{text}: stops %{{x:.1f}} %, catches %{{y:.1f}} %<extra></extra>",
        "cliponaxis": False,
    }


def _axis(title: str, colours: Palette) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 12}},
        "gridcolor": colours.line,
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        "rangemode": "tozero",
    }


def columns_to_group_by(header: Sequence[str]) -> list[str]:
    """Return the columns that may tell records apart: those that aren't measured."""
    return [name for name in header if name != "ts" and name not in COLUMNS and not name.endswith(("_ms", "_pct"))]

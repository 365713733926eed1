"""Charts as SVG text: the ramp of the share, and a criterion's course. No randomness, no clock: same facts, same bytes.

Colours are classes that the page's own style gives, so that dark mode and print are the style's. Every number is
rounded to a tenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from core.delivery import RELATIVE, Figure, words
from core.delivery.quantities import say_moment
from core.reports.facts import Checkpoint, Facts, Judged

TONES = {"pass": "good", "fail": "bad", "silent": "bad", "not measured": "", "collecting": "watch",
         "inconclusive": "watch"}  # fmt: skip
ENDS = {"rolled back": "bad", "aborted": "watch", "held": "watch", "halted": "watch", "completed": "good"}
"""Decisions that a chart and a table mark, and how."""

_STEP = 42.0  # pixels from one share of the plan to the next
_BESIDE = 0.04  # of the time shown, left free before and after it


@dataclass(frozen=True, slots=True)
class _Frame:
    """A picture's size, and where in it things are drawn; pixels."""

    width: float
    height: float
    left: float = 58.0
    right: float = 12.0
    top: float = 18.0
    bottom: float = 30.0

    def x(self, part: float) -> str:
        """Return where a part of the width is, 0 at the left."""
        return _n(self.left + part * (self.width - self.left - self.right))

    def y(self, part: float) -> str:
        """Return where a part of the height is, 0 at the bottom."""
        return _n(self.top + (1.0 - part) * (self.height - self.top - self.bottom))

    def level(self, y: str, kind: str) -> str:
        """Draw a line from side to side."""
        return f'<line class="{kind}" x1="{self.x(0)}" x2="{self.x(1)}" y1="{y}" y2="{y}"/>'

    def ticks(self, marks: Sequence[tuple[str, str]]) -> str:
        """Draw levels with what they are called."""
        return "".join(self.level(y, "grid") + _label(self.left - 6, float(y) + 4, text, "end") for y, text in marks)


def ramp(facts: Facts) -> tuple[str, str]:
    """Return the share of learners over plan time as steps, with checkpoints and ends as marks; SVG and words.

    The plan's shares are as far apart as each other: by scale 1 % could not be told from none beside 100 %.
    """
    steps = [(e.at, float(e.data["share_to"])) for e in facts.decided if "share_to" in e.data]
    begin, end = facts.created.at, max(facts.last.at, facts.created.at + 1.0)
    levels = sorted({0.0, *(phase.share for phase in facts.plan.phases), *(share for _, share in steps)})
    frame = _Frame(900.0, 56.0 + _STEP * (len(levels) - 1), left=86.0, bottom=38.0)

    def x(at: float) -> str:
        return frame.x((_BESIDE + (at - begin) / (end - begin)) / (1 + 2 * _BESIDE))

    def y(share: float) -> str:
        return frame.y(levels.index(share) / (len(levels) - 1))

    path = [f"M{frame.x(0)} {y(0.0)}", *(f"H{x(at)}V{y(after)}" for at, after in steps), f"H{frame.x(1)}"]
    parts = [
        frame.ticks([(y(share), words.percent(share)) for share in levels]),
        f'<path class="line" d="{"".join(path)}"/>',
    ]
    for c in facts.checkpoints:
        at_share = next((s for at, s in reversed(steps) if at < c.event.at), 0.0)
        tone = TONES.get(c.state, "")
        parts.append(_mark(x(c.event.at), y(at_share), tone, f"{c.phase}, checkpoint {c.number}: {c.state}"))
    parts += [
        _mark(x(e.at), y(float(e.data["share_to"])), ENDS[e.kind], f"{e.kind}: {e.reason}")
        for e in facts.decided
        if e.kind in ENDS and "share_to" in e.data
    ]
    foot = frame.height - 8
    parts += [_label(float(x(begin)), foot, say_moment(begin)), _label(float(x(end)), foot, say_moment(end), "end")]
    said = "; ".join(f"{say_moment(at)}: {words.percent(s)}" for at, s in _changes(steps))
    said = said or "no learner has got the candidate"
    return _svg(frame, "ramp", "Share of the learners with the candidate", parts), f"Share with the candidate: {said}."


def is_a_course(judged: Sequence[tuple[Checkpoint, Judged]]) -> bool:
    """Say whether there is anything to draw: values that differ, or intervals."""
    values = {j.value for _, j in judged if j.value is not None}
    return len(values) > 1 or (bool(values) and any(j.low is not None or j.high is not None for _, j in judged))


def course(name: str, judged: Sequence[tuple[Checkpoint, Judged]]) -> tuple[str, str]:
    """Return one criterion's value and interval at each checkpoint, with its limit; SVG and words."""
    figure = judged[0][1].figure
    bound = judged[-1][1].bound
    frame = _Frame(440.0, 150.0)
    low, high = _range(figure, [v for _, j in judged for v in (j.value, j.low, j.high, j.bound) if v is not None])

    def x(index: int) -> str:
        return frame.x((index + 0.5) / len(judged))

    def y(value: float) -> str:
        return frame.y((value - low) / (high - low))

    parts = [frame.ticks([(y(v), words.figure(figure, v)) for v in (low, high)])]
    if bound is not None:
        parts.append(frame.level(y(bound), "limit"))
        parts.append(
            _label(frame.width - frame.right, float(y(bound)) - 4, f"limit {words.exact(figure, bound)}", "end")
        )
    for i, (c, j) in enumerate(judged):
        if j.low is not None or j.high is not None:
            ends = (y(low if j.low is None else j.low), y(high if j.high is None else j.high))
            parts.append(f'<line class="interval" x1="{x(i)}" x2="{x(i)}" y1="{ends[0]}" y2="{ends[1]}"/>')
        if j.value is not None:
            said = f"{words.figure(figure, j.value)}: {j.state}"
            parts.append(_mark(x(i), y(j.value), TONES.get(j.state, ""), said))
        parts.append(_label(float(x(i)), frame.height - 8, f"{c.number}", "middle"))
    values = ", ".join("none" if j.value is None else words.figure(figure, j.value) for _, j in judged)
    svg = _svg(frame, name, f"{figure.label} at each checkpoint", parts)
    return svg, f"{figure.label} by checkpoint: {values}."


def _range(figure: Figure, numbers: Sequence[float]) -> tuple[float, float]:
    """Return from where to where numbers are drawn: with some room, and no share beyond all or less than none."""
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    at_least, at_most = low - room, high + room
    if figure not in RELATIVE:
        at_least = max(0.0, at_least)
        if figure.unit == "%":
            at_most = min(1.0, at_most)
    return at_least, at_most


def _changes(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found, last = [], 0.0
    for at, share in steps:
        if share != last:
            found.append((at, share))
        last = share
    return found


def _svg(frame: _Frame, name: str, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" aria-labelledby="{name}-title">'
        f'<title id="{name}-title">{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark(x: str, y: str, tone: str, title: str) -> str:
    """Return a mark whose shape tells the state, too: a dot is well, a diamond anything else."""
    inside = f"<title>{escape(title)}</title>"
    if tone == "good":
        return f'<circle class="mark good" cx="{x}" cy="{y}" r="4.5">{inside}</circle>'
    return f'<path class="mark {tone}" d="M{x} {y}m0 -6l6 6l-6 6l-6 -6z">{inside}</path>'


def _n(value: float) -> str:
    return f"{value:.1f}"

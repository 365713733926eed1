"""Charts as SVG text: the ramp of the share, and a criterion's course. No randomness, no clock: same facts, same bytes.

Colours are classes that the page's own style gives, so that dark mode and print are the style's. Every number is
rounded to a tenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.delivery import words
from core.delivery.quantities import say_moment
from core.reports.facts import Checkpoint, Facts, Judged

_W, _H, _LEFT, _RIGHT, _TOP, _BOTTOM = 680, 200, 56, 12, 18, 34
TONES = {"pass": "good", "fail": "bad", "silent": "bad", "not measured": "", "collecting": "watch",
         "inconclusive": "watch"}  # fmt: skip


def ramp(facts: Facts) -> tuple[str, str]:
    """Return the share of learners over plan time as steps, checkpoints as marks; SVG and words."""
    steps = [(e.at, float(e.data["share_to"])) for e in facts.decided if "share_to" in e.data]
    begin, end = facts.created.at, max(facts.last.at, facts.created.at + 1.0)
    top = max([share for _, share in steps] + [0.01])

    def x(at: float) -> str:
        return _n(_LEFT + (at - begin) / (end - begin) * (_W - _LEFT - _RIGHT))

    def y(share: float) -> str:
        return _n(_TOP + (1 - share / top) * (_H - _TOP - _BOTTOM))

    path = [f"M{x(begin)} {y(0.0)}"]
    for at, after in steps:
        path.append(f"H{x(at)}V{y(after)}")
    path.append(f"H{x(end)}")
    parts = [_grid([(y(0.0), "0 %"), (y(top), words.percent(top))]), f'<path class="line" d="{"".join(path)}"/>']
    for c in facts.checkpoints:
        at_share = next((s for at, s in reversed(steps) if at < c.event.at), 0.0)
        parts.append(_mark(x(c.event.at), y(at_share), c.state, f"{c.phase}, checkpoint {c.number}: {c.state}"))
    parts += [_label(_LEFT, _H - 10, say_moment(begin)), _label(_W - _RIGHT, _H - 10, say_moment(end), "end")]
    said = "; ".join(f"{say_moment(at)}: {words.percent(s)}" for at, s in _changes(steps))
    said = said or "no learner has got the candidate"
    return _svg("ramp", "Share of the learners with the candidate", parts), f"Share with the candidate: {said}."


def course(name: str, judged: Sequence[tuple[Checkpoint, Judged]]) -> tuple[str, str]:
    """Return one criterion's value and interval at each checkpoint, with its limit; SVG and words."""
    figure = judged[0][1].figure
    bound = judged[-1][1].bound
    numbers = [v for _, j in judged for v in (j.value, j.low, j.high, j.bound) if v is not None]
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    low, high = (max(0.0, low - room) if low >= 0 else low - room), high + room

    def x(index: int) -> str:
        return _n(_LEFT + 24 + (index + 0.5) / len(judged) * (_W - _LEFT - _RIGHT - 24))

    def y(value: float) -> str:
        return _n(_TOP + (high - value) / (high - low) * (_H - _TOP - _BOTTOM))

    parts = [_grid([(y(v), words.figure(figure, v)) for v in (low, high)])]
    if bound is not None:
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{y(bound)}" y2="{y(bound)}"/>')
        parts.append(_label(_W - _RIGHT, float(y(bound)) - 4, f"limit {words.exact(figure, bound)}", "end"))
    for i, (c, j) in enumerate(judged):
        if j.low is not None or j.high is not None:
            ends = (y(low if j.low is None else j.low), y(high if j.high is None else j.high))
            parts.append(f'<line class="interval" x1="{x(i)}" x2="{x(i)}" y1="{ends[0]}" y2="{ends[1]}"/>')
        if j.value is not None:
            parts.append(_mark(x(i), y(j.value), j.state, f"{words.figure(figure, j.value)}: {j.state}"))
        parts.append(_label(float(x(i)), _H - 10, f"{c.number}", "middle"))
    values = ", ".join("none" if j.value is None else words.figure(figure, j.value) for _, j in judged)
    return _svg(name, f"{figure.label} at each checkpoint", parts), f"{figure.label} by checkpoint: {values}."


def _changes(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found, last = [], 0.0
    for at, share in steps:
        if share != last:
            found.append((at, share))
        last = share
    return found


def _svg(name: str, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_W} {_H}" role="img" aria-labelledby="{name}-title"><title id="{name}-title">'
        f"{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _grid(ticks: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{y}" y2="{y}"/>'
        + _label(_LEFT - 6, float(y) + 4, text, "end")
        for y, text in ticks
    )


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark(x: str, y: str, state: str, title: str) -> str:
    """Return a mark whose shape tells the state, too: a dot is a pass, a diamond anything else."""
    inside = f"<title>{escape(title)}</title>"
    if state == "pass":
        return f'<circle class="mark good" cx="{x}" cy="{y}" r="4.5">{inside}</circle>'
    tone = TONES.get(state, "")
    return f'<path class="mark {tone}" d="M{x} {y}m0 -6l6 6l-6 6l-6 -6z">{inside}</path>'


def _n(value: float) -> str:
    return f"{value:.1f}"

"""Small ways of putting words that several views share."""

from __future__ import annotations

from core.delivery import Figure, Finding
from core.delivery.words import figure as say_figure


def capital(text: str) -> str:
    """Return a text with its first letter large."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Return a text as a sentence: a large letter first, a full stop last."""
    text = capital(text.strip())
    return text if not text or text[-1] in ".!?" else text + "."


def interval(figure: Figure, finding: Finding) -> str:
    """Say the interval that decided: "0.02 % to 0.15 %", "up to 0.15 %", "from 99.9 %", or ""."""
    low = None if finding.low is None else say_figure(figure, finding.low)
    high = None if finding.high is None else say_figure(figure, finding.high)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if high is not None:
        return f"up to {high}"
    return f"from {low}" if low is not None else ""

"""The colours that charts and inline pictures are drawn in: those of .streamlit/config.toml, which a test compares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One appearance's colours, as hexadecimal RGB.

    `baseline` and `candidate` are the two versions; the others are what states are told by, always beside a word.
    """

    baseline: str
    candidate: str
    text: str
    muted: str
    line: str
    good: str
    watch: str
    bad: str
    ground: str


LIGHT = Palette("#0d6668", "#c06a00", "#1d282d", "#4d5c64", "#d6d1c4", "#246231", "#8f4704", "#9f2a24", "#fcfbf8")
DARK = Palette("#4fbfbd", "#f2c14b", "#e7edec", "#b4c1c3", "#3a484d", "#98d3a2", "#f4bb7d", "#f5a39b", "#12191c")


def palette(theme: str | None) -> Palette:
    """Return the palette of an appearance: "dark", else light."""
    return DARK if theme == "dark" else LIGHT

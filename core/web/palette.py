"""The colours that charts and inline pictures are drawn in: those of .streamlit/config.toml, which a test compares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One appearance's colours, as hexadecimal RGB.

    `baseline` and `candidate` are the two versions; `several` tells cohorts apart, `steps` is from few to many; the
    others are what states are told by, always beside a word.
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
    several: tuple[str, ...]
    steps: tuple[str, ...]


LIGHT = Palette(
    "#0d6668", "#c06a00", "#1d282d", "#4d5c64", "#d6d1c4", "#246231", "#8f4704", "#9f2a24", "#fcfbf8",
    ("#0d6668", "#c06a00", "#4a5cb3", "#ad3f77", "#587518", "#2477ae", "#7a5230", "#7a4ba6", "#5a6a72", "#b3372f"),
    ("#e6f1ee", "#cbe3df", "#aed3cf", "#8fc2be", "#6fb0ad", "#519c9b", "#378788", "#217274", "#0d5c5f", "#04454a"),
)  # fmt: skip
DARK = Palette(
    "#4fbfbd", "#f2c14b", "#e7edec", "#b4c1c3", "#3a484d", "#98d3a2", "#f4bb7d", "#f5a39b", "#12191c",
    ("#4fbfbd", "#f2c14b", "#9aa8f0", "#ee8fbc", "#a9c65a", "#6fb9ec", "#cfa27a", "#c39be8", "#a9b6bc", "#f08a80"),
    ("#16302f", "#1a4241", "#1f5655", "#266b6a", "#308180", "#3f9796", "#58adab", "#7ac2bf", "#a2d6d2", "#cfe9e5"),
)  # fmt: skip


def palette(theme: str | None) -> Palette:
    """Return the palette of an appearance: "dark", else light."""
    return DARK if theme == "dark" else LIGHT

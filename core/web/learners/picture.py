"""The map of all learners as a picture, seen while the browser still loads and starts what the chart is drawn with.

The same counts, outlines and centres at the same places as `figures.learner_map`, which covers it when it comes.
"""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, zoom

from core.web.learners.figures import MAP_HEIGHT, MAP_MARGIN, MAP_ROOM, colour_of
from core.web.markup import Html, el
from core.web.palette import Palette
from core.web.views.density import Density, Outline, Span
from core.web.views.traits import Trait

_SHADES = 64
_FINER = 8  # how many pixels a cell of an outline's grid becomes
_LINE = 3  # pixels

Pixels = NDArray[np.uint8]


def map_picture(plane: Density, colours: Palette) -> Html:
    """Draw counts, outlines and centres as a picture that stretches as the chart does; the chart has the words."""
    x_room, y_room = MAP_ROOM * plane.x_span.size, MAP_ROOM * plane.y_span.size
    x = Span(plane.x_span.low - x_room, plane.x_span.high + x_room)
    y = Span(plane.y_span.low - y_room, plane.y_span.high + y_room)
    pieces = [_image(_counts(plane, colours), plane.x_span, plane.y_span, x, y)]
    pieces += [_outline(o, x, y, colours) for o in plane.outlines]
    pieces += [
        el("i", cls="cc-diamond", style=f"{_at(cx, cy, x, y)};--cc-cohort:{colour_of(number, colours)}")
        for number, (cx, cy) in enumerate(plane.centres)
        if np.isfinite((cx, cy)).all()
    ]
    margin = MAP_MARGIN
    inset = f"inset:{margin['t']}px {margin['r']}px {margin['b']}px {margin['l']}px"
    return el(
        "div",
        el("div", *_ticks(plane.x, plane.x_span, x, "left"), *_ticks(plane.y, plane.y_span, y, "bottom"), style=inset),
        el("div", *pieces, style=f"{inset};overflow:hidden"),
        cls="cc-map-picture",
        style=f"height:{MAP_HEIGHT}px",
        aria_hidden="true",
    )


def _counts(plane: Density, colours: Palette) -> Pixels:
    """Return the cells as numbers of shades; 0: nobody."""
    most = max(int(plane.counts.max(initial=1)), 2)
    with np.errstate(divide="ignore"):
        shade = 1 + np.round((_SHADES - 1) * np.log10(plane.counts) / np.log10(most))
    return _coloured(np.where(plane.counts > 0, shade, 0).astype(np.uint8), _shades(colours.steps[2:]))


def _shades(steps: tuple[str, ...]) -> Pixels:
    """Return the colours between some, shape (_SHADES, 3)."""
    known = np.array([_rgb(step) for step in steps], dtype=float)
    places = np.linspace(0, len(steps) - 1, _SHADES)
    return np.column_stack([np.interp(places, range(len(steps)), known[:, c]) for c in range(3)]).astype(np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _coloured(numbers: Pixels, colours: Pixels) -> Pixels:
    """Return pixels, shape (up, across, 4): clear where 0, else of the colour with that number, counted from 1."""
    shades = np.vstack([np.zeros((1, 4), dtype=np.uint8), np.insert(colours, 3, 255, axis=1)])
    return shades[numbers]


def _outline(outline: Outline, x: Span, y: Span, colours: Palette) -> Html:
    fine = zoom(outline.density, _FINER, order=1, grid_mode=True, mode="nearest")
    inside = fine >= outline.level
    line = (inside & ~binary_erosion(inside, iterations=_LINE)).astype(np.uint8)
    colour = np.array([_rgb(colour_of(outline.number, colours))], dtype=np.uint8)
    return _image(_coloured(line, colour), _around(outline.x), _around(outline.y), x, y)


def _around(middles: NDArray[np.float64]) -> Span:
    half = float(middles[1] - middles[0]) / 2
    return Span(float(middles[0]) - half, float(middles[-1]) + half)


def _image(pixels: Pixels, across: Span, up: Span, x: Span, y: Span) -> Html:
    """Return pixels, the lowest row first, where they belong in the plane."""
    held = BytesIO()
    Image.fromarray(pixels[::-1]).quantize(256).save(held, "PNG")
    style = (
        f"{_at(across.low, up.low, x, y)};width:{100 * across.size / x.size:.3f}%;height:{100 * up.size / y.size:.3f}%"
    )
    return el("img", src=f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}", alt="", style=style)


def _at(place_x: float, place_y: float, x: Span, y: Span) -> str:
    return f"left:{_part(place_x, x):.3f}%;bottom:{_part(place_y, y):.3f}%"


def _part(place: float, span: Span) -> float:
    return 100 * (place - span.low) / span.size


def _ticks(trait: Trait, shown: Span, whole: Span, side: str) -> list[Html]:
    """Return an axis: its lines, what stands beside them, its title."""
    places, words = trait.ticks(shown.low, shown.high)
    marks = [
        el("span", el("i"), el("small", word), cls=f"cc-tick-{side}", style=f"{side}:{_part(place, whole):.3f}%")
        for place, word in zip(places, words, strict=True)
    ]
    return [*marks, el("b", trait.title, cls=f"cc-axis-{side}")]

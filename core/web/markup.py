"""A small builder of HTML in which text is escaped unless it says that it is HTML already."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """A piece of HTML, as opposed to text."""

    __slots__ = ()


NOTHING = Html("")
_VOID = frozenset({"img", "br"})


def el(name: str, *children: str | None, cls: str = "", **attributes: str | float | None) -> Html:
    """Return an element. Children that aren't `Html` are text and escaped; whatever is None is left out.

    Attributes are written with `_` for `-`; one that ends in `_` loses it (`for_`).
    """
    given = ({"class": cls} if cls else {}) | {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()}
    said = "".join(f' {key}="{escape(str(value))}"' for key, value in given.items() if value is not None)
    return Html(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{join(children)}</{name}>")


def join(children: Iterable[str | None]) -> Html:
    """Return pieces one after the other, text among them escaped."""
    return Html("".join(c if isinstance(c, Html) else escape(c) for c in children if c is not None))


def table_head(names: Iterable[str | Html]) -> Html:
    """Return a table's head, a name a column."""
    return el("thead", el("tr", *(el("th", name, scope="col") for name in names)))

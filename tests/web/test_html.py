from __future__ import annotations

from core.delivery import Figure
from core.store import Verification
from core.web import html
from core.web.markup import Html, el, join
from core.web.palette import DARK, LIGHT
from core.web.views.history import EventRow
from core.web.views.marks import Headline, Mark, Tone
from core.web.views.pulse import Pulse
from core.web.views.rows import FigureRow, GuardrailRow

BAD = "<img src=x onerror=alert(1)>"
MARK = Mark(Tone.BAD, "undo", "rolled back")


def test_text_is_escaped_and_html_is_not() -> None:
    assert el("p", "a < b", el("b", "&"), None) == "<p>a &lt; b<b>&amp;</b></p>"
    assert el("i", cls="x", data_label='"q"', title=None) == '<i class="x" data-label="&quot;q&quot;"></i>'
    assert el("img", src="y", alt="z") == '<img src="y" alt="z">'
    assert join(["<", Html("<br>")]) == "&lt;<br>"


def test_nothing_that_anybody_wrote_reaches_the_page_as_html() -> None:
    row = FigureRow(Figure.ERROR_RATE, MARK, BAD, BAD, BAD, BAD, (BAD,), BAD, True)
    compared = GuardrailRow(MARK, *[BAD] * 9)
    event = EventRow(1, Mark(Tone.CALM, "x", BAD), "at", "wall", BAD, BAD, BAD, ((BAD, BAD),))
    drawn = [
        html.headline(Headline(MARK, BAD, BAD)),
        html.alarms(Pulse("", "", (BAD,))),
        html.figures([row], BAD, BAD, {Figure.ERROR_RATE: "data:image/svg+xml;base64,AA"}),
        html.guardrails([compared], BAD, BAD),
        html.note(BAD),
        html.events([event], several=True),
        html.pairs([(BAD, BAD)]),
        html.problems([(BAD, BAD, BAD, BAD)]),
        html.banner([BAD]),
        html.seal(Verification(False, 3, "", None, 2, BAD)),
    ]
    assert not any("<img src=x" in piece for piece in drawn)
    assert all("&lt;img" in piece for piece in drawn)


def test_a_state_is_told_by_word_and_icon() -> None:
    said = html.badge(MARK)
    assert "rolled back" in said
    assert 'aria-hidden="true">undo<' in said


def test_pictures_have_a_text_alternative() -> None:
    row = FigureRow(Figure.ERROR_RATE, MARK, "Error rate", "1 %", "", "", (), "", True)
    table = html.figures([row], "fast", "original", {Figure.ERROR_RATE: "data:,"})
    assert 'alt="Error rate of fast and original so far"' in table


def test_each_appearance_has_its_colours() -> None:
    assert f"--cc-bad:{LIGHT.bad};" in html.style(LIGHT)
    assert f"--cc-bad:{DARK.bad};" in html.style(DARK)


def test_the_seal() -> None:
    assert "verified" in html.seal(Verification(True, 3, "h", 3))
    assert "as far as known" in html.seal(Verification(True, 3, "h", None, warning="No anchor."))
    assert "event 2" in html.seal(Verification(False, 3, "h", 3, 2, "it was altered"))

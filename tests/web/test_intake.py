"""What the Sources page says: whether figures come, from whom, and what to mend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.identity import LOCAL, NOBODY
from core.metrics import QueryKnown, QueryState, Sender, SourceKnown, parse_sources
from core.web.intake import html
from core.web.intake.trying import try_query
from core.web.views import intake
from core.web.views.marks import Tone

WALL = 10_000.0
(SOURCE,) = parse_sources(
    """
prometheus:
  - name: main
    url: http://127.0.0.1:9
    flag: analyzer
    timeout: 300 ms
    figures:
      requests: http_requests_total{version="{{version}}"}
      errors: http_requests_total{version="{{version}}", code=~"5.."}
      memory: max(memory)
""",
    environment={},
)
FLAGS = frozenset({"analyzer"})


def query(figure: str, version: str, state: QueryState = QueryState.OK, said: str = "", value: float | None = 600.0):  # type: ignore[no-untyped-def]
    return QueryKnown(figure, version, state, said, value, f"{figure}{{}}", WALL - 5, WALL - 5, 0.0)


KNOWN = SourceKnown(
    "main",
    "analyzer",
    WALL - 5,
    WALL - 5,
    "",
    SOURCE.url,
    0.02,
    12,
    30.0,
    (query("memory", "fast", value=5e8), query("requests", "fast"), query("requests", "original", value=5400.0)),
)
SENDER = Sender("analyzer", "web-1", WALL - 1, 20, 10.0, 5, 100, 0, {}, 0, 0.01, ("fast", "original"))


def view(known: SourceKnown | None = KNOWN, flags: frozenset[str] = FLAGS) -> intake.SourceView:
    return intake.source_view(SOURCE, known, WALL, 1.0, flags)


def test_a_source_that_answers_is_said_with_its_values_by_version() -> None:
    found = view()
    assert (found.mark.tone, found.problem, found.versions) == (Tone.GOOD, "", ("fast", "original"))
    assert [(row.figure, row.values) for row in found.rows] == [
        ("requests", ("600 in 30 s", "5,400 in 30 s")),
        ("memory", ("500 MB", "")),
    ]
    assert found.rows[0].query == SOURCE.figures[0].query  # as the file has it, to be mended there
    assert "asked 5.0 s ago" in found.facts


def test_what_is_missing_is_said_once_and_by_whom() -> None:
    bad = replace(
        KNOWN,
        queries=(
            query("requests", "fast", QueryState.NO_VALUES, "nothing matches", None),
            query("requests", "original", QueryState.NO_VALUES, "nothing matches", None),
            query("memory", "fast", QueryState.BAD_QUERY, "parse error", None),
            query("memory", "original", value=1e9),
        ),
    )
    found = view(bad)
    assert found.mark.word == "2 of 2 figures missing"
    assert [row.said for row in found.rows] == [("nothing matches",), ("fast: parse error",)]
    assert [row.mark.word for row in found.rows] == ["no values", "bad query"]
    assert found.rows[1].values == ("", "1 GB")


@pytest.mark.parametrize(
    ("known", "flags", "tone", "words"),
    [
        (replace(KNOWN, problem="no answer within 5 s"), FLAGS, Tone.BAD, "No answer within 5 s. Last answer: 5.0 s"),
        (KNOWN, frozenset(), Tone.CALM, "No deployment of flag analyzer"),
        (replace(KNOWN, asked=WALL - 400), FLAGS, Tone.BAD, "is a monitor running"),
        (None, FLAGS, Tone.CALM, "Not asked yet"),
        (None, frozenset(), Tone.CALM, "it is asked when there is one"),
    ],
)
def test_a_source_without_figures_says_why(
    known: SourceKnown | None, flags: frozenset[str], tone: Tone, words: str
) -> None:
    found = view(known, flags)
    assert (found.mark.tone, words in found.problem) == (tone, True), found.problem


def test_a_quiet_sender_is_told_from_one_that_nobody_asks() -> None:
    reporting = intake.sender_row(SENDER, WALL, 90.0)
    idle = intake.sender_row(replace(SENDER, last=0, per_s=0.0), WALL, 90.0)
    quiet = intake.sender_row(replace(SENDER, heard=WALL - 100), WALL, 90.0)
    assert (reporting.mark.word, reporting.rate) == ("reporting", "10.0 records/s")
    assert (idle.mark.word, idle.rate) == ("reporting", "nobody asked for fast or original")
    assert (quiet.mark.word, quiet.rate, quiet.heard) == ("quiet", "", "1 min 40 s ago")


def test_what_is_not_right_with_a_sender_is_said() -> None:
    sender = replace(SENDER, rejected={"ts older than a day": 3}, dropped=7, repeated=2, skew_s=-30.0)
    notes = intake.sender_row(sender, WALL, 90.0).notes
    assert notes == (
        "3 rejected: ts older than a day",
        "7 dropped by the sender, for want of room",
        "2 sent again, counted once",
        "its clock is 30 s behind ours",
    )


@pytest.mark.parametrize(
    ("sources", "senders", "mistakes", "words"),
    [
        ([], [], [], "No figures have come yet"),
        ([view()], [intake.sender_row(SENDER, WALL, 90.0)], [], "Figures come from every source"),
        ([view(replace(KNOWN, problem="down"))], [], [], "No answer from main"),
        ([], [intake.sender_row(replace(SENDER, heard=0.0), WALL, 90.0)], [], "Silence: web-1"),
        ([view()], [intake.sender_row(replace(SENDER, heard=0.0), WALL, 90.0)], [], "Silence: web-1"),
        ([view(None, frozenset())], [], [], "Nothing is asked for"),
        ([], [], ["sources.yaml:3:5: wrong"], "1 mistake"),
    ],
)
def test_the_sentence_on_top(
    sources: list[intake.SourceView], senders: list[intake.SenderRow], mistakes: list[str], words: str
) -> None:
    assert words in intake.headline(sources, senders, mistakes).title


def test_trying_a_query_is_for_those_who_may_analyse_and_says_what_went_wrong() -> None:
    refused = try_query(SOURCE, NOBODY, "up", "fast", 30.0, None)
    assert (refused.ok, "Nothing was done" in refused.said) == (False, True)
    down = try_query(SOURCE, LOCAL, 'a{v="{{version}}"}', "fast", 30.0, None)
    assert (down.ok, down.query) == (False, 'a{v="fast"}')
    assert down.said.startswith("Unreachable: it can't be reached")


def test_what_others_named_is_shown_as_text() -> None:
    sender = replace(SENDER, name="<script>alert(1)</script>")
    said = html.senders([intake.sender_row(sender, WALL, 90.0)])
    assert "<script>" not in said
    evil = replace(KNOWN, queries=(query("requests", "<b>", QueryState.BAD_QUERY, "<img src=x>", None),))
    assert "<img" not in html.source(view(evil))

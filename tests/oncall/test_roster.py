"""Who is on call, and what is wrong with a roster."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.oncall import RosterError, parse_roster, steps_due

TEXT = """
time_zone: Europe/Berlin
people:
  alice: {address: Alice@example.com, urls: ["mailto://u:${MAIL_PASSWORD}@example.com"]}
  omar: {address: omar@example.com, urls: ["json://127.0.0.1:9/x"]}
  vp: {address: vp@example.com, urls: ["json://127.0.0.1:9/y"]}
shifts:
  primary:
    - {who: alice, days: [mon, tue, wed, thu, fri], from: "08:00", to: "20:00"}
    - {who: omar, days: [mon, tue, wed, thu, fri], from: "20:00", to: "08:00"}
    - {who: vp, days: [sat, sun], zone: America/New_York}
  secondary: [{who: omar}]
  escalation: [{who: vp}]
overrides:
  - {level: primary, who: omar, from: 2026-12-24 00:00, to: 2026-12-27 00:00}
escalate_after: [5 min, 10 min]
repeat: 15 min
tell: {urls: ["json://127.0.0.1:9/z"], of: [held, rolled back]}
"""
ENVIRONMENT = {"MAIL_PASSWORD": "p4ss"}
ROSTER = parse_roster(TEXT, environment=ENVIRONMENT)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-11-26 07:59", "omar"),  # Thursday, still Wednesday's night
        ("2026-11-26 08:00", "alice"),
        ("2026-11-26 19:59", "alice"),
        ("2026-11-26 20:00", "omar"),
        ("2026-11-28 03:00", "omar"),  # Friday's night ends on Saturday at eight
        ("2026-11-28 09:00", "vp"),
        ("2026-11-30 05:30", "vp"),  # in Berlin Monday, in New York still Sunday
        ("2026-11-30 08:00", "alice"),
        ("2026-12-24 09:00", "omar"),  # by the override
        ("2027-03-28 12:00", "vp"),  # the day the clocks change
    ],
)
def test_who_is_called_first(moment: str, who: str) -> None:
    member = ROSTER.on_call("primary", at(moment))
    assert member is not None
    assert member.name == who


def test_what_was_written() -> None:
    assert ROSTER.members["alice"].address == "alice@example.com"
    assert "p4ss" in ROSTER.members["alice"].urls[0]
    assert ROSTER.after_s == (300.0, 600.0)
    assert ROSTER.kinds == {"held", "rolled back"}


@given(st.floats(0, 1e5, allow_nan=False))
def test_a_step_once_due_stays_due_and_comes_in_order(waited: float) -> None:
    steps = steps_due(ROSTER, 1000.0, 1000.0 + waited)
    assert [s.number for s in steps] == list(range(len(steps)))
    expected = 1 + (waited >= 300) + (waited >= 900) + (min(8, int((waited - 900) // 900)) if waited >= 900 else 0)
    assert len(steps) == expected
    assert [s.level for s in steps[:3]] == ["primary", "secondary", "escalation"][: len(steps)]
    assert all(s.level == "escalation" for s in steps[3:])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("who: alice,", "who: alise,", 'did you mean "alice"?'),
        ("days: [sat, sun]", "days: [saturday]", "one of mon, tue"),
        ('"08:00", to', '"8", to', "a time of day"),
        ("Europe/Berlin", "Berlin", "a time zone such as"),
        ("5 min, 10 min", "5, 10 min", "a time such as"),
        ("5 min, 10 min", "1 min, 2 min, 3 min", "at most 2 waits"),
        ("level: primary, who", "level: first, who", "one of primary"),
        ("to: 2026-12-27 00:00", "to: 2026-12-23 00:00", "after its beginning"),
        ("of: [held", "of: [hold", 'did you mean "held"?'),
        ("primary:\n", "first:\n", "one of primary"),
        ("json://127.0.0.1:9/y", "nothing://x:secret@y", "a URL that Apprise knows"),
        ("${MAIL_PASSWORD}", "${NOT_SET}", "the environment variable NOT_SET to be set"),
        ("address: vp@example.com", "address: vp", "an address such as"),
    ],
)
def test_mistakes_are_named_and_no_secret_is(old: str, new: str, said: str) -> None:
    with pytest.raises(RosterError) as caught:
        parse_roster(TEXT.replace(old, new, 1), "r.yaml", ENVIRONMENT)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.problems[0].line > 0


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_a_roster_or_problems(text: str) -> None:
    with pytest.raises(RosterError, match=r"."):
        parse_roster(text)

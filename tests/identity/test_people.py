"""Who has which role and seat, by claims and by file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.identity import LOCAL, NOBODY, PeopleError, PeopleFile, Permission, Person, Role, parse_people, why_not

TEXT = """
roles:
  viewer: ["*"]
  analyst: ["group:Analytics"]
  on-call: ["group:sre", bob@example.com]
  lead: [alice@example.com]
  admin: root@example.com
seats:
  engineering: [alice@example.com]
  finance: bob@example.com
logins:
  al: Alice@Example.com
claims:
  groups: grp
"""
PEOPLE = parse_people(TEXT)


def claims(email: str, **more: object) -> dict[str, object]:
    return {"sub": "s1", "email": email, "exp": 200.0} | more


def test_roles_come_from_addresses_groups_and_everybody() -> None:
    assert PEOPLE.person(claims("x@example.com")).roles == {Role.VIEWER}
    assert PEOPLE.person(claims("BOB@example.com")).roles == {Role.VIEWER, Role.ON_CALL}
    assert PEOPLE.person(claims("x@example.com", grp=["analytics"])).roles == {Role.VIEWER, Role.ANALYST}
    assert PEOPLE.person(claims("x@example.com", grp="sre,other")).roles == {Role.VIEWER, Role.ON_CALL}


def test_an_address_that_is_not_verified_is_nobodys() -> None:
    person = PEOPLE.person(claims("alice@example.com", email_verified=False))
    assert (person.id, person.roles, person.seats) == ("s1", {Role.VIEWER}, frozenset())


def test_a_seat_is_a_leads() -> None:
    assert PEOPLE.person(claims("alice@example.com")).seats == {"engineering"}
    assert PEOPLE.person(claims("bob@example.com")).seats == frozenset()


def test_roles_and_seats_in_the_claims_count_unless_the_file_says_no() -> None:
    said = claims("x@example.com", roles=["lead", "emperor"], seats=["product", "No Seat"])
    trusted = parse_people("roles: {viewer: ['*']}").person(said)
    assert (trusted.roles, trusted.seats) == ({Role.VIEWER, Role.LEAD}, {"product"})
    distrusted = parse_people("roles: {viewer: ['*']}\ntrust_claims: false").person(said)
    assert (distrusted.roles, distrusted.seats) == ({Role.VIEWER}, frozenset())


def test_what_expires_expires_and_what_has_no_end_never_began() -> None:
    alice = PEOPLE.person(claims("alice@example.com"))
    assert alice.may(Permission.ADVANCE, 199.0)
    assert not alice.may(Permission.ADVANCE, 200.0)
    assert "sign in again" in why_not(alice, Permission.ADVANCE, 200.0)
    for bad in (None, "200", True):
        assert not PEOPLE.person(claims("alice@example.com", exp=bad)).may(Permission.LOOK, 100.0)


def test_who_is_nobody_may_nothing() -> None:
    for person in (NOBODY, PEOPLE.person({}), PEOPLE.person({"email": " ", "exp": 200.0})):
        assert not any(person.may(permission, 0.0) for permission in Permission)
    assert all(LOCAL.may(permission, 0.0) for permission in Permission)
    assert LOCAL.seats == frozenset()


def test_the_reason_names_the_role_that_it_takes() -> None:
    viewer = PEOPLE.person(claims("x@example.com"))
    assert why_not(viewer, Permission.LOOK, 0.0) == ""
    said = why_not(viewer, Permission.PROTECT, 0.0)
    assert "x@example.com (viewer) may not take learners off the candidate" in said
    assert "admin or lead or on-call" in said
    assert why_not(NOBODY, Permission.LOOK, 0.0) == "you are not signed in"
    assert "has no role here" in why_not(Person("a@b.c"), Permission.LOOK, 0.0)


def test_a_login_of_this_machine_is_who_the_file_says() -> None:
    assert PEOPLE.login("al").id == "alice@example.com"
    assert PEOPLE.login("al").seats == {"engineering"}
    assert PEOPLE.login("al").actor == "cli:alice@example.com"
    assert PEOPLE.login("stranger").seats == frozenset()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("roles:\n  leader: ['*']", 2, 'did you mean "lead"?'),
        ("roles:\n  lead: [alice]", 2, "an address"),
        ("roles:\n  lead: ['group:']", 2, "group:NAME"),
        ("roles: {}\nseats:\n  Eng Lead: a@b.c", 3, "a seat's name"),
        ("roles: {}\nseats:\n  ops: ['*']", 3, "an address"),
        ("roles: {}\nlogins:\n  al: []", 3, "an address"),
        ("roles: {}\nclaims:\n  group: x", 3, "one of roles, groups, seats"),
        ("roles: {}\ntrust_claims: maybe", 2, "true or false"),
        ("seats: {}", 1, "who has which role"),
        ("", 0, "a mapping with roles"),
        ("roles: &a {}", 1, "no anchors"),
        ("roles: {}\nroles: {}", 2, "each key once"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(PeopleError) as caught:
        parse_people(text, "p.yaml")
    problem = caught.value.problems[0]
    assert said in str(problem)
    assert problem.line in {line, line or 1}


@given(st.text(max_size=300))
def test_no_text_gives_anything_but_people_or_problems(text: str) -> None:
    try:
        found = parse_people(text)
    except PeopleError as error:
        found = None
        told = error.problems
    assert found is not None or told


@given(
    st.dictionaries(
        st.sampled_from(["sub", "email", "email_verified", "exp", "grp", "roles", "seats", "name"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.text(max_size=9), max_size=3)
        ),
    )
)
def test_no_claims_make_a_person_without_an_end(made: dict[str, object]) -> None:
    person = PEOPLE.person(made)
    assert person.expires is not None or not person.roles


def test_who_is_struck_off_is_so_at_once(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(TEXT)
    file = PeopleFile(path)
    assert file.read().person(claims("bob@example.com")).may(Permission.PROTECT, 0.0)
    path.write_text(TEXT.replace(", bob@example.com]", "]"))
    os.utime(path, ns=(1, 1))
    assert not file.read().person(claims("bob@example.com")).may(Permission.PROTECT, 0.0)
    path.write_text("roles: 3")
    for _ in range(2):  # a mistake is one each time, and not the state before it
        with pytest.raises(PeopleError, match=r"people\.yaml:1:8"):
            file.read()
    path.unlink()
    with pytest.raises(PeopleError, match="no such file"):
        file.read()
    assert PeopleFile(None).read().person(claims("x@y.z")).roles == frozenset()

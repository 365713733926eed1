"""Who has which role and seat: from the identity provider's claims, and a file that is read anew when it changes."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from core.identity.roles import MAY, Permission, Person, Role
from core.yamlmarks import DocumentError, Misread, Problem, Reader, compose, path_of, suggestion

PEOPLE_HELP = "a mapping with roles, and seats, logins, claims where you need them; see docs/sign-in.md"

_ROLES = {role.value: role for role in Role}
_GROUP = "group:"
_EVERYBODY = "*"
_SEAT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
ROLE_CLAIM, GROUP_CLAIM, SEAT_CLAIM = "roles", "groups", "seats"
_CLAIMS = ("roles", "groups", "seats")


class PeopleError(DocumentError):
    """A file of people that can't be used; `problems` is never empty."""


@dataclass(frozen=True, slots=True)
class People:
    """What a file of people says.

    Attributes:
        roles: by role: who has it ("*", an address, "group:NAME").
        seats: by seat: whose it is (addresses).
        logins: by login name of this machine: the address of who that is, for the command line.
        claims: name of the identity provider's claim for "roles", "groups", "seats".
        trust_roles: whether roles and seats in the claims themselves count.
    """

    roles: Mapping[Role, frozenset[str]] = field(default_factory=dict)
    seats: Mapping[str, frozenset[str]] = field(default_factory=dict)
    logins: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    trust_roles: bool = True

    def person(self, claims: Mapping[str, Any], via: str = "dashboard") -> Person:
        """Return who an identity provider's claims speak of, with the roles and seats they have now.

        Args:
            claims: of the id token, verified by whoever took it in. Without an `exp` they hold for no time at all.
        """
        verified = claims.get("email_verified", True) in (True, "true")
        address = str(claims.get("email") or "").strip().lower() if verified else ""
        who = address or str(claims.get("sub") or "").strip().lower()
        if not who:
            return Person("", "nobody", via=via)
        groups = {_GROUP + str(g).strip().lower() for g in _several(claims.get(self._claim(GROUP_CLAIM)))}
        names = groups | {_EVERYBODY} | ({address} if address else set())
        roles = {role for role, listed_ in self.roles.items() if listed_ & names}
        seats = {seat for seat, holders in self.seats.items() if address and address in holders}
        if self.trust_roles:
            said = {str(r).strip().lower() for r in _several(claims.get(self._claim(ROLE_CLAIM)))}
            roles |= {_ROLES[r] for r in said & set(_ROLES)}
            told = {str(s).strip().lower() for s in _several(claims.get(self._claim(SEAT_CLAIM)))}
            seats |= {seat for seat in told if _SEAT.fullmatch(seat)}
        if not any(Permission.SIGN_OFF in MAY[role] for role in roles):
            seats = set()  # a seat is a lead's
        expires = claims.get("exp")
        return Person(
            who,
            str(claims.get("name") or address or who),
            frozenset(roles),
            frozenset(seats),
            via,
            expires=float(expires) if isinstance(expires, int | float) and not isinstance(expires, bool) else 0.0,
        )

    def listed(self, address: str, via: str) -> Person:
        """Return who an address belongs to, without claims: a token's owner, a login of this machine."""
        address = address.strip().lower()
        roles = {role for role, names in self.roles.items() if names & {address, _EVERYBODY}}
        seats = {seat for seat, holders in self.seats.items() if address in holders}
        if not any(Permission.SIGN_OFF in MAY[role] for role in roles):
            seats = set()
        return Person(address, address, frozenset(roles), frozenset(seats), via)

    def login(self, name: str) -> Person:
        """Return who a login name of this machine is; without a seat where the file doesn't say."""
        address = self.logins.get(name.lower())
        return self.listed(address, "cli") if address else Person(name, name, via="cli", local=True)

    def _claim(self, kind: str) -> str:
        return self.claims.get(kind, kind)


def _several(value: object) -> Sequence[object]:
    """Return a claim that may be missing, one value, or a list, as a list."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return list(value) if isinstance(value, Sequence) else [value]


def parse_people(text: str, name: str = "people.yaml") -> People:
    """Read a file of people.

    Raises:
        PeopleError: with all mistakes, each with its line.
    """
    reader = _PeopleReader(name, PeopleError)
    try:
        found = reader.read(compose(text, name, PEOPLE_HELP, PeopleError))
    except DocumentError as error:
        raise error if isinstance(error, PeopleError) else PeopleError(error.problems) from None
    if reader.problems:
        raise PeopleError(reader.problems)
    return found


class _PeopleReader(Reader):
    def read(self, root: yaml.Node) -> People:
        parts = self.mapping(root, "", {"roles": "who has which role"}, ("seats", "logins", "claims", "trust_claims"))
        claims = {}
        if "claims" in parts:
            for key, node in self.mapping(parts["claims"], "claims", {}, _CLAIMS).items():
                claims[key] = self.value(node, f"claims.{key}", _word, "")
        trusted = self.value(parts.get("trust_claims"), "trust_claims", _yes_or_no, True)
        return People(
            roles=self._roles(parts.get("roles")),
            seats=self._seats(parts.get("seats")),
            logins=self._logins(parts.get("logins")),
            claims=claims,
            trust_roles=trusted,
        )

    def _roles(self, node: yaml.Node | None) -> dict[Role, frozenset[str]]:
        if node is None:
            return {}
        found = self.mapping(node, "roles", {}, tuple(_ROLES))
        return {_ROLES[key]: self._names(value, f"roles.{key}", _holder) for key, value in found.items()}

    def _seats(self, node: yaml.Node | None) -> dict[str, frozenset[str]]:
        seats: dict[str, frozenset[str]] = {}
        for key, key_node, value in self._any(node, "seats", "seats, each with an address"):
            if not _SEAT.fullmatch(key):
                self.report(key_node, path_of("seats", key), "a seat's name such as engineering")
            seats[key] = self._names(value, path_of("seats", key), _address)
        return seats

    def _logins(self, node: yaml.Node | None) -> dict[str, str]:
        return {
            key.lower(): self.value(value, path_of("logins", key), _address, "")
            for key, _, value in self._any(node, "logins", "login names, each with an address")
        }

    def _any(self, node: yaml.Node | None, field_: str, expected: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """Return a mapping whose keys are the user's own."""
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.report(node, field_, f"a mapping with {expected}")
            return []
        seen: dict[str, int] = {}
        pairs = []
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            if key in seen:
                self.report(key_node, path_of(field_, key), f"each key once; it is already in line {seen[key]}")
                continue
            seen[key] = key_node.start_mark.line + 1
            pairs.append((key, key_node, value))
        return pairs

    def _names(self, node: yaml.Node, field_: str, read: Any) -> frozenset[str]:
        if isinstance(node, yaml.ScalarNode):
            return frozenset({self.value(node, field_, read, "")} - {""})
        named = {self.value(item, path, read, "") for path, item in self.items(node, field_, "a list of addresses")}
        return frozenset(named - {""})


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise Misread("an address such as alice@example.com")
    return text.lower()


def _holder(text: str) -> str:
    if text == _EVERYBODY:
        return text
    if text.lower().startswith(_GROUP) and text[len(_GROUP) :].strip():
        return _GROUP + text[len(_GROUP) :].strip().lower()
    if _ADDRESS.fullmatch(text):
        return text.lower()
    raise Misread('an address, "group:NAME", or "*" for everybody who can sign in')


def _word(text: str) -> str:
    if not text:
        raise Misread("the name of a claim")
    return text


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise Misread(f"true or false{suggestion(text, ('true', 'false'))}")
    return text.lower() == "true"


class PeopleFile:
    """A file of people, read anew when it has changed, so that who is struck off can do nothing from then on.

    Args:
        path: None where there is no such file: roles come from the claims alone.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._people = People()

    def read(self) -> People:
        """Return what the file says now.

        Raises:
            PeopleError: it is missing or has mistakes: then nobody has a role until it is mended.
        """
        if self.path is None:
            return self._people
        with self._lock:
            try:
                at = self.path.stat()
                seen = (at.st_mtime_ns, at.st_size, at.st_ino)
                if seen != self._seen:
                    self._people = parse_people(self.path.read_text(encoding="utf-8-sig"), str(self.path))
                    self._seen = seen
            except (OSError, UnicodeDecodeError) as error:
                self._seen = None
                why = "no such file" if isinstance(error, FileNotFoundError) else "can't be read as UTF-8 text"
                raise PeopleError([Problem(str(self.path), 0, 0, "", why, PEOPLE_HELP)]) from None
            except PeopleError:
                self._seen = None
                raise
            return self._people

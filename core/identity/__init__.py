"""Who is there, and what they may do: roles, seats, the file that gives them to people, and the tokens of programs."""

from core.identity.people import PEOPLE_HELP, People, PeopleError, PeopleFile, parse_people
from core.identity.roles import LOCAL, NOBODY, SEATS, Permission, Person, Role, why_not
from core.identity.tokens import (
    TOKEN_PREFIX,
    ApiToken,
    TokenProblem,
    TokenScope,
    create_token,
    find_token,
    is_worth_noting,
    list_tokens,
    note_use,
    revoke_token,
)

__all__ = [
    "LOCAL",
    "NOBODY",
    "PEOPLE_HELP",
    "SEATS",
    "TOKEN_PREFIX",
    "ApiToken",
    "People",
    "PeopleError",
    "PeopleFile",
    "Permission",
    "Person",
    "Role",
    "TokenProblem",
    "TokenScope",
    "create_token",
    "find_token",
    "is_worth_noting",
    "list_tokens",
    "note_use",
    "parse_people",
    "revoke_token",
    "why_not",
]

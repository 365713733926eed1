"""`canary token` and `canary people`: who may do what."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.cli.output import NO, USAGE, err, fail, out, print_json, stop
from core.cli.root import Json, actor, app, settings, store
from core.identity import (
    ApiToken,
    PeopleError,
    TokenProblem,
    TokenScope,
    create_token,
    list_tokens,
    parse_people,
    revoke_token,
)

tokens = typer.Typer(no_args_is_help=True, help="Tokens for programs: make, list, revoke.")
people = typer.Typer(no_args_is_help=True, help="The file that says who has which role and seat.")
app.add_typer(tokens, name="token")
app.add_typer(people, name="people")

_UNITS = {"h": 3600.0, "d": 86_400.0}


@tokens.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="What it is for; it stands in the event log.")],
    scope: Annotated[list[TokenScope], typer.Option("--scope", help="May be given more than once.")],
    owner: Annotated[
        str, typer.Option("--owner", metavar="ADDRESS", help="Whose it is; for approve: who holds the seat.")
    ] = "",
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="Such as 12h or 90d.")] = "90d",
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    read: flags and figures; push: figures in; act: everything on deployments; rollback: roll back, hold and abort
    only; approve: sign off, in the seat of its owner.
    """
    found = re.fullmatch(r"(\d{1,5})([hd])", expires)
    if not found:
        fail(f"--expires {expires!r}: expected hours or days such as 12h or 90d", USAGE)
    if TokenScope.APPROVE in scope and not owner:
        fail("--scope approve needs --owner: a seat is a person's", USAGE)
    with store() as opened:
        try:
            with opened.transaction() as tx:
                made, secret = create_token(
                    tx,
                    name=name,
                    scopes=scope,
                    owner=owner,
                    by=actor(),
                    lasts_s=float(found[1]) * _UNITS[found[2]],
                    now=time.time(),
                )
        except TokenProblem as error:
            fail(str(error))
    if as_json:
        print_json(_document(made, time.time()) | {"token": secret})
        return
    err.print(f"token {escape(made.name)} ({made.id}), until {_time(made.expires)}. It is shown this once:")
    typer.echo(secret)


@tokens.command("list")
def list_(as_json: Json = False) -> None:
    """List all tokens, without their secrets."""
    with store() as opened, opened.read() as connection:
        found = list_tokens(connection)
    now = time.time()
    if as_json:
        print_json({"tokens": [_document(token, now) for token in found]})
        return
    if not found:
        out.print("no token was made yet; `canary token create` makes one (those in the settings are not listed)")
        return
    table = Table()
    for heading in ("id", "name", "scopes", "owner", "state", "until", "last used"):
        table.add_column(heading)
    for token in found:
        used = "never" if token.used is None else _time(token.used)
        scopes = ", ".join(sorted(token.scopes))
        table.add_row(
            token.id, escape(token.name), scopes, escape(token.owner), token.state(now), _time(token.expires), used
        )
    out.print(table)


@tokens.command("revoke")
def revoke(token: Annotated[str, typer.Argument(metavar="ID_OR_NAME")], as_json: Json = False) -> None:
    """Make a token useless from now on; servers that read it a moment ago notice within two seconds."""
    with store() as opened:
        try:
            with opened.transaction() as tx:
                gone = revoke_token(tx, token, actor(), time.time())
        except TokenProblem as error:
            fail(str(error))
    if as_json:
        print_json(_document(gone, time.time()))
    else:
        out.print(f"token {escape(gone.name)} ({gone.id}) is revoked")


@people.command("check")
def check(
    path: Annotated[Path | None, typer.Argument(metavar="[PEOPLE.yaml]", help="Default: the setting `people`.")] = None,
    as_json: Json = False,
) -> None:
    """Check a file of people: every mistake with its line, else who has what."""
    file = path or settings().people
    if file is None:
        fail("name a file, or set CANARY_PEOPLE", USAGE)
    try:
        found = parse_people(file.read_text(encoding="utf-8-sig"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: can't be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}")
    except PeopleError as error:
        if as_json:
            print_json({"ok": False, "problems": [str(problem) for problem in error.problems]})
        else:
            err.print(escape(str(error)), soft_wrap=True)
        stop(NO)
    if as_json:
        roles = {role.value: sorted(names) for role, names in found.roles.items()}
        print_json({"ok": True, "roles": roles, "seats": {seat: sorted(who) for seat, who in found.seats.items()}})
        return
    for role, names in found.roles.items():
        out.print(f"{role.value}: {escape(', '.join(sorted(names)))}", soft_wrap=True)
    for seat, holders in found.seats.items():
        out.print(f"seat {escape(seat)}: {escape(', '.join(sorted(holders)))}", soft_wrap=True)
    out.print(f"{escape(str(file))} is in order")


def _document(token: ApiToken, now: float) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "owner": token.owner,
        "state": token.state(now),
        "created_by": token.created_by,
        "created": _time(token.created),
        "expires": _time(token.expires),
        "revoked": None if token.revoked is None else _time(token.revoked),
        "used": None if token.used is None else _time(token.used),
    }


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
